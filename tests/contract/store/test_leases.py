"""Leases in every store, and what an intent is refused for: lease, pause, allowance (S4, S6, S8)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.model.errors import IntentRefused
from balancer.model.lease import Lease, Permit
from balancer.model.outcome import MoveState
from balancer.model.reasons import Reason
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import ANY_NUMBER, SHARD, begun, entry, permit_of, step
from tests.support.records import pause


def lease_of(store: Store, holder: str = "us", seconds: float = 0.0) -> Lease | None:
    at = NOON + timedelta(seconds=seconds)
    return store.take_lease(SHARD, holder, at=at, lasts_s=30.0)


def held(store: Store, holder: str = "us", seconds: float = 0.0) -> Lease:
    lease = lease_of(store, holder, seconds)
    assert lease is not None
    return lease


def why_refused(store: Store, permit: Permit, **facts: object) -> Reason:
    with pytest.raises(IntentRefused) as refused:
        store.begin(entry(2, **facts), permit)
    assert not [row for row in store.open_rows("vc1") if row.entry.vm == "vm-2"]
    return refused.value.refusal.reason


def test_a_lease_that_lasts_is_nobody_elses(store: Store) -> None:
    assert held(store).token == 1
    assert lease_of(store, "them", 29.9) is None
    assert held(store, "them", 30.0).token == 2


def test_a_holder_that_asks_again_gets_a_higher_token(store: Store) -> None:
    first = held(store)
    second = held(store)
    assert second.token > first.token
    with pytest.raises(IntentRefused, match="went to us"):
        store.renew_lease(first, at=NOON, lasts_s=30.0)


def test_a_renewed_lease_lasts_longer_under_the_same_token(store: Store) -> None:
    lease = held(store)
    renewed = store.renew_lease(lease, at=NOON + timedelta(seconds=10), lasts_s=30.0)
    assert renewed == replace(lease, expires_at=NOON + timedelta(seconds=40))
    assert lease_of(store, "them", 39.0) is None


def test_a_lease_given_back_is_free_at_once_and_its_token_is_not_used_again(store: Store) -> None:
    store.give_back(held(store))
    assert held(store, "them").token == 2


def test_an_old_lease_that_is_given_back_ends_no_newer_one(store: Store) -> None:
    old = held(store)
    held(store, "them", 31.0)
    store.give_back(old)
    assert lease_of(store, "us", 32.0) is None


def test_s4_an_intent_under_an_old_token_is_refused(store: Store) -> None:
    old = Permit(lease=held(store), allowance=ANY_NUMBER)
    held(store, "them", 31.0)
    assert why_refused(store, old) is Reason.LEASE_HELD


def test_s4_an_intent_after_the_leases_end_is_refused(store: Store) -> None:
    permit = Permit(lease=held(store), allowance=ANY_NUMBER)
    late = NOON + timedelta(seconds=30)
    assert why_refused(store, permit, intended_at=late) is Reason.LEASE_HELD


@pytest.mark.parametrize("scope", ["", "vc1", SHARD], ids=["all", "its vCenter", "its cluster"])
def test_s8_no_intent_follows_a_pause_until_it_is_resumed(store: Store, scope: str) -> None:
    permit = permit_of(store)
    store.pause(pause(scope, reason="storage"))
    assert why_refused(store, permit) is Reason.PAUSED
    store.resume(scope, by="bob", at=NOON)
    assert store.begin(entry(2), permit) > 0


@pytest.mark.parametrize("scope", ["vc2", "vc1/other", "vc"])
def test_a_pause_of_something_else_is_in_no_ones_way(store: Store, scope: str) -> None:
    permit = permit_of(store)
    store.pause(pause(scope))
    assert store.begin(entry(2), permit) > 0


@pytest.mark.parametrize(
    ("allowance", "reason"),
    [
        ({"open_in_vcenter": 1}, Reason.CLUSTER_SLOTS),
        ({"open_in_cluster": 1}, Reason.CLUSTER_SLOTS),
        ({"open_on_source": 1}, Reason.HOST_SLOTS),
        ({"open_on_target": 1}, Reason.HOST_SLOTS),
        ({"in_cycle": 1}, Reason.RUN_BUDGET),
        ({"in_hour": 1}, Reason.HOUR_BUDGET),
    ],
)
def test_s6_open_rows_count_against_every_allowance(
    store: Store, allowance: dict[str, int], reason: Reason
) -> None:
    begun(store, entry(1))
    permit = permit_of(store)
    assert why_refused(store, replace(permit, allowance=replace(ANY_NUMBER, **allowance))) is reason


def test_s6_a_vm_counts_its_moves_of_a_day_and_no_older_ones(store: Store) -> None:
    for hours in (30, 20):
        row = begun(store, entry(2, intended_at=NOON - timedelta(hours=hours)))
        store.advance(row, step(MoveState.DONE))
    permit = permit_of(store)
    one = replace(permit, allowance=replace(ANY_NUMBER, of_vm_in_day=1))
    two = replace(permit, allowance=replace(ANY_NUMBER, of_vm_in_day=2))
    assert why_refused(store, one) is Reason.VM_BUDGET
    assert store.begin(entry(2), two) > 0


def test_the_newest_lease_of_each_shard_can_be_looked_at(store: Store) -> None:
    assert store.leases() == ()
    first = held(store)
    other = store.take_lease("vc1/another", "them", at=NOON, lasts_s=30.0)
    assert (
        store.leases() == (other, first) if other and other.shard < first.shard else (first, other)
    )
    store.give_back(first)
    second = held(store, "them", 5.0)
    assert second in store.leases()
    assert first not in store.leases()
    assert [lease.shard for lease in store.leases()] == sorted({SHARD, "vc1/another"})
