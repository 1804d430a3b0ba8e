"""After-action reports from the journal: rows, verdicts, kept plans and refusals put together, batch by batch."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.aftermath import Asked, look_back
from balancer.execute.chronicle import none_sent, not_sent
from balancer.keeping import stored
from balancer.model.aftermath import Aftermath
from balancer.model.errors import BalancerError
from balancer.model.outcome import MoveState
from balancer.model.past import VerdictResult
from balancer.model.reasons import Reason, Refusal
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, SHARD, begun, entry, step
from tests.support.records import verdict
from tests.unit.expose.plans import small_plan, small_snapshot

PLAN = small_plan()
LATER = NOON + timedelta(hours=2)
NO_SLOT = Refusal.of(Reason.PAUSED, "paused by ann")


def journal() -> MemoryStore:
    """Return a journal of two batches: the first of a kept plan, judged, the second of none, never noted."""
    store = MemoryStore()
    store.keep_plan(stored(PLAN, small_snapshot(), SHARD))
    facts = {"cycle_id": "c-1", "plan_id": PLAN.id, "expected_seconds": 20.0}
    first = begun(store, entry(1, **facts))
    store.advance(first, step(MoveState.SUBMITTED, 1.0, task="t1"))
    store.advance(first, step(MoveState.DONE, 31.0))
    second = begun(store, entry(2, **facts))
    store.advance(second, step(MoveState.SUBMITTED, 2.0, task="t2"))
    store.advance(second, step(MoveState.FAILED, 7.0, fault="Timedout", detail="no answer"))
    told = {"cycle_id": "c-1", "shard": SHARD, "at": NOON}
    store.note(not_sent(PLAN, PLAN.moves[0], NO_SLOT, **told))
    store.note(none_sent(PLAN, 2, NO_SLOT, **told))
    store.note(none_sent(PLAN, 9, NO_SLOT, cycle_id="c-other", shard=SHARD, at=NOON))
    seen = {"cluster": CLUSTER, "plan_id": PLAN.id, "predicted_gain": 0.04, "measured_gain": 0.03}
    store.put_verdict(verdict("c-1", result=VerdictResult.BETTER, **seen))
    begun(store, entry(3, cycle_id="c-2", plan_id="gone", intended_at=LATER))
    return store


def report(store: Store, **asked: object) -> Aftermath:
    return look_back(store, Asked(shards=(SHARD,), now=LATER, **asked))  # type: ignore[arg-type]


def test_a_batch_has_its_moves_with_names_verdict_promise_and_what_was_not_sent() -> None:
    (batch,) = report(journal(), batch="c-1").batches
    assert [(one.record.state, one.record.seconds) for one in batch.done] == [
        (MoveState.DONE, 30.0),
        (MoveState.FAILED, 5.0),
    ]
    assert (batch.done[0].source_name, batch.done[0].target_name) == ("esx1", "esx2")
    assert batch.result is VerdictResult.BETTER
    assert batch.plan_number == 1
    assert batch.promise is not None
    assert batch.promise.imbalance == pytest.approx(PLAN.before.imbalance)
    assert [(one.vm_name, one.moves) for one in batch.not_sent] == [("vm9", 1), ("", 2)]
    assert batch.lasted_s == 30.0


def test_sums_count_each_state_and_time_only_what_was_made() -> None:
    totals = report(journal()).totals
    assert totals.states == {MoveState.DONE: 1, MoveState.FAILED: 1, MoveState.INTENT: 1}
    assert (totals.made, totals.not_sent, totals.timed) == (1, 3, 1)
    assert totals.pace == pytest.approx(30.0 / 20.0)
    assert totals.realized == pytest.approx(0.75)
    assert totals.results == {VerdictResult.BETTER: 1, VerdictResult.PENDING: 1}


def test_a_batch_without_a_verdict_is_pending_till_it_ends_and_what_is_not_known_is_none() -> None:
    (batch,) = report(journal(), batch="c-2").batches
    assert (batch.verdict, batch.promise, batch.plan_number, batch.lasted_s) == (None,) * 4
    assert batch.result is VerdictResult.PENDING
    assert replace(batch, ended_at=LATER).result is VerdictResult.UNKNOWN
    assert batch.done[0].source_name == "host-1"
    assert batch.done[0].downtime_s is None


@pytest.mark.parametrize(
    ("asked", "batches"),
    [
        pytest.param({}, ["c-1", "c-2"], id="everything, oldest first"),
        pytest.param({"since": NOON + timedelta(hours=1)}, ["c-2"], id="since"),
        pytest.param({"plan": "1"}, ["c-1"], id="plan by number"),
        pytest.param({"plan": PLAN.id[:8]}, ["c-1"], id="plan by the beginning of its id"),
        pytest.param({"plan": "gone"}, ["c-2"], id="a plan that is not kept"),
        pytest.param({"only": SHARD}, ["c-1", "c-2"], id="one cluster"),
        pytest.param({"only": "vc1/other"}, [], id="a cluster without plans"),
    ],
)
def test_what_is_asked_for_is_what_is_told(asked: dict[str, object], batches: list[str]) -> None:
    assert [batch.batch for batch in report(journal(), **asked).batches] == batches


def test_rows_of_a_cluster_that_is_not_configured_any_more_are_told_by_its_id() -> None:
    done = look_back(journal(), Asked(shards=(), now=LATER))
    assert {batch.shard for batch in done.batches} == {f"vc1/{CLUSTER}"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        pytest.param(
            {"batch": "c-9"}, "no moves of batch 'c-9'. The newest batches are c-2, c-1", id="batch"
        ),
        pytest.param({"plan": "zz"}, "no moves of plan 'zz'", id="plan"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(asked: dict[str, str], told: str) -> None:
    with pytest.raises(BalancerError, match=told):
        report(journal(), **asked)


def test_a_plan_of_which_nothing_was_sent_is_told_so() -> None:
    store = MemoryStore()
    store.keep_plan(stored(PLAN, small_snapshot(), SHARD))
    with pytest.raises(BalancerError, match=r"Nothing of plan 1 .* was sent"):
        report(store, plan="1")


def test_the_beginning_of_a_name_that_fits_two_batches_is_refused() -> None:
    store = journal()
    for cycle in ("20261122-1", "20261122-2"):
        row = begun(store, entry(7, cycle_id=cycle, intended_at=LATER))
        store.advance(row, step(MoveState.ABORTED, 7300.0))
    with pytest.raises(BalancerError, match=r"names of 2 batches begin with '2026'"):
        report(store, batch="2026")
    assert report(store, batch="20261122-2").batches[0].batch == "20261122-2"


def test_an_empty_journal_has_an_empty_report() -> None:
    assert report(MemoryStore()).batches == ()
