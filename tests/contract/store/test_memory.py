"""What is learnt of clusters, in every store."""

from datetime import timedelta

import pytest

from balancer.model.outcome import MoveState
from balancer.model.past import Breaker, Past, VerdictResult
from balancer.model.units import HostId
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, begun, entry, step
from tests.support.records import OTHER, VC, disturbance, foreign_move, quarantine, verdict

DAY = timedelta(days=1)


def test_the_first_day_has_no_past(store: Store) -> None:
    assert store.past(VC, CLUSTER, NOON) == Past()


def test_the_past_is_that_of_one_cluster_and_not_older_than_asked_for(store: Store) -> None:
    for cluster, at in ((CLUSTER, NOON), (CLUSTER, NOON - DAY), (OTHER, NOON)):
        store.put_quarantine(
            quarantine(at.day + len(cluster), cluster=cluster, subject=str(at) + cluster, until=at)
        )
        store.note_foreign_move(
            foreign_move(
                at.day + len(cluster), cluster=cluster, seen_at=at, target=HostId(f"{cluster}{at}")
            )
        )
        store.note_disturbance(disturbance(cluster=cluster, at=at))
        store.put_verdict(verdict(f"{cluster}{at}", cluster=cluster, ended_at=at))
    past = store.past(VC, CLUSTER, NOON)
    assert [q.until for q in past.quarantines] == [NOON]
    assert [m.seen_at for m in past.foreign_moves] == [NOON]
    assert [d.at for d in past.disturbances] == [NOON]
    assert [v.ended_at for v in past.verdicts] == [NOON]


def test_open_rows_belong_to_the_past_however_old(store: Store) -> None:
    old = NOON - 40 * DAY
    begun(store, entry(1, intended_at=old))
    store.advance(begun(store, entry(2, intended_at=old)), step(MoveState.DONE))
    assert [row.entry.vm for row in store.past(VC, CLUSTER, NOON).rows] == ["vm-1"]


def test_one_cause_brings_one_quarantine(store: Store) -> None:
    store.put_quarantine(quarantine(1, level=1))
    store.put_quarantine(quarantine(1, level=2))
    store.put_quarantine(quarantine(2, level=2))
    assert [q.level for q in store.past(VC, CLUSTER, NOON).quarantines] == [1, 2]


def test_a_foreign_move_is_kept_once(store: Store) -> None:
    for _ in range(2):
        store.note_foreign_move(foreign_move())
    assert len(store.past(VC, CLUSTER, NOON).foreign_moves) == 1


def test_the_breaker_is_as_it_was_put_last(store: Store) -> None:
    opened = Breaker(level=1, since=NOON, until=NOON + DAY, cause="3 in a row", is_open=True)
    store.put_breaker(VC, CLUSTER, opened, at=NOON)
    store.put_breaker(VC, OTHER, Breaker(counted_to=3), at=NOON)
    assert store.past(VC, CLUSTER, NOON).breaker == opened
    store.put_breaker(VC, CLUSTER, Breaker(counted_to=9), at=NOON)
    assert store.past(VC, CLUSTER, NOON).breaker == Breaker(counted_to=9)


def test_a_batch_has_one_verdict(store: Store) -> None:
    store.put_verdict(verdict("c1"))
    store.put_verdict(verdict("c2"))
    store.put_verdict(verdict("c1", result=VerdictResult.WORSE, measured_gain=-0.1, judged_at=NOON))
    first, second = store.past(VC, CLUSTER, NOON).verdicts
    assert (first.result, first.measured_gain) == (VerdictResult.WORSE, -0.1)
    assert second.result is VerdictResult.PENDING


@pytest.mark.parametrize("result", VerdictResult)
def test_what_is_judged_is_acknowledged_once(store: Store, result: VerdictResult) -> None:
    store.put_verdict(verdict(result=result))
    expected = 0 if result is VerdictResult.PENDING else 1
    assert store.acknowledge_verdicts(VC, OTHER, by="ann", at=NOON) == 0
    assert store.acknowledge_verdicts(VC, CLUSTER, by="ann", at=NOON) == expected
    assert store.acknowledge_verdicts(VC, CLUSTER, by="bob", at=NOON) == 0
    (kept,) = store.past(VC, CLUSTER, NOON).verdicts
    assert kept.acknowledged_by == ("ann" if expected else "")
