"""What the journal and the snapshot say to leave alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from balancer.assess.stability import holds_from
from balancer.execute.quarantine import new_quarantines
from balancer.model.need import Holds
from balancer.model.outcome import FailureKind, JournalEntry, JournalRow, MoveState
from balancer.model.past import Past
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import ClusterId, HostId, MoveId, VmId
from balancer.policy.types import Limits
from tests.support.builders import NOON, host, snapshot, vm

VM = VmId("vm-1")
A, B = HostId("host-1"), HostId("host-2")


def row(number: int, *, ago: float, **facts: Any) -> JournalRow:
    """Return a DONE row of vm-1 from host-1 to host-2 that ended `ago` hours before noon."""
    at = NOON - timedelta(hours=ago)
    state = facts.pop("state", MoveState.DONE)
    kind, way = facts.pop("kind", None), facts.pop("way", "1>2").split(">")
    entry = JournalEntry(
        vcenter="vc",
        cluster=ClusterId("domain-c1"),
        plan_id="p",
        cycle_id="c",
        move_id=MoveId("m1"),
        vm=facts.pop("vm", VM),
        vm_name="vm1",
        vm_uuid="u",
        source=HostId(f"host-{way[0]}"),
        target=HostId(f"host-{way[1]}"),
        reason=MoveReason.BALANCE,
        expected_seconds=10.0,
        intended_at=at,
    )
    ended_at = None if state.is_open else at
    fault = facts.pop("fault", "Timedout" if state is MoveState.FAILED else "")
    return JournalRow(
        id=number, entry=entry, state=state, kind=kind, fault=fault, ended_at=ended_at
    )


def failed(number: int, *, ago: float, kind: FailureKind, **facts: Any) -> JournalRow:
    return row(number, ago=ago, state=MoveState.FAILED, kind=kind, **facts)


def cluster(**facts: Any) -> Snapshot:
    return snapshot([host(n) for n in (1, 2, 3)], [vm(1, on=1, **facts), vm(2, on=1)])


def past_of(*rows: JournalRow) -> Past:
    """Return the past with what a review makes of these rows."""
    past = Past(rows=tuple(rows))
    found = new_quarantines(past, Limits(), vcenter="vc", cluster=ClusterId("domain-c1"))
    return replace(past, quarantines=found)


def held(*rows: JournalRow, **facts: Any) -> Holds:
    return holds_from(cluster(**facts), past_of(*rows), Limits(), now=NOON)


def reason_of(holds: Holds) -> Reason | None:
    return holds.vms[VM].reason if VM in holds.vms else None


def test_without_any_history_nothing_is_held() -> None:
    assert held() == Holds()


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param(59, Reason.RECENTLY_MOVED, id="59 minutes ago"),
        pytest.param(60, None, id="an hour ago"),
    ],
)
@pytest.mark.parametrize("told_by", ["snapshot", "journal"])
def test_a_vm_stays_an_hour_after_it_arrived(
    told_by: str, minutes: int, expected: Reason | None
) -> None:
    if told_by == "snapshot":
        holds = held(last_moved_at=NOON - timedelta(minutes=minutes))
    else:
        holds = held(row(1, ago=minutes / 60))
    assert reason_of(holds) is expected
    assert VmId("vm-2") not in holds.vms


def test_two_moves_in_a_day_use_up_the_budget_until_the_older_is_a_day_old() -> None:
    holds = held(row(1, ago=20, way="1>2"), row(2, ago=5, way="2>3"))
    assert reason_of(holds) is Reason.VM_BUDGET
    assert "2026-11-22 16:00" in holds.vms[VM].detail


def test_one_move_within_the_day_leaves_budget() -> None:
    assert reason_of(held(row(1, ago=25, way="1>2"), row(2, ago=5, way="2>3"))) is None


def test_one_row_given_twice_counts_once() -> None:
    once = row(1, ago=5)
    assert reason_of(held(once, once)) is None


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param(14, Reason.VM_FAILED_RECENTLY, id="within the hold"),
        pytest.param(15, None, id="when the hold is over"),
    ],
)
def test_a_vm_that_failed_once_is_held_briefly(minutes: int, expected: Reason | None) -> None:
    holds = held(failed(1, ago=minutes / 60, kind=FailureKind.TRANSIENT))
    assert reason_of(holds) is expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param((23, 2), Reason.VM_FAILED_RECENTLY, id="both within a day"),
        pytest.param((27, 2), None, id="more than a day apart"),
        pytest.param((30, 25), None, id="the quarantine is over"),
    ],
)
def test_two_failures_within_a_day_hold_a_vm_for_a_day(
    rows: tuple[float, float], expected: Reason | None
) -> None:
    first, second = rows
    holds = held(
        failed(1, ago=first, kind=FailureKind.TRANSIENT),
        failed(2, ago=second, kind=FailureKind.SKIP_VM),
    )
    assert reason_of(holds) is expected


def test_failures_that_the_target_is_to_blame_for_do_not_quarantine_the_vm() -> None:
    rows = [failed(n, ago=3 - n, kind=FailureKind.SKIP_TARGET, way=f"1>{n + 1}") for n in (1, 2)]
    assert reason_of(held(*rows)) is None


def test_two_returns_within_a_day_hold_a_vm_although_every_move_succeeded() -> None:
    limits = Limits(moves_per_vm_per_day=9)
    there_and_back = [
        row(n, ago=8 - n, way=way) for n, way in enumerate(("1>2", "2>1", "1>2"), start=1)
    ]
    holds = holds_from(cluster(), past_of(*there_and_back), limits, now=NOON)
    assert reason_of(holds) is Reason.VM_FAILED_RECENTLY
    assert "returned" in holds.vms[VM].detail
    assert VM not in holds.pinned  # an evacuation may move it: no move of it has failed


def test_moving_on_to_a_third_host_is_no_return() -> None:
    limits = Limits(moves_per_vm_per_day=9)
    onward = [row(n, ago=8 - n, way=way) for n, way in enumerate(("1>2", "2>3", "3>1"), start=1)]
    assert reason_of(holds_from(cluster(), past_of(*onward), limits, now=NOON)) is None


def test_the_hold_that_ends_last_is_the_one_told() -> None:
    rows = [failed(n, ago=n / 10, kind=FailureKind.TRANSIENT) for n in (1, 2)]
    holds = held(*rows, row(3, ago=0.5))
    assert "2 moves failed" in holds.vms[VM].detail


@pytest.mark.parametrize(
    ("times", "is_out"),
    [
        pytest.param((0.9, 0.2), True, id="two within an hour"),
        pytest.param((1.5, 0.2), False, id="two, more than an hour apart"),
        pytest.param((0.2,), False, id="only one"),
        pytest.param((1.9, 1.1), False, id="the hour out is over"),
    ],
)
def test_a_target_at_fault_twice_within_an_hour_is_out_for_an_hour(
    times: tuple[float, ...], is_out: bool
) -> None:
    rows = [
        failed(n, ago=ago, kind=FailureKind.SKIP_TARGET, vm=VmId(f"vm-{n + 1}"))
        for n, ago in enumerate(times)
    ]
    holds = held(*rows)
    assert (B in holds.targets) is is_out
    assert A not in holds.targets


def test_other_kinds_of_failure_do_not_put_a_target_out() -> None:
    rows = [failed(n, ago=n / 10, kind=FailureKind.CAPACITY) for n in (1, 2)]
    assert not held(*rows).targets


@pytest.mark.parametrize(("ago", "is_forbidden"), [(23.0, True), (24.0, False)])
def test_a_pair_that_the_server_refused_is_forbidden_for_a_day(
    ago: float, is_forbidden: bool
) -> None:
    holds = held(failed(1, ago=ago, kind=FailureKind.PAIR))
    assert ((VM, B) in holds.pairs) is is_forbidden
    assert (VM, A) not in holds.pairs


@pytest.mark.parametrize("kind", [FailureKind.SKIP_TARGET, FailureKind.CAPACITY])
@pytest.mark.parametrize(("ago", "is_forbidden"), [(0.2, True), (0.25, False)])
def test_one_failure_of_a_target_rules_it_out_for_that_vm_as_long_as_the_vm_is_held(
    kind: FailureKind, ago: float, is_forbidden: bool
) -> None:
    holds = held(failed(1, ago=ago, kind=kind))
    assert ((VM, B) in holds.pairs) is is_forbidden
    assert not holds.pinned  # an evacuation may go elsewhere
    assert not holds.targets  # another VM may go there


def test_a_pair_that_is_refused_for_a_day_stays_so_after_a_brief_failure() -> None:
    rows = [failed(1, ago=5, kind=FailureKind.PAIR), failed(2, ago=0.1, kind=FailureKind.CAPACITY)]
    assert held(*rows).pairs[VM, B].reason is Reason.SERVER_CHECK


@pytest.mark.parametrize("state", [MoveState.INTENT, MoveState.SUBMITTED, MoveState.UNKNOWN])
def test_a_vm_with_an_open_row_is_pinned(state: MoveState) -> None:
    assert held(row(1, ago=30, state=state)).pinned[VM].reason is Reason.IN_FLIGHT


@pytest.mark.parametrize("state", [MoveState.ABORTED, MoveState.DONE, MoveState.EXTERNAL])
def test_a_vm_whose_row_is_closed_is_not_pinned(state: MoveState) -> None:
    assert not held(row(1, ago=30, state=state)).pinned


def test_a_vm_that_somebody_else_is_moving_is_pinned() -> None:
    snap = snapshot(
        [host(1), host(2)], [vm(1, on=1)], in_flight=(InFlight(vm=VM, source=A, target=B),)
    )
    assert holds_from(snap, Past(), Limits(), now=NOON).pinned[VM].reason is Reason.IN_FLIGHT


def test_vms_and_hosts_that_are_gone_are_left_out() -> None:
    gone = VmId("vm-77")
    rows = [row(1, ago=0.1, vm=gone), row(2, ago=0.1, vm=gone, state=MoveState.UNKNOWN)]
    rows += [failed(3 + n, ago=0.1, kind=FailureKind.SKIP_TARGET, way="1>9") for n in range(2)]
    rows += [failed(6, ago=0.1, kind=FailureKind.PAIR, way="1>9")]
    holds = held(*rows)
    assert gone not in holds.vms
    assert not holds.pinned
    assert not holds.targets
    assert not holds.pairs


@pytest.mark.parametrize(
    ("kind", "is_pinned"),
    [
        (FailureKind.TRANSIENT, True),
        (FailureKind.SKIP_VM, True),
        (FailureKind.CANCELLED, True),
        (FailureKind.UNMAPPED, True),
        (FailureKind.PAIR, False),
        (FailureKind.CAPACITY, False),
        (FailureKind.SKIP_TARGET, False),
        (FailureKind.STOP, False),
        (FailureKind.STOP_CLUSTER, False),
    ],
    ids=str,
)
def test_not_even_an_evacuation_tries_a_failing_vm_again_at_once(
    kind: FailureKind, is_pinned: bool
) -> None:
    assert (VM in held(failed(1, ago=0.1, kind=kind)).pinned) is is_pinned
    assert VM not in held(failed(1, ago=0.3, kind=kind)).pinned


def test_a_call_that_found_no_connection_holds_nothing() -> None:
    holds = held(failed(1, ago=0.1, kind=FailureKind.TRANSIENT, fault=""))

    assert VM not in holds.vms
    assert VM not in holds.pinned
