"""What people ask for, in every store: pauses, evacuations, plans and decisions on them."""

from datetime import timedelta

import pytest

from balancer.model.errors import StoreError
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import SHARD
from tests.support.records import approval, evacuation, pause, stored_plan

LATER = NOON + timedelta(minutes=5)


def test_a_pause_lasts_until_its_own_scope_is_resumed(store: Store) -> None:
    everywhere, here = store.pause(pause("")), store.pause(pause(reason="r"))
    assert [p.id for p in store.pauses()] == [everywhere, here]
    (ended,) = store.resume(SHARD, by="bob", at=LATER)
    assert (ended.id, ended.ended_by, ended.ended_at) == (here, "bob", LATER)
    assert [p.id for p in store.pauses()] == [everywhere]
    assert store.resume(SHARD, by="bob", at=LATER) == ()


def test_a_host_is_asked_for_once_at_a_time(store: Store) -> None:
    first = store.ask_evacuation(evacuation())
    assert store.ask_evacuation(evacuation(reason="again")) == first
    store.end_evacuation(first, by="bob", at=LATER)
    assert store.evacuations(SHARD) == ()
    assert store.ask_evacuation(evacuation()) > first


def test_evacuations_are_shown_by_shard(store: Store) -> None:
    store.ask_evacuation(evacuation(1))
    store.ask_evacuation(evacuation(1, shard="vc1/other"))
    assert [e.shard for e in store.evacuations("")] == [SHARD, "vc1/other"]
    assert [e.host_name for e in store.evacuations(SHARD)] == ["esx1"]


@pytest.mark.parametrize("request_id", [0, 2, -1])
def test_no_evacuation_ends_that_does_not_last(store: Store, request_id: int) -> None:
    store.end_evacuation(store.ask_evacuation(evacuation()), by="bob", at=LATER)
    with pytest.raises(StoreError, match="no evacuation"):
        store.end_evacuation(request_id, by="bob", at=LATER)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("2", 2),
        ("abc", 3),
        ("ab", 3),
        ("p-7", 1),
        ("p-", 3),
        ("AB", None),
        ("", None),
        ("4", None),
        ("%", None),
        ("9" * 30, None),
    ],
)
def test_a_plan_is_found_by_number_digest_id_or_their_beginning(
    store: Store, key: str, found: int | None
) -> None:
    store.keep_plan(stored_plan("abx", plan_id="p-7"))
    store.keep_plan(stored_plan("abc"))
    store.keep_plan(stored_plan("abc"))
    plan = store.find_plan(key)
    assert (plan and plan.id) == found


def test_a_plans_document_comes_back(store: Store) -> None:
    store.keep_plan(stored_plan(document="x" * 100_000 + "é"))
    plan = store.find_plan("d1")
    assert plan is not None
    assert plan.document == "x" * 100_000 + "é"


def test_the_last_plans_come_newest_first(store: Store) -> None:
    for shard in (SHARD, "vc1/other", SHARD):
        store.keep_plan(stored_plan(shard=shard))
    assert [p.id for p in store.plans(SHARD, last=5)] == [3, 1]
    assert [p.id for p in store.plans("", last=2)] == [3, 2]
    assert store.plans("", last=0) == ()


def test_an_approval_is_used_once(store: Store) -> None:
    plan = store.keep_plan(stored_plan())
    store.approve(approval(plan))
    used = store.take_approval(SHARD, at=LATER)
    assert used is not None
    assert (used[0].used_at, used[1].id) == (LATER, plan)
    assert store.take_approval(SHARD, at=LATER) is None


@pytest.mark.parametrize(
    "facts",
    [{"rejected": True}, {"expires_at": LATER}, {"shard": "vc1/other"}],
    ids=["rejected", "expired", "another cluster"],
)
def test_what_is_no_live_approval_is_not_used(store: Store, facts: dict[str, object]) -> None:
    store.approve(approval(store.keep_plan(stored_plan()), **facts))
    assert store.take_approval(SHARD, at=LATER) is None


def test_a_plan_is_decided_on_once(store: Store) -> None:
    plan = store.keep_plan(stored_plan())
    store.approve(approval(plan, rejected=True, reason="no"))
    with pytest.raises(StoreError, match="decided on already"):
        store.approve(approval(plan))
    assert [a.rejected for a in store.approvals("", last=5)] == [True]


def test_what_is_no_plan_is_not_decided_on(store: Store) -> None:
    with pytest.raises(StoreError, match="no plan 7"):
        store.approve(approval(7))
