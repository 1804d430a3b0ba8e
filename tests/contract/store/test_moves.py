"""The moves in every journal: what `ports.Journal` promises, in memory and on disk."""

import threading
from datetime import datetime, timedelta, timezone

import pytest

from balancer.model.errors import RowOpen, StoreError
from balancer.model.outcome import FailureKind, JournalStep, MoveState, RowQuery
from balancer.model.units import ClusterId
from balancer.ports import Store
from tests.support.builders import NOON
from tests.support.journal import CLUSTER, begun, entry, permit_of, step

OPEN = [state for state in MoveState if state.is_open]
ENDED = [state for state in MoveState if not state.is_open]


def test_a_new_journal_has_no_rows(store: Store) -> None:
    assert store.open_rows("vc1") == ()
    assert store.rows_since("vc1", CLUSTER, NOON - timedelta(days=1)) == ()


def test_an_intent_is_read_back_as_it_was_written(store: Store) -> None:
    written = entry()
    number = begun(store, written)
    (row,) = store.open_rows("vc1")
    assert (row.id, row.entry, row.state) == (number, written, MoveState.INTENT)
    assert (row.task, row.fault, row.kind, row.detail) == ("", "", None, "")
    assert (row.submitted_at, row.ended_at) == (None, None)


@pytest.mark.parametrize("state", OPEN)
def test_a_vm_with_an_open_row_gets_no_second_one(store: Store, state: MoveState) -> None:
    number = begun(store, entry())
    if state is not MoveState.INTENT:
        store.advance(number, step(state))
    with pytest.raises(RowOpen, match="vm1 has an open row"):
        begun(store, entry())
    assert len(store.open_rows("vc1")) == 1


@pytest.mark.parametrize("state", ENDED)
def test_a_vm_whose_row_has_ended_gets_a_new_one(store: Store, state: MoveState) -> None:
    first = begun(store, entry())
    store.advance(first, step(state))
    second = begun(store, entry())
    assert second > first
    assert [row.id for row in store.open_rows("vc1")] == [second]


def test_the_same_vm_id_in_another_vcenter_is_another_vm(store: Store) -> None:
    begun(store, entry())
    begun(store, entry(vcenter="vc2"))
    assert len(store.open_rows("vc1")) == len(store.open_rows("vc2")) == 1


def test_a_submitted_row_keeps_its_task_and_its_time_when_it_ends(store: Store) -> None:
    number = begun(store, entry())
    store.advance(number, step(MoveState.SUBMITTED, 1, task="task-7"))
    store.advance(number, step(MoveState.DONE, 30))
    (row,) = store.rows_since("vc1", CLUSTER, NOON)
    assert (row.state, row.task) == (MoveState.DONE, "task-7")
    assert row.submitted_at == NOON + timedelta(seconds=1)
    assert row.ended_at == NOON + timedelta(seconds=30)


def test_a_failed_row_keeps_fault_kind_and_detail(store: Store) -> None:
    number = begun(store, entry())
    facts = {"fault": "Timedout", "kind": FailureKind.TRANSIENT, "detail": "too slow"}
    store.advance(number, step(MoveState.FAILED, **facts))
    (row,) = store.rows_since("vc1", CLUSTER, NOON)
    assert (row.fault, row.kind, row.detail) == ("Timedout", FailureKind.TRANSIENT, "too slow")
    assert row.submitted_at is None


def test_an_unknown_row_stays_open_until_its_end_is_known(store: Store) -> None:
    number = begun(store, entry())
    store.advance(number, step(MoveState.UNKNOWN, 1, detail="no answer"))
    (row,) = store.open_rows("vc1")
    assert row.ended_at is None
    store.advance(number, step(MoveState.SUBMITTED, 2, task="task-9"))
    store.advance(number, step(MoveState.EXTERNAL, 3))
    assert store.open_rows("vc1") == ()


@pytest.mark.parametrize("state", ENDED)
def test_what_has_ended_stays_as_it_ended(store: Store, state: MoveState) -> None:
    number = begun(store, entry())
    store.advance(number, step(state))
    with pytest.raises(StoreError, match=f"ended as {state}"):
        store.advance(number, step(MoveState.DONE))
    (row,) = store.rows_since("vc1", CLUSTER, NOON)
    assert row.state is state


def test_no_row_goes_back_to_intent(store: Store) -> None:
    number = begun(store, entry())
    with pytest.raises(StoreError, match="cannot go back"):
        store.advance(number, step(MoveState.INTENT))


