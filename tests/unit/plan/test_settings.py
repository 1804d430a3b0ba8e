"""Each setting bites: the same cluster is planned differently where the policy or the snapshot says otherwise."""

from dataclasses import replace
from typing import Any

import pytest

from balancer.model.host import Host
from balancer.model.plan import MoveReason
from balancer.model.rule import RuleType
from balancer.model.snapshot import ResourcePool, Snapshot
from balancer.policy.types import Goals, MemoryMetric, Policy, Prices, Thresholds
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.plan.support import draft_of, moves_of

RELIEF = Policy(goals=Goals(balance=False))


def hot(**target: Any) -> Snapshot:
    """Return a host at 95 % CPU, and two that could relieve it; `target` are facts of the emptier."""
    vms = [vm(n, on=1, cpu_demand_mhz=1900.0) for n in range(1, 11)]
    vms += [vm(11, on=3, cpu_demand_mhz=6000.0)]
    return snapshot([host(1), host(2, **target), host(3)], vms)


def targets(snap: Snapshot, policy: Policy = RELIEF) -> set[str]:
    return set(moves_of(draft_of(snap, policy)).values())


def test_a_host_full_of_vcpus_is_no_target() -> None:
    limits = Thresholds(vcpus_per_core=1.0)
    assert targets(hot(cpu_cores=1)) == {"host-2"}
    assert targets(hot(cpu_cores=1), replace(RELIEF, thresholds=limits)) == {"host-3"}


def test_a_host_with_its_number_of_vms_is_no_target() -> None:
    vms = [*hot().vms, vm(12, on=2, cpu_demand_mhz=0.0), vm(13, on=2, cpu_demand_mhz=0.0)]
    snap = replace(hot(), vms=tuple(vms))
    assert targets(snap) == {"host-2"}
    assert targets(snap, replace(RELIEF, thresholds=Thresholds(vms_per_host=2))) == {"host-3"}


def test_a_host_that_could_not_keep_a_pools_promise_is_no_target() -> None:
    """All VMs of the hot host share a guarantee; half of host-2 is promised to others."""
    promised = vm(12, on=2, cpu_demand_mhz=0.0, cpu_reservation_mhz=19_000.0)
    vms = [replace(v, resource_pool="gold") if v.host == "host-1" else v for v in hot().vms]
    snap = replace(hot(), vms=(*vms, promised))
    gold = ResourcePool(id="gold", name="gold", cpu_reservation_mhz=19_000.0)
    assert targets(snap) == {"host-2"}
    assert targets(replace(snap, resource_pools=(gold,))) == {"host-3"}


def test_a_limit_on_vms_or_on_their_pool_makes_a_host_calm() -> None:
    snap = hot()
    assert draft_of(snap, RELIEF).moves
    limited = tuple(replace(v, cpu_limit_mhz=1000.0) for v in snap.vms)
    assert draft_of(replace(snap, vms=limited), RELIEF).moves == ()
    pooled = tuple(replace(v, resource_pool="small") for v in snap.vms)
    small = ResourcePool(id="small", name="small", cpu_limit_mhz=12_000.0)
    assert draft_of(replace(snap, vms=pooled, resource_pools=(small,)), RELIEF).moves == ()


@pytest.mark.parametrize(
    ("metric", "is_moved"),
    [(MemoryMetric.ACTIVE, False), (MemoryMetric.CONSUMED, True), (MemoryMetric.GRANTED, False)],
)
def test_contended_memory_is_what_the_metric_of_the_policy_says(
    metric: MemoryMetric, is_moved: bool
) -> None:
    facts = {
        "memory_mib": 24_000.0,
        "memory_active_mib": 5000.0,
        "memory_granted_mib": 20_000.0,
        "cpu_demand_mhz": 100.0,
    }
    snap = snapshot([host(1), host(2)], [vm(n, on=1, **facts) for n in (1, 2, 3, 4)])
    policy = replace(RELIEF, memory_metric=metric)
    assert bool(draft_of(snap, policy).moves) is is_moved


def numa(nodes: int | None) -> Host:
    return host(2, cpu_cores=16, numa_nodes=nodes)


@pytest.mark.parametrize(("nodes", "wide_vm"), [(None, 2e-3), (1, 2e-3), (4, 2e-3), (4, 0.0)])
def test_a_vm_goes_where_it_fits_a_numa_node_if_it_can(nodes: int | None, wide_vm: float) -> None:
    """Host-2 is a little better by load; of its four nodes each has 4 cores for a VM with 8 vCPUs."""
    vms = [vm(n, on=1, vcpus=8, cpu_demand_mhz=3000.0) for n in range(1, 7)]
    vms += [vm(7, on=3, vcpus=1, cpu_demand_mhz=100.0)]
    hosts = [host(1, cpu_cores=16), numa(nodes), host(3, cpu_cores=16, numa_nodes=1)]
    policy = replace(RELIEF, prices=Prices(wide_vm=wide_vm))
    is_shunned = nodes == 4 and wide_vm > 0.0
    assert targets(snapshot(hosts, vms), policy) == {"host-3" if is_shunned else "host-2"}


def test_a_vm_that_is_too_wide_for_every_host_is_moved_as_any_other() -> None:
    vms = [vm(n, on=1, vcpus=8, cpu_demand_mhz=3000.0) for n in range(1, 7)]
    hosts = [host(n, cpu_cores=16, numa_nodes=4) for n in (1, 2)]
    assert len(draft_of(snapshot(hosts, vms), RELIEF).moves) > 0


@pytest.mark.parametrize(("weights", "kept"), [((1.0, 5.0), "b"), ((5.0, 1.0), "a")])
def test_of_two_should_rules_that_contradict_the_heavier_is_obeyed(
    weights: tuple[float, float], kept: str
) -> None:
    wishes = [
        rule("a", RuleType.VM_HOST_AFFINE, [1], on=[2], mandatory=False, weight=weights[0]),
        rule("b", RuleType.VM_HOST_AFFINE, [1], on=[3], mandatory=False, weight=weights[1]),
    ]
    snap = snapshot([host(1), host(2), host(3)], [vm(1, on=1)], wishes)
    draft = draft_of(snap)
    assert moves_of(draft) == {"vm-1": "host-2" if kept == "a" else "host-3"}
    assert {move.reason for move in draft.moves} == {MoveReason.SHOULD_RULE}


def test_a_should_rule_of_little_weight_is_not_worth_an_uneven_cluster() -> None:
    vms = [vm(1, on=1, cpu_demand_mhz=9000.0), vm(2, on=2, cpu_demand_mhz=9000.0)]
    for weight, moves in ((0.01, 0), (50.0, 1)):
        wish = rule("together", RuleType.AFFINITY, [1, 2], mandatory=False, weight=weight)
        snap = snapshot([host(1, cpu_capacity_mhz=40_000.0), host(2)], vms, [wish])
        assert len(draft_of(snap, RELIEF).moves) == moves
