"""What is over for long is dropped, in every store; what is open never is."""

from datetime import timedelta

import pytest

from balancer.model.errors import StoreError
from balancer.model.outcome import MoveState, RowQuery
from balancer.model.past import VerdictResult
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, begun, entry, step
from tests.support.records import (
    VC,
    approval,
    disturbance,
    evacuation,
    foreign_move,
    pause,
    quarantine,
    stored_plan,
    verdict,
)

LATER = NOON + timedelta(days=100)
LONG_AGO = NOON - timedelta(days=100)


def test_ended_moves_go_with_their_steps_and_open_ones_stay(store: Store) -> None:
    over, is_open, newest = (begun(store, entry(number)) for number in (1, 2, 3))
    for row in (over, newest):
        store.advance(row, step(MoveState.DONE))
    assert store.forget(NOON) == 0
    assert store.forget(LATER) == 3
    assert [row.id for row in store.find_rows(RowQuery())] == [is_open, newest]
    assert store.steps_of(over) == ()
    assert len(store.steps_of(newest)) == 2
    assert store.verify_audit().entries == 5


def test_no_number_comes_twice(store: Store) -> None:
    store.advance(begun(store, entry(1)), step(MoveState.DONE))
    store.advance(begun(store, entry(2)), step(MoveState.DONE))
    store.forget(LATER)
    assert begun(store, entry(3)) == 3


def test_a_dropped_row_cannot_advance(store: Store) -> None:
    store.advance(begun(store, entry(1)), step(MoveState.DONE))
    begun(store, entry(2))
    store.forget(LATER)
    with pytest.raises(StoreError, match="no row 1"):
        store.advance(1, step(MoveState.DONE))


def test_what_people_asked_for_goes_once_it_is_over(store: Store) -> None:
    store.pause(pause())
    store.resume(pause().shard, by="bob", at=NOON)
    store.end_evacuation(store.ask_evacuation(evacuation(1)), by="bob", at=NOON)
    for number in (1, 2):
        store.pause(pause(f"vc{number}"))
        store.ask_evacuation(evacuation(number))
    assert store.forget(LATER) == 2
    assert len(store.pauses()) == len(store.evacuations("")) == 2


def test_plans_go_with_their_decisions(store: Store) -> None:
    for facts in ({}, {"rejected": True}, {"expires_at": LATER + timedelta(days=1)}, {}):
        store.approve(approval(store.keep_plan(stored_plan()), **facts))
    for _ in range(2):
        store.keep_plan(stored_plan())
    assert store.forget(LATER) == 5
    assert [a.plan for a in store.approvals("", last=9)] == [4, 3]
    assert [p.id for p in store.plans("", last=9)] == [6, 4, 3]


def test_what_was_learnt_goes_but_for_batches_that_are_not_judged(store: Store) -> None:
    for number in (1, 2):
        store.put_quarantine(quarantine(number))
        store.note_foreign_move(foreign_move(number))
        store.note_disturbance(disturbance())
    store.put_verdict(verdict("c1", result=VerdictResult.WORSE))
    store.put_verdict(verdict("c2"))
    store.put_verdict(verdict("c3", result=VerdictResult.BETTER))
    assert store.forget(LATER) == 4
    past = store.past(VC, CLUSTER, LONG_AGO)
    assert [v.cycle_id for v in past.verdicts] == ["c2", "c3"]
    assert len(past.quarantines) == len(past.foreign_moves) == len(past.disturbances) == 1
