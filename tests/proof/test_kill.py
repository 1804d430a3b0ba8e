"""Killed and frozen at every point of the journal and submit path: nothing lost, nothing sent twice.

The full runs are `make kill-test`; here every point is played once.
"""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.proof.freeze import FROZEN, play_freezes
from tests.proof.kill import play_kills
from tests.proof.points import POINTS, SENT
from tests.proof.theatre import Theatre, theatre

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("BALANCER_KILLS", "1"))
FREEZES_AT = (
    "run: store.begin, before the commit",
    "run: store.begin, committed",
    "run: the request, nothing sent",
    "run: the request, all sent",
    "run: after migrator.submit",
)
"""One moment each before, in, and after the call; `python -m tests.proof.freeze` freezes everywhere."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with theatre(tmp_path_factory.mktemp("proof")) as opened:
        opened.warm()
        yield opened


def test_there_are_25_points_and_more() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS) >= 25


def test_a_process_killed_at_any_point_loses_nothing_and_repeats_nothing(stage: Theatre) -> None:
    run = play_kills(stage, KILLS, seed=2)

    assert run.faults() == []
    assert {name: t.missed for name, t in run.tallies.items() if t.kills < KILLS} == {}
    assert len(run.tallies) == len(POINTS)
    assert sum(tally.tasks for tally in run.tallies.values()) > KILLS


def test_s4_a_frozen_process_sends_nothing_after_its_lease_has_ended(stage: Theatre) -> None:
    points = tuple(point for point in FROZEN if point.name in FREEZES_AT)
    run = play_freezes(stage, points, 1)

    assert len(points) == len(FREEZES_AT)
    assert run.faults() == []
    assert sum(thaw.freezes for thaw in run.thaws.values()) == len(points)


def test_s4_while_the_lease_of_a_dead_process_lasts_nobody_else_sends(stage: Theatre) -> None:
    stage.curtain()
    stage.upset()
    dead = {"point": SENT, "signal": int(signal.SIGKILL), "lease_s": 30.0, "hold_s": 0.1}

    assert stage.play("dead", **dead) == "killed"
    stage.upset()
    assert stage.play("next", lease_s=30.0, hold_s=0.1) == "exit 0"
    assert {send["who"] for send in stage.sent()} == {"dead"}
    assert "lease_held" in json.dumps(stage.said("next"))


def test_every_fork_logs_in_by_itself(stage: Theatre) -> None:
    stage.curtain()
    before = stage.server.control.calls().calls.get("Login", 0)
    assert stage.play("one") == "exit 0"
    assert stage.server.control.calls().calls["Login"] > before
