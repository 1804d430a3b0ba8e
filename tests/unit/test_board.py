"""What the board keeps of each cluster, and what it forgets."""

from dataclasses import replace
from datetime import timedelta

from balancer.board import NOTHING_SEEN, Board
from balancer.model.events import (
    CycleEnded,
    CycleFailed,
    MoveEnded,
    MoveProgressed,
    PastReviewed,
    PlanMade,
    SnapshotTaken,
)
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.past import Past
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.asking import uneven
from tests.support.builders import NOON
from tests.support.fakes import FakeClock

SHARD = "vc1/prod"
SNAP = uneven()
PLAN = plan_snapshot(SNAP, Policy(), settings=PlanSettings())


def board() -> Board:
    made = Board(FakeClock(), [SHARD])
    listener = made.listener(SHARD)
    listener.tell(PastReviewed(past=Past(), closed=(), at=NOON))
    listener.tell(SnapshotTaken(snapshot=SNAP, state=PLAN.before, asked_at=NOON))
    listener.tell(PlanMade(plan=PLAN))
    return made


def test_the_newest_of_each_kind_is_kept() -> None:
    made = board()
    made.listener(SHARD).tell(CycleEnded(plan=PLAN, outcomes=(), phase_seconds={}))
    seen = made.seen(SHARD)
    assert (seen.snapshot, seen.plan, seen.past) == (SNAP, PLAN, Past())
    assert seen.ended is not None
    assert (seen.ended.at, seen.ended.sent) == (NOON, 0)


def test_an_approved_plan_does_not_take_the_place_of_the_one_made_from_the_snapshot() -> None:
    made, approved = board(), replace(PLAN, id="older", moves=PLAN.moves[:1])
    made.listener(SHARD).tell(PlanMade(plan=approved))
    made.listener(SHARD).tell(CycleEnded(plan=approved, outcomes=(), phase_seconds={}))
    assert made.seen(SHARD).plan is PLAN
    ended = made.seen(SHARD).ended
    assert ended is not None
    assert ended.plan is approved


def test_a_plan_is_never_shown_beside_the_snapshot_of_another() -> None:
    made, later = board(), replace(SNAP, taken_at=NOON + timedelta(minutes=5))
    made.listener(SHARD).tell(SnapshotTaken(snapshot=later, state=PLAN.before, asked_at=NOON))
    assert made.seen(SHARD).plan is None


def test_a_failure_is_told_until_a_cycle_ends_well() -> None:
    made = board()
    listener = made.listener(SHARD)
    listener.tell(CycleFailed(why="no answer", at=NOON))
    failure = made.seen(SHARD).failure
    assert failure is not None
    assert failure.why == "no answer"
    assert made.seen(SHARD).snapshot is SNAP
    listener.tell(CycleEnded(plan=PLAN, outcomes=(), phase_seconds={}))
    assert made.seen(SHARD).failure is None


def test_progress_is_that_of_the_migrations_that_run() -> None:
    made, (first, second, *_) = board(), PLAN.moves
    listener = made.listener(SHARD)
    for percent in (10, 40):
        listener.tell(MoveProgressed(move=first, progress_percent=percent))
    listener.tell(MoveProgressed(move=second, progress_percent=5))
    assert dict(made.seen(SHARD).progress) == {first.vm: 40, second.vm: 5}
    listener.tell(MoveEnded(outcome=MoveOutcome(move=first, state=MoveState.DONE), at=NOON))
    assert dict(made.seen(SHARD).progress) == {second.vm: 5}


def test_a_cluster_that_is_gone_is_forgotten_and_not_heard_any_more() -> None:
    made = board()
    listener = made.listener(SHARD)
    made.keep(["vc1/other"])
    listener.tell(PlanMade(plan=PLAN))
    assert made.seen(SHARD) is NOTHING_SEEN
    made.keep(["vc1/other", SHARD])
    assert made.seen(SHARD) is NOTHING_SEEN