@pytest.mark.parametrize("number", [0, -1, 2, 10**15])
def test_a_row_that_does_not_exist_cannot_advance(store: Store, number: int) -> None:
    begun(store, entry())
    with pytest.raises(StoreError, match="no row"):
        store.advance(number, step(MoveState.DONE))


def test_rows_are_found_by_vcenter_cluster_and_time(store: Store) -> None:
    begun(store, entry(1, intended_at=NOON - timedelta(microseconds=1)))
    begun(store, entry(2))
    begun(store, entry(3, intended_at=NOON + timedelta(hours=1)))
    begun(store, entry(4, cluster=ClusterId("domain-c2")))
    begun(store, entry(5, vcenter="vc2"))
    assert [row.entry.vm for row in store.rows_since("vc1", CLUSTER, NOON)] == ["vm-2", "vm-3"]
    assert [row.entry.vm for row in store.open_rows("vc1")] == ["vm-1", "vm-2", "vm-3", "vm-4"]


def test_times_of_any_zone_are_compared_as_instants(store: Store) -> None:
    east = timezone(timedelta(hours=9))
    begun(store, entry(intended_at=NOON.astimezone(east)))
    (row,) = store.rows_since("vc1", CLUSTER, NOON.astimezone(timezone(-timedelta(hours=5))))
    assert row.entry.intended_at == NOON
    assert store.rows_since("vc1", CLUSTER, NOON + timedelta(microseconds=1)) == ()


def test_a_time_without_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no time zone"):
        begun(store, entry(intended_at=datetime(2026, 1, 1)))  # noqa: DTZ001
    number = begun(store, entry())
    with pytest.raises(StoreError, match="no time zone"):
        store.advance(number, JournalStep(state=MoveState.DONE, at=datetime(2026, 1, 1)))  # noqa: DTZ001


@pytest.mark.parametrize(
    "name",
    ["", "'; drop table moves; --", "a\nb\x1b[31m", "nul\x00l", "\u202eevil", "😀" * 80, "\ud800"],
    ids=["empty", "quotes", "control", "nul", "right-to-left", "emoji", "lone surrogate"],
)
def test_hostile_names_do_not_hinder_the_journal(store: Store, name: str) -> None:
    number = begun(store, entry(vm_name=name))
    store.advance(number, step(MoveState.FAILED, detail=name))
    (row,) = store.rows_since("vc1", CLUSTER, NOON)
    assert row.entry.vm_name in (name, name.encode("utf-8", "backslashreplace").decode())


def test_threads_that_begin_one_vm_get_one_row_between_them(store: Store) -> None:
    results: list[str] = []
    permit = permit_of(store)

    def begin() -> None:
        try:
            store.begin(entry(), permit)
            results.append("begun")
        except RowOpen:
            results.append("refused")

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(results) == ["begun"] + ["refused"] * 7
    assert len(store.open_rows("vc1")) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (RowQuery(), [1, 2, 3, 4]),
        (RowQuery(row=3), [3]),
        (RowQuery(row=5), []),
        (RowQuery(row=3, vcenter="vc2"), []),
        (RowQuery(vcenter="vc2"), [4]),
        (RowQuery(cluster=ClusterId("domain-c2")), [3]),
        (RowQuery(vm="vm-2"), [2]),
        (RowQuery(vm="vm2"), [2]),
        (RowQuery(vm="m2"), []),
        (RowQuery(states=frozenset({MoveState.DONE, MoveState.FAILED})), [1]),
        (RowQuery(states=frozenset(OPEN)), [2, 3, 4]),
        (RowQuery(plan="p2"), [2]),
        (RowQuery(since=NOON + timedelta(seconds=2)), [2, 3, 4]),
        (RowQuery(until=NOON + timedelta(seconds=2)), [1]),
        (RowQuery(last=2), [3, 4]),
        (RowQuery(last=0), []),
        (RowQuery(vcenter="vc1", last=1), [3]),
    ],
)
def test_rows_are_found_by_all_that_a_query_names(
    store: Store, query: RowQuery, found: list[int]
) -> None:
    facts = ({}, {"plan_id": "p2"}, {"cluster": ClusterId("domain-c2")}, {"vcenter": "vc2"})
    for number, more in enumerate(facts, start=1):
        at = NOON + timedelta(seconds=number)
        begun(store, entry(number, intended_at=at, **more))
    store.advance(1, step(MoveState.DONE))
    assert [row.id for row in store.find_rows(query)] == found
