"""What only two cycles show: objects that are missing, and clocks that jump."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.collect.continuity import (
    Moment,
    Sighting,
    judge_continuity,
    observe,
    sighting_of,
)
from balancer.model.reasons import PARTIAL, STALE, Reason
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId
from balancer.policy.types import Limits
from balancer.ports import ClusterRef
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.fakes import FakeClock, ScriptedVCenter

LIMITS = Limits()


def cluster(vms: int, hosts: int = 4) -> Snapshot:
    return snapshot([host(n) for n in range(hosts)], [vm(n, on=n % hosts) for n in range(vms)])


def moment(
    at_s: float = 0.0, *, lasted_s: float = 0.0, ours_s: float = 0.0, theirs_s: float = 0.0
) -> Moment:
    """Return a reading `at_s` after noon; clocks may be off by so many seconds."""
    return Moment(
        asked_at=NOON + timedelta(seconds=at_s + ours_s),
        taken_at=NOON + timedelta(seconds=at_s + theirs_s),
        began_s=at_s,
        ended_s=at_s + lasted_s,
    )


def seen(snap: Snapshot, **facts: float) -> Sighting:
    return sighting_of(snap, moment(**facts), None, LIMITS)


def reasons(snap: Snapshot, at: Moment, last: Sighting | None = None) -> list[Reason]:
    return [refusal.reason for refusal in judge_continuity(snap, at, last, LIMITS)]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(100, 100, [], id="all there"),
        pytest.param(100, 90, [], id="a tenth is allowed"),
        pytest.param(100, 89, [Reason.OBJECTS_MISSING], id="more than a tenth is not"),
        pytest.param(4, 3, [], id="a single one may go"),
        pytest.param(4, 2, [Reason.OBJECTS_MISSING], id="two of four may not"),
        pytest.param(50, 100, [], id="more than before"),
        pytest.param(100, 0, [Reason.OBJECTS_MISSING], id="none is left"),
    ],
)
def test_vms_of_the_last_cycle_must_be_there(before: int, now: int, expected: list[Reason]) -> None:
    assert reasons(cluster(now), moment(300), seen(cluster(before))) == expected


def test_as_many_others_do_not_stand_for_those_that_are_missing() -> None:
    others = snapshot([host(0)], [vm(n, on=0) for n in range(100, 120)])
    last = seen(snapshot([host(0)], [vm(n, on=0) for n in range(20)]))
    assert reasons(others, moment(300), last) == [Reason.OBJECTS_MISSING]


def test_missing_hosts_are_named() -> None:
    last = seen(cluster(0, hosts=10))
    [refusal] = judge_continuity(cluster(0, hosts=8), moment(300), last, LIMITS)
    assert refusal.reason is Reason.OBJECTS_MISSING
    assert "2 of 10 hosts" in refusal.detail
    assert "esx8, esx9" in refusal.detail


def test_what_is_missing_stays_expected_until_its_time_is_over() -> None:
    last, few = seen(cluster(100)), cluster(50)
    held = []
    for at_s in (300, 600, 900, 1_199, 1_200):
        held.append(reasons(few, moment(at_s), last))
        last = sighting_of(few, moment(at_s), last, LIMITS)
    assert held == [[Reason.OBJECTS_MISSING]] * 4 + [[]]
    assert reasons(few, moment(1_500), last) == []
    assert reasons(cluster(40), moment(1_800), last) == [Reason.OBJECTS_MISSING]


def test_what_comes_back_is_no_longer_missed_and_the_time_begins_anew() -> None:
    full, few = cluster(100), cluster(50)
    last = sighting_of(few, moment(300), seen(full), LIMITS)
    assert reasons(full, moment(600), last) == []
    last = sighting_of(full, moment(600), last, LIMITS)
    last = sighting_of(few, moment(900), last, LIMITS)
    assert reasons(few, moment(1_500), last) == [Reason.OBJECTS_MISSING]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"theirs_s": 60.0}, [], id="60 s ahead"),
        pytest.param({"theirs_s": 61.0}, [Reason.CLOCK_OFF], id="61 s ahead"),
        pytest.param({"theirs_s": -60.0}, [], id="60 s behind"),
        pytest.param({"theirs_s": -61.0}, [Reason.CLOCK_OFF], id="61 s behind"),
        pytest.param(
            {"theirs_s": 100.0, "lasted_s": 50.0}, [], id="a slow login before the clock was read"
        ),
        pytest.param(
            {"theirs_s": 111.0, "lasted_s": 50.0}, [Reason.CLOCK_OFF], id="more than slowness"
        ),
    ],
)
def test_the_clocks_must_agree(facts: dict[str, float], expected: list[Reason]) -> None:
    assert reasons(cluster(4), moment(**facts)) == expected


@pytest.mark.parametrize(
    ("facts", "whose"),
    [
        pytest.param({"theirs_s": 30.0}, "vCenter's clock jumped by +30 s", id="theirs ahead"),
        pytest.param({"theirs_s": -30.0}, "vCenter's clock jumped by -30 s", id="theirs back"),
        pytest.param({"ours_s": 30.0, "theirs_s": 0.0}, "our clock jumped by +30 s", id="ours"),
        pytest.param({"ours_s": 9.0, "theirs_s": 9.0}, "", id="no more than allowed"),
        pytest.param({"theirs_s": 30.0, "lasted_s": 25.0}, "", id="explained by slowness"),
    ],
)
def test_a_clock_that_jumps_is_named(facts: dict[str, float], whose: str) -> None:
    found = judge_continuity(cluster(4), moment(300, **facts), seen(cluster(4)), LIMITS)
    assert [refusal.detail[: len(whose)] for refusal in found] == ([whose] if whose else [])
    assert all(refusal.reason is Reason.CLOCK_OFF for refusal in found)


def test_after_a_jump_the_next_cycle_is_fit_again() -> None:
    snap = cluster(4)
    jumped = sighting_of(snap, moment(300, theirs_s=30.0), seen(snap), LIMITS)
    assert reasons(snap, moment(600, theirs_s=30.0), jumped) == []


def test_a_reading_that_lasts_too_long_makes_its_snapshot_stale() -> None:
    clock = FakeClock()

    class Slow(ScriptedVCenter):
        def snapshot(self, cluster: ClusterRef) -> Snapshot:
            clock.sleep(61.0)
            return replace(super().snapshot(cluster), taken_at=NOON)

    vcenter = Slow(cluster(4), clock)
    ref = ClusterRef(id=ClusterId("domain-c1"), name="prod")
    found = observe(vcenter, ref, clock=clock, limits=LIMITS)
    assert [refusal.reason for refusal in found.unfit] == [Reason.SNAPSHOT_STALE]


def test_every_reason_marks_a_snapshot_as_partial_or_stale() -> None:
    assert {Reason.OBJECTS_MISSING, Reason.PERMISSION_HOLES} <= PARTIAL
    assert Reason.CLOCK_OFF in STALE
    assert not PARTIAL & STALE
