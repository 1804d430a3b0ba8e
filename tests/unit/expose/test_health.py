"""Alive means progress; ready means that every vCenter answered lately."""

from datetime import datetime

import pytest

from balancer.expose.health import Health
from tests.support.builders import NOON


class HandClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def health(clock: HandClock) -> Health:
    return Health(clock, vcenters={"vc1": 60.0, "vc2": 60.0}, loops={"vc1/prod": 900.0})


def told(health: Health) -> dict[str, str]:
    return {problem.subject: problem.why for problem in health.readiness().problems}


def test_before_the_first_answer_nothing_is_ready_and_each_vcenter_is_named(health: Health) -> None:
    assert told(health) == {
        "vCenter vc1": "it has not answered yet",
        "vCenter vc2": "it has not answered yet",
    }
    assert health.liveness().is_fine


def test_ready_when_every_vcenter_answered(health: Health) -> None:
    health.vcenter_up("vc1")
    assert not health.readiness().is_fine
    health.vcenter_up("vc2")
    assert health.readiness().is_fine


def test_a_failure_is_told_with_its_reason_until_the_next_answer(health: Health) -> None:
    health.vcenter_up("vc1")
    health.vcenter_up("vc2")
    health.vcenter_down("vc2", "connection refused")
    assert told(health) == {"vCenter vc2": "connection refused"}
    health.vcenter_down("vc2", "")
    assert told(health) == {"vCenter vc2": "it did not answer"}
    health.vcenter_up("vc2")
    assert health.readiness().is_fine


def test_an_old_answer_does_not_count(health: Health, clock: HandClock) -> None:
    health.vcenter_up("vc1")
    health.vcenter_up("vc2")
    clock.sleep(50.0)
    health.vcenter_up("vc1")
    clock.sleep(20.0)
    assert told(health) == {"vCenter vc2": "no answer for 70 s, more than 60 s"}


def test_a_stop_ends_readiness_and_not_life(health: Health) -> None:
    health.vcenter_up("vc1")
    health.vcenter_up("vc2")
    health.stopping()
    assert told(health) == {"process": "a stop was asked for"}
    assert health.liveness().is_fine


@pytest.mark.parametrize("sign", ["cycle_ended", "cycle_failed", "progressed"])
def test_every_sign_of_progress_keeps_a_loop_alive(
    sign: str, health: Health, clock: HandClock
) -> None:
    clock.sleep(800.0)
    getattr(health, sign)("vc1/prod")
    clock.sleep(800.0)
    assert health.liveness().is_fine


def test_a_loop_without_progress_is_stuck_and_named(health: Health, clock: HandClock) -> None:
    clock.sleep(901.0)
    (problem,) = health.liveness().problems
    assert problem.subject == "cluster vc1/prod"
    assert problem.why == "no progress for 15 min, more than 15 min"


def test_names_that_are_not_configured_change_nothing(health: Health) -> None:
    health.vcenter_up("other")
    health.vcenter_down("other", "x")
    health.progressed("other")
    assert "vCenter other" not in told(health)


def test_a_loop_that_only_shows_its_plans_is_noted_until_it_acts(health: Health) -> None:
    health.acting_withheld("vc1/prod", "excess_privileges: an administrator")
    (note,) = health.readiness().notes
    assert note.subject == "cluster vc1/prod"
    assert note.why == "observed only: excess_privileges: an administrator"
    health.acting_withheld("vc1/prod", "")
    assert health.readiness().notes == ()


def test_a_mode_that_something_holds_back_is_noted_with_what_does(health: Health) -> None:
    health.mode_in_force("vc1/prod", "partial", "window_closed: window 'nights' opens 22:00")
    (note,) = health.readiness().notes
    assert note.subject == "cluster vc1/prod"
    assert note.why == "partial: window_closed: window 'nights' opens 22:00"
    health.mode_in_force("vc1/prod", "automatic", "")
    assert health.readiness().notes == ()


def test_a_refused_configuration_is_noted_until_one_is_taken_up(health: Health) -> None:
    health.configuration_refused("c.yaml:3:1: unknown key 'htp'")
    (note,) = health.readiness().notes
    assert note.subject == "configuration"
    assert "the one before it stays in force: c.yaml:3:1: unknown key 'htp'" in note.why
    health.configuration_refused("")
    assert health.readiness().notes == ()


def test_other_expectations_keep_what_is_known_of_those_that_stay(
    health: Health, clock: HandClock
) -> None:
    health.vcenter_up("vc1")
    clock.sleep(500.0)
    health.expect(vcenters={"vc1": 1000.0}, loops={"vc1/prod": 400.0, "vc1/new": 400.0})
    assert health.readiness().is_fine
    assert [problem.subject for problem in health.liveness().problems] == ["cluster vc1/prod"]
    clock.sleep(401.0)
    assert len(health.liveness().problems) == 2
