"""Which events are worth a notice, how each reads, and that each thing is told once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from balancer.expose.notices import FAILURES_IN_ROW, Herald
from balancer.model.events import (
    CycleEnded,
    CycleFailed,
    Event,
    MoveEnded,
    PastReviewed,
    SnapshotTaken,
    VerdictGiven,
)
from balancer.model.notice import Notice, NoticeKind, Severity
from balancer.model.outcome import FailureKind, MoveOutcome, MoveState
from balancer.model.past import Breaker, Past, VerdictResult
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from tests.support.builders import NOON
from tests.support.fakes import FakeClock
from tests.support.records import verdict
from tests.unit.expose.plans import move, plan, small_snapshot

OPEN = Breaker(
    level=1, since=NOON, until=NOON + timedelta(minutes=30), cause="3 failed", is_open=True
)
WAITS = Refusal.of(Reason.NOT_APPROVED, "nobody approved this plan")


class Told(list[Notice]):
    """The notices of a herald that has heard some events."""

    def __init__(self, *events: Event) -> None:
        super().__init__()
        self.herald = Herald("main", "prod-a", clock=FakeClock(), tell=self.append)
        for event in events:
            self.herald.tell(event)

    @property
    def kinds(self) -> list[NoticeKind | None]:
        return [notice.kind for notice in self]


def reviewed(breaker: Breaker | None = None, *closed: Refusal) -> PastReviewed:
    return PastReviewed(past=Past(breaker=breaker or Breaker()), closed=closed, at=NOON)


def ended(state: MoveState = MoveState.FAILED, **facts: Any) -> MoveEnded:
    outcome = MoveOutcome(move=move(1, 1, 1, 2), state=state, **facts)
    return MoveEnded(outcome=outcome, at=NOON)


def cycle(made: Plan | None = None, held: Refusal | None = None) -> CycleEnded:
    return CycleEnded(plan=made or plan(small_snapshot()), outcomes=(), phase_seconds={}, held=held)


def failed() -> CycleFailed:
    return CycleFailed(why="vCenter main: no route to host", at=NOON)


def waiting(*targets: int, seconds: float = 0.0) -> Plan:
    moves = [move(number, number, 1, target) for number, target in enumerate(targets, start=1)]
    made = plan(small_snapshot(), moves, refusals=(WAITS,))
    return replace(made, created_at=made.created_at + timedelta(seconds=seconds))


def test_a_plan_that_waits_is_told_with_the_command_that_approves_it() -> None:
    (told,) = Told(cycle(waiting(2)))
    facts = dict(told.facts)
    assert (told.kind, told.severity) == (NoticeKind.PLAN_WAITS, Severity.INFO)
    assert told.text.startswith("Plan: 1 move in 1 wave")
    assert told.text.endswith(f"To approve: balancer approve {facts['digest'][:12]}")


def test_the_same_moves_planned_anew_are_not_told_again() -> None:
    again = waiting(2, seconds=300.0)
    assert len(Told(cycle(waiting(2)), cycle(again), cycle(again))) == 1


def test_other_moves_and_those_that_come_back_are_told() -> None:
    assert len(Told(cycle(waiting(2)), cycle(waiting(2, 2)))) == 2
    assert len(Told(cycle(waiting(2)), cycle(), cycle(waiting(2, seconds=600.0)))) == 2


def test_a_plan_that_waits_for_nobody_is_not_told() -> None:
    assert Told(cycle(plan(small_snapshot(), [move(1, 1, 1, 2)]))) == []


def test_a_failed_migration_is_told_with_names_and_fault() -> None:
    snap = small_snapshot()
    event = SnapshotTaken(snapshot=snap, state=plan(snap).before, asked_at=NOON)
    (told,) = Told(
        event, ended(fault="Timedout", detail="took too long", kind=FailureKind.TRANSIENT)
    )
    assert told.text == "vm1 from esx1 to esx2 failed with Timedout: took too long"
    assert told.severity is Severity.WARNING


@pytest.mark.parametrize("kind", [FailureKind.STOP, FailureKind.STOP_CLUSTER, FailureKind.UNMAPPED])
def test_a_failure_that_a_person_must_look_into_is_an_error(kind: FailureKind) -> None:
    told = Told(ended(fault="NoPermission", kind=kind))
    assert told.kinds == [NoticeKind.MIGRATION_FAILED, NoticeKind.CLUSTER_STOPPED]
    assert told[1].severity is Severity.ERROR
    assert "NoPermission" in told[1].text


@pytest.mark.parametrize("state", [MoveState.DONE, MoveState.ABORTED, MoveState.EXTERNAL])
def test_what_did_not_fail_is_not_told(state: MoveState) -> None:
    assert Told(ended(state)) == []


def test_a_breaker_is_told_when_it_opens_and_when_it_closes() -> None:
    told = Told(reviewed(), reviewed(OPEN), reviewed(OPEN), reviewed(), reviewed())
    assert told.kinds == [NoticeKind.BREAKER_OPENED, NoticeKind.BREAKER_CLOSED]
    assert told[0].text.startswith("3 failed. Open until 2026-11-22 12:30 UTC")


def test_a_breaker_that_opens_again_is_told_again() -> None:
    later = replace(OPEN, level=2, since=NOON + timedelta(minutes=31))
    assert len(Told(reviewed(OPEN), reviewed(later))) == 2


def test_a_breaker_found_open_at_the_start_is_told() -> None:
    assert Told(reviewed(OPEN)).kinds == [NoticeKind.BREAKER_OPENED]


def test_a_batch_that_made_it_worse_is_told_and_no_other() -> None:
    worse = verdict(result=VerdictResult.WORSE, judged_at=NOON)
    better = verdict(result=VerdictResult.BETTER, judged_at=NOON)
    told = Told(VerdictGiven(verdict=worse), VerdictGiven(verdict=better))
    assert told.kinds == [NoticeKind.VERDICT_WORSE]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (Reason.VERDICTS_WORSE, NoticeKind.FELL_BACK),
        (Reason.CLUSTER_CONTENDED, NoticeKind.CLUSTER_STOPPED),
    ],
)
def test_what_lasts_until_a_person_acts_is_told_once_with_the_command(
    reason: Reason, kind: NoticeKind
) -> None:
    closed = reviewed(None, Refusal.of(reason, "so it is"))
    told = Told(closed, closed, reviewed(), closed)
    assert told.kinds == [kind, kind]
    assert told[0].text == "so it is. To go on: balancer resume --cluster main/prod-a"


def test_acting_that_is_withheld_is_told_once() -> None:
    held = Refusal.of(Reason.DRS_AUTOMATED, "DRS moves VMs by itself here")
    told = Told(cycle(held=held), cycle(held=held), cycle(), cycle(held=held))
    assert told.kinds == [NoticeKind.CLUSTER_STOPPED] * 2


def test_cycles_that_fail_in_a_row_are_told_once_and_so_is_their_end() -> None:
    told = Told(*[failed()] * (FAILURES_IN_ROW + 5), cycle(), cycle())
    assert told.kinds == [NoticeKind.CYCLES_FAIL, NoticeKind.CYCLES_WORK]
    assert told[0].text == "vCenter main: no route to host"
    assert told[1].text == "After 8 failures in a row"


def test_a_cycle_that_fails_now_and_then_is_not_told() -> None:
    assert Told(failed(), failed(), cycle(), failed(), failed(), cycle()) == []


def test_a_foreign_error_of_any_length_is_cut() -> None:
    (told,) = Told(*[CycleFailed(why="x" * 10**6, at=NOON)] * FAILURES_IN_ROW)
    assert len(told.text) == 600
