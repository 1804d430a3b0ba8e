"""What the journal says between cycles reaches the metrics: whose lease, and which plans wait for whom."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.approvals import approve, find_plan, reject
from balancer.control import By
from balancer.expose.document import document_text, plan_document
from balancer.keeping import stored
from balancer.model.control import StoredPlan
from balancer.model.errors import StoreError
from balancer.model.reasons import Reason, Refusal
from balancer.standing import Standing, Subject
from tests.support.builders import NOON
from tests.unit.expose.board import Board, StillClock
from tests.unit.expose.plans import small_plan, small_snapshot

SHARD = "vc1/prod"
APPROVAL_S = 600.0


class Desk:
    """A standing over a store in memory with one cluster."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.board = Board()
        self.standing = Standing(self.store, StillClock(), "us")

    def look(self) -> None:
        subject = Subject(metrics=self.board.cluster, approval_s=lambda: APPROVAL_S)
        self.standing.look({SHARD: subject})

    def keep(self, **facts: object) -> StoredPlan:
        """Keep a plan that waits, as a cycle that ended leaves it."""
        waits = Refusal.of(Reason.NOT_APPROVED, "manual mode")
        made = small_plan(refusals=(waits,), created_at=NOON)
        plan = replace(stored(made, small_snapshot(), SHARD), **facts)
        number = self.store.keep_plan(plan)
        self.board.end(made)
        return replace(plan, id=number)

    def pending(self) -> float:
        self.look()
        return self.board.value("plan_approvals_pending")


def test_the_newest_lease_says_who_leads() -> None:
    desk = Desk()
    desk.look()
    assert desk.board.series("leader") == {}
    lease = desk.store.take_lease(SHARD, "us", at=NOON, lasts_s=30.0)
    assert lease is not None
    desk.look()
    assert desk.board.value("leader") == 1.0
    desk.store.give_back(lease)
    desk.look()
    assert desk.board.value("leader") == 1.0  # nobody else has had it since
    assert desk.store.take_lease(SHARD, "them", at=NOON, lasts_s=30.0)
    desk.look()
    assert (desk.board.value("leader"), desk.board.value("leader_transitions_total")) == (0.0, 1.0)


def test_leases_of_clusters_that_are_not_watched_are_passed_over() -> None:
    desk = Desk()
    desk.store.take_lease("vc1/other", "us", at=NOON, lasts_s=30.0)
    desk.look()
    assert desk.board.series("leader") == {}


def test_a_plan_that_waits_is_counted_until_somebody_decides() -> None:
    desk = Desk()
    assert desk.pending() == 0.0
    first, second = desk.keep(), desk.keep(digest="f" * 64)
    assert desk.pending() == 2.0
    by = By(actor="ann", at=NOON, reason="")
    approve(desk.store, find_plan(desk.store, str(first.id), lasts_s=APPROVAL_S), by)
    assert desk.pending() == 1.0
    reject(desk.store, find_plan(desk.store, str(second.id), lasts_s=APPROVAL_S), by)
    assert desk.pending() == 0.0


def test_the_same_plan_made_again_waits_once() -> None:
    desk = Desk()
    desk.keep()
    desk.keep()
    assert desk.pending() == 1.0


def test_a_plan_that_is_too_old_and_one_that_waits_for_nobody_do_not_count() -> None:
    desk = Desk()
    desk.keep(made_at=NOON - timedelta(seconds=APPROVAL_S))
    quiet = small_plan(refusals=())
    desk.keep(digest="e" * 64, document=document_text(plan_document(quiet, small_snapshot())))
    assert desk.pending() == 0.0


def test_plans_are_read_again_only_after_a_cycle_or_a_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, reads = Desk(), []
    real = desk.store.plans
    monkeypatch.setattr(desk.store, "plans", lambda *a, **k: reads.append(1) or real(*a, **k))
    for _ in range(5):
        desk.look()
    assert len(reads) == 1
    desk.keep()
    desk.look()
    desk.look()
    assert len(reads) == 2


def test_a_journal_that_cannot_be_read_is_no_reason_to_fail() -> None:
    class Broken(MemoryStore):
        def leases(self):
            raise StoreError("disk full")

    desk = Desk(Broken())
    desk.look()
    assert desk.board.series("leader") == {}
