"""Explanations of the laws that look beyond one move: spare room for HA, nodes, numbers of VMs, guarantees."""

from dataclasses import replace
from typing import Any

import pytest

from balancer.cli.planning import need_behind
from balancer.model.host import HostState
from balancer.model.insight import TargetInsight
from balancer.model.plan import Conflict
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Ha, ResourcePool, Snapshot
from balancer.model.units import VmId
from balancer.plan.insight import explain_vm
from balancer.policy.types import Goals, MemoryMetric, Policy, Prices, Thresholds
from tests.support.builders import host, snapshot, vm
from tests.unit.plan.explained import planned, vm_insight
from tests.unit.plan.support import draft_of

ONE = Ha(enabled=True, host_failures_to_tolerate=1)
HELD = Policy(memory_metric=MemoryMetric.CONSUMED)
ENTERING = HostState.ENTERING_MAINTENANCE


def crowded_for_ha() -> Snapshot:
    """Return hosts that would be level at the price of the room for the VM of 75 GB on the fourth."""
    facts: dict[str, Any] = {"cpu_demand_mhz": 0.0, "memory_mib": 10_000.0}
    vms = [vm(n, on=1 + n // 6, **facts) for n in range(1, 12)]
    vms += [vm(20, on=4, cpu_demand_mhz=0.0, memory_mib=75_000.0)]
    return snapshot([host(n) for n in (1, 2, 3, 4)], vms, cluster={"ha": ONE})


def answers(target: TargetInsight) -> dict[str, Reason | None]:
    return {gate.name: gate.after.reason if gate.after else None for gate in target.gates}


def test_a_vm_whose_move_was_taken_back_hears_that_a_host_may_fail() -> None:
    snap = crowded_for_ha()
    taken_back = [r for r in planned(snap, HELD).refusals if r.reason is Reason.FAILOVER_CAPACITY]
    number = int(str(taken_back[0].vm).removeprefix("vm-"))
    assert vm_insight(snap, number, HELD).stays == taken_back[0]


def test_a_target_is_closed_where_another_host_could_not_fail_any_more() -> None:
    snap = crowded_for_ha()
    plan = planned(snap, HELD)
    stays = next(n for n in range(1, 12) if VmId(f"vm-{n}") not in {m.vm for m in plan.moves})
    (empty,) = vm_insight(snap, stays, HELD, on=3).targets
    assert answers(empty)["failover"] is Reason.FAILOVER_CAPACITY
    detail = next(gate.after.detail for gate in empty.gates if gate.after)
    assert detail == "esx3: too little spare memory would be left if esx4 failed"


def test_without_ha_no_room_is_kept() -> None:
    snap = replace(crowded_for_ha(), cluster=replace(crowded_for_ha().cluster, ha=Ha()))
    (empty,) = vm_insight(snap, 1, HELD, on=3).targets
    assert answers(empty)["failover"] is None


def test_where_only_musts_are_planned_every_other_vm_hears_why() -> None:
    snap = crowded_for_ha()
    all_held = Refusal(reason=Reason.FAILOVER_CAPACITY, detail="12 VMs that stay", count=12)
    plan = replace(planned(snap, HELD), moves=(), refusals=(all_held,))
    need, wanted = need_behind(plan, snap, HELD)
    stays = explain_vm(need, wanted, plan, VmId("vm-1")).stays
    assert stays is not None
    assert stays.reason is Reason.FAILOVER_CAPACITY
    assert stays.detail.startswith("only what must move does")


def test_the_price_says_what_of_it_is_for_a_numa_node_that_is_too_small() -> None:
    hosts = [host(1, cpu_cores=16), host(2, cpu_cores=16, numa_nodes=4)]
    snap = snapshot(hosts, [vm(1, on=1, vcpus=8, cpu_demand_mhz=100.0)])
    policy = Policy(prices=Prices(wide_vm=0.5))
    (narrow,) = vm_insight(snap, 1, policy, on=2).targets
    assert narrow.refusal is not None
    assert narrow.refusal.reason is Reason.NO_GAIN
    assert narrow.refusal.detail.endswith("for being wider than a NUMA node there")


@pytest.mark.parametrize(
    ("thresholds", "gate"),
    [
        pytest.param({"vms_per_host": 2}, Reason.HOST_VM_LIMIT, id="number of VMs"),
        pytest.param({"vcpus_per_core": 1.0}, Reason.VCPU_CEILING, id="vCPUs of a core"),
    ],
)
def test_limits_of_the_policy_close_a_target(thresholds: dict[str, Any], gate: Reason) -> None:
    hosts = [host(n, cpu_cores=4) for n in (1, 2)]
    vms = [vm(n, on=1 + n // 4, vcpus=2, cpu_demand_mhz=100.0) for n in (1, 2, 3, 4, 5)]
    (target,) = vm_insight(
        snapshot(hosts, vms), 1, Policy(thresholds=Thresholds(**thresholds)), on=2
    ).targets
    assert answers(target)["capacity"] is gate


def test_what_a_pool_guarantees_closes_a_target() -> None:
    gold = ResourcePool(id="gold", name="gold", cpu_reservation_mhz=19_000.0)
    vms = [
        vm(1, on=1, resource_pool="gold", cpu_demand_mhz=100.0),
        vm(2, on=2, cpu_reservation_mhz=9_000.0, cpu_demand_mhz=100.0),
    ]
    snap = snapshot([host(1), host(2)], vms, resource_pools=(gold,))
    (target,) = vm_insight(snap, 1, on=2).targets
    assert answers(target)["reservations"] is Reason.CPU_RESERVATION


def test_a_move_for_even_numbers_is_not_called_worthless() -> None:
    small = [vm(n, on=1, cpu_demand_mhz=40.0, memory_mib=200.0) for n in range(1, 21)]
    large = [vm(n, on=2, cpu_demand_mhz=400.0, memory_mib=2000.0) for n in (21, 22)]
    snap = snapshot([host(1), host(2)], [*small, *large])
    policy = Policy(goals=Goals(vm_count=True))
    number = int(str(planned(snap, policy).moves[0].vm).removeprefix("vm-"))
    insight = vm_insight(snap, number, policy)
    assert "mean 11" in insight.moves[0].why
    assert insight.chosen is not None
    assert insight.chosen.refusal is None


def test_a_vm_that_stays_hears_how_even_the_numbers_are_where_they_matter() -> None:
    snap = snapshot([host(1), host(2)], [vm(n, on=1 + n % 2) for n in range(1, 9)])
    stays = vm_insight(snap, 1, Policy(goals=Goals(vm_count=True))).stays
    assert stays is not None
    assert "numbers of VMs uneven by 0.0 %, evened above 30.0 %" in stays.detail


def stuck(limit: int | None, own: int | None) -> Conflict:
    """Return the conflict of a VM that must leave its host and finds the other one at its limit."""
    hosts = [host(1, state=ENTERING), host(2, max_running_vms=own)]
    policy = Policy(thresholds=Thresholds(vms_per_host=limit))
    vms = [vm(1, on=1), *(vm(n, on=2) for n in (2, 3))]
    (conflict,) = draft_of(snapshot(hosts, vms), policy).conflicts
    return conflict


@pytest.mark.parametrize(
    ("limit", "own", "relax"),
    [
        (2, None, "raise vms_per_host above 2"),
        (2, 9, "raise vms_per_host above 2"),
        (9, 2, "raise the limit of 2 VMs on esx2"),
        (2, 2, "raise vms_per_host above 2 and raise the limit of 2 VMs on esx2"),
    ],
)
def test_a_conflict_names_the_limit_of_vms_that_binds(
    limit: int, own: int | None, relax: str
) -> None:
    conflict = stuck(limit, own)
    assert "the number of VMs is at its limit on esx2" in conflict.message
    assert conflict.relax == relax


def test_no_placement_is_said_to_exist_that_breaks_the_limit_of_vms() -> None:
    hosts = [host(1, state=ENTERING), host(2), host(3)]
    policy = Policy(thresholds=Thresholds(vms_per_host=1))
    snap = snapshot(hosts, [vm(n, on=n) for n in (1, 2, 3)])
    (conflict,) = draft_of(snap, policy).conflicts
    assert "a placement that obeys every law exists" not in conflict.message
    assert "the number of VMs is at its limit on esx2 and esx3" in conflict.message


def test_a_conflict_about_guarantees_says_that_pools_have_a_part_in_it() -> None:
    gold = ResourcePool(id="gold", name="gold", cpu_reservation_mhz=15_000.0)
    vms = [
        vm(1, on=1, resource_pool="gold", cpu_demand_mhz=100.0),
        vm(2, on=2, cpu_reservation_mhz=9_000.0, cpu_demand_mhz=100.0),
    ]
    snap = snapshot([host(1, state=ENTERING), host(2)], vms, resource_pools=(gold,))
    (conflict,) = draft_of(snap).conflicts
    assert "CPU reservations are full on esx2" in conflict.message
    assert conflict.relax.startswith(
        "lower CPU reservations of VMs or of their resource pools on esx2 by "
    )
