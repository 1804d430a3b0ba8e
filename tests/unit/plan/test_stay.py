"""Why a VM stays: one test for each cause, in the order in which they are asked."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.model.host import HostState
from balancer.model.plan import MoveReason, PlanStatus
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation, Blocker, PowerState
from balancer.plan.insight import explain_vm
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.builders import NOON, host, rule, snapshot, vm
from tests.unit.plan.explained import KEEN, QUIET, planned, uneven, vm_insight
from tests.unit.plan.support import need_of

HOT = {"cpu_demand_mhz": 18_000.0}


def stays(snap: Snapshot, number: int, policy: Policy | None = None) -> Refusal:
    insight = vm_insight(snap, number, policy)
    assert insight.moves == ()
    assert insight.stays is not None
    return insight.stays


def level() -> Snapshot:
    vms = [vm(number, on=1 + number % 2) for number in range(1, 9)]
    return snapshot([host(1), host(2)], vms)


def test_a_vm_that_does_not_run_is_no_load() -> None:
    insight = vm_insight(uneven(power=PowerState.OFF), 1)
    assert insight.stays is not None
    assert insight.stays.reason is Reason.NOT_RUNNING
    assert insight.targets == ()


def test_a_vm_that_cannot_be_evacuated_is_told_the_conflict_and_its_mend() -> None:
    leaving = host(1, state=HostState.ENTERING_MAINTENANCE)
    snap = snapshot([leaving, host(2)], [vm(1, on=1, blockers=(Blocker.VGPU,)), vm(2, on=2)])
    insight = vm_insight(snap, 1)
    assert insight.stays is not None
    assert insight.stays.reason is Reason.VGPU
    assert "vm1 cannot leave esx1" in insight.stays.detail
    assert insight.relax


def test_facts_that_are_too_few_stop_everything() -> None:
    nothing = dict.fromkeys(("cpu_demand_mhz", "memory_active_mib", "memory_consumed_mib"))
    silent = snapshot([host(1), host(2)], [vm(n, on=1, **nothing) for n in range(1, 5)])
    assert planned(silent).status is PlanStatus.REFUSED
    assert stays(silent, 1).reason is Reason.SNAPSHOT_PARTIAL


def test_a_vm_that_is_being_migrated_is_pinned() -> None:
    flight = InFlight(vm=VmId("vm-1"), source=HostId("host-1"), target=HostId("host-2"))
    assert stays(replace(uneven(), in_flight=(flight,)), 1).reason is Reason.IN_FLIGHT


def test_a_vm_that_the_sequencing_gave_up_says_so() -> None:
    snap, policy = uneven(), Policy()
    plan = planned(snap, QUIET)
    dead = Refusal.of(Reason.UNREACHABLE, "vm1 to esx2: full", vm="vm-1", host="host-2")
    plan = replace(plan, refusals=(dead,))
    insight = explain_vm(need_of(snap), policy, plan, VmId("vm-1"))
    assert insight.stays == dead


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"blockers": (Blocker.USB_DEVICE,)}, Reason.USB_DEVICE, id="a device"),
        pytest.param({"automation": Automation.MANUAL}, Reason.AUTOMATION_MANUAL, id="its owner"),
        pytest.param(
            {"last_moved_at": NOON - timedelta(minutes=5)}, Reason.RECENTLY_MOVED, id="residence"
        ),
    ],
)
def test_what_ties_a_vm_to_its_host_is_its_own_reason(
    facts: dict[str, object], reason: Reason
) -> None:
    assert stays(uneven(**facts), 1).reason is reason


def test_a_vm_that_no_host_takes_is_told_how_many_hosts_have_which_reason() -> None:
    hosts = [
        host(1),
        host(2, networks=frozenset()),
        host(3, networks=frozenset({"n"}), state=HostState.MAINTENANCE),
    ]
    snap = snapshot(hosts, [vm(1, on=1, networks=frozenset({"n"}), **HOT), vm(2, on=1)])
    told = stays(snap, 1)
    assert told.reason is Reason.NO_TARGET
    assert told.detail == "a network is missing on 1 host; the host takes no VMs now on 1 host"


def test_the_only_host_of_a_cluster_has_nowhere_to_send_a_vm() -> None:
    told = stays(snapshot([host(1)], [vm(1, on=1, **HOT)]), 1)
    assert (told.reason, told.detail) == (Reason.NO_TARGET, "the cluster has no other host")


def test_relief_that_is_switched_off_is_named() -> None:
    crowd = [vm(n, on=1, cpu_demand_mhz=3000.0) for n in range(1, 7)]
    told = stays(snapshot([host(1), host(2)], crowd), 1, QUIET)
    assert told.reason is Reason.GOAL_OFF
    assert "relief is switched off" in told.detail


def test_balance_that_is_switched_off_is_named() -> None:
    told = stays(uneven(), 1, Policy(goals=Goals(balance=False)))
    assert told.reason is Reason.GOAL_OFF
    assert "balance is switched off" in told.detail


def test_nothing_is_called_for_below_the_trigger() -> None:
    told = stays(level(), 1)
    assert told.reason is Reason.NOT_NEEDED
    assert told.detail == (
        "imbalance 0.0 %, sought above 5.0 %; esx2 is below its contention thresholds"
    )


def test_a_move_that_gains_less_than_its_price_is_not_made() -> None:
    hosts = [host(1), host(2)]
    vms = [vm(1, on=1, cpu_demand_mhz=0.1, memory_mib=60_000.0, memory_active_mib=0.0)]
    vms += [vm(n, on=1, cpu_demand_mhz=5000.0, **PINNED) for n in (2, 3, 4)]
    told = stays(snapshot(hosts, vms), 1, replace(KEEN, idle_memory_share=0.0))
    assert told.reason is Reason.NO_GAIN
    assert told.detail.startswith("the best target is esx2: gain ")


def test_a_vm_whose_move_would_have_paid_hears_that_others_do_it_better() -> None:
    snap = uneven(cpu_demand_mhz=1600.0)
    policy = KEEN
    moved = {move.vm for move in planned(snap, policy).moves}
    left = next(n for n in range(1, 9) if f"vm-{n}" not in moved)
    told = stays(snap, left, policy)
    assert told.reason is Reason.NOT_NEEDED
    assert "other moves do it better: a move to esx2 would now gain" in told.detail


def test_a_vm_that_could_level_further_than_is_sought_hears_the_target() -> None:
    policy = Policy(thresholds=Thresholds(balance_trigger=0.2, balance_target=0.15))
    snap = uneven()
    moved = {move.vm for move in planned(snap, policy).moves}
    left = next(n for n in range(1, 9) if f"vm-{n}" not in moved)
    told = stays(snap, left, policy)
    assert told.reason is Reason.NOT_NEEDED
    assert "beyond what is sought" in told.detail


def test_no_calm_host_is_brought_above_its_threshold_for_load() -> None:
    hosts = [host(1), host(2, cpu_capacity_mhz=12_000.0)]
    vms = [vm(1, on=1, cpu_demand_mhz=11_000.0), vm(2, on=1, cpu_demand_mhz=7000.0, **PINNED)]
    told = stays(snapshot(hosts, vms), 1)
    assert told.reason is Reason.NO_TARGET
    assert told.detail == "it would become contended on 1 host"


PINNED = {"blockers": (Blocker.VGPU,)}


def test_a_rule_that_leaves_no_host_is_the_reason_of_every_host() -> None:
    only_here = rule("licence", RuleType.VM_HOST_AFFINE, [1], on=[1])
    snap = replace(uneven(), rules=(only_here,))
    told = stays(snap, 1)
    assert told.reason is Reason.NO_TARGET
    assert told.detail == "a VM-host rule does not allow it on 1 host"


def test_a_vm_that_moves_has_no_reason_to_stay() -> None:
    insight = vm_insight(uneven(), 1, KEEN)
    moved = [n for n in range(1, 9) if vm_insight(uneven(), n, KEEN).moves]
    assert moved
    insight = vm_insight(uneven(), moved[0], KEEN)
    assert insight.stays is None
    assert insight.moves[0].reason is MoveReason.BALANCE
