"""Leases, plans that wait, progress, why a vCenter fails, proven gaps: each figure is what was told."""

from datetime import datetime, timedelta

import pytest

from balancer.expose.metric_labels import CAUSES
from balancer.model.errors import (
    CredentialsUnreadable,
    LoginRefused,
    SourceAnswerInvalid,
    SourceError,
    SourceUnreachable,
    UntrustedCertificate,
)
from balancer.model.events import CycleFailed
from tests.support.builders import NOON
from tests.unit.expose.board import BOUND, Board, StillClock
from tests.unit.expose.plans import small_plan, small_snapshot


class MovingClock(StillClock):
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


def test_whose_lease_it_is_is_not_known_before_there_is_one() -> None:
    assert Board().series("leader") == {}


def test_a_lease_that_goes_to_another_holder_and_back_is_two_transitions() -> None:
    board = Board()
    board.cluster.led_by("us", is_us=True)
    board.cluster.led_by("us", is_us=True)
    assert (board.value("leader"), board.value("leader_transitions_total")) == (1.0, 0.0)
    board.cluster.led_by("them", is_us=False)
    assert (board.value("leader"), board.value("leader_transitions_total")) == (0.0, 1.0)
    board.cluster.led_by("us", is_us=True)
    assert (board.value("leader"), board.value("leader_transitions_total")) == (1.0, 2.0)


def test_a_plan_waits_until_it_expires_or_is_decided_on() -> None:
    clock = MovingClock()
    board = Board(clock)
    assert board.value("plan_approvals_pending") == 0.0
    board.cluster.awaiting({"d1": NOON + timedelta(minutes=5), "d2": NOON + timedelta(minutes=9)})
    assert board.value("plan_approvals_pending") == 2.0
    clock.at = NOON + timedelta(minutes=5)
    assert board.value("plan_approvals_pending") == 1.0
    board.cluster.awaiting({})
    assert board.value("plan_approvals_pending") == 0.0


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda board: board.cluster.cycle_scheduled(NOON), id="a cycle begins"),
        pytest.param(lambda board: board.show(small_snapshot()), id="it reads and plans"),
        pytest.param(lambda board: board.cluster.cycle_failed(), id="it fails"),
        pytest.param(
            lambda board: board.cluster.tell(CycleFailed(why="x", at=NOON)), id="that is told"
        ),
    ],
)
def test_progress_is_the_last_time_that_a_loop_did_something(step) -> None:
    clock = MovingClock()
    board = Board(clock)
    assert board.series("last_progress_timestamp_seconds") == {}
    clock.at = NOON + timedelta(seconds=90)
    step(board)
    clock.at = NOON + timedelta(seconds=500)
    assert board.value("last_progress_timestamp_seconds") == NOON.timestamp() + 90.0


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (LoginRefused("x"), "login_refused"),
        (UntrustedCertificate("x"), "certificate"),
        (CredentialsUnreadable("x"), "credentials_unreadable"),
        (SourceAnswerInvalid("x"), "answer_invalid"),
        (SourceUnreachable("x"), "unreachable"),
        (SourceError("x"), "other"),
    ],
)
def test_a_vcenter_fails_for_one_cause_until_it_answers(error: SourceError, cause: str) -> None:
    board = Board()
    board.cluster.cycle_failed(error)
    failing = board.series("vcenter_failing")
    assert {key for key, value in failing.items() if value} == {(cause,)}
    assert set(failing) == {(word,) for word in (*CAUSES.values(), "other")}
    board.show(small_snapshot())
    assert set(board.series("vcenter_failing").values()) == {0.0}


def test_the_gaps_of_the_newest_plan_are_those_that_it_carries() -> None:
    board = Board()
    made = small_plan(makespan_seconds=30.0, makespan_bound_seconds=20.0, bound=BOUND)
    board.show(small_snapshot(), made)
    assert board.value("plan_makespan_gap_ratio") == pytest.approx(0.5)
    assert board.value("plan_optimality_gap_ratio") == 0.125


def test_a_plan_without_a_bound_has_no_gap_to_show() -> None:
    board = Board()
    board.show(small_snapshot(), small_plan(bound=BOUND))
    board.show(small_snapshot())
    assert board.series("plan_optimality_gap_ratio") == {}
    assert board.value("plan_makespan_gap_ratio") == 0.0


def test_notifications_and_failures_of_the_journal_are_counted() -> None:
    board = Board()
    board.metrics.notified("slack", "sent")
    board.metrics.notified("slack", "sent")
    board.metrics.notified("not a word", "failed")
    counted = {("slack", "sent"): 2.0, ("other", "failed"): 1.0}
    assert board.series("notifications_total") == counted
    board.metrics.store_failed()
    assert board.value("store_errors_total") == 1.0


def test_cycles_that_ended_are_counted_for_whoever_looks_at_their_plans() -> None:
    board = Board()
    board.show(small_snapshot())
    assert board.cluster.cycles_ended == 0
    board.end(small_plan())
    assert board.cluster.cycles_ended == 1
