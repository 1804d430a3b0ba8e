"""Planning generated clusters of three sizes: rules repaired, both resources levelled, nothing left to do."""

from dataclasses import replace

import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.model.plan import Plan, PlanStatus
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy

SIZES = [(8, 100), (16, 400), (32, 1000)]
SEEDS = [1, 2]


def cluster(hosts: int, vms: int, seed: int) -> Snapshot:
    return generate(InventorySpec.sized(hosts, vms), seed)


def after(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """Return the snapshot as the plan leaves it."""
    target: dict[VmId, HostId] = {move.vm: move.target for move in plan.moves}
    vms = tuple(replace(vm, host=target.get(vm.id, vm.host)) for vm in snapshot.vms)
    return replace(snapshot, vms=vms)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("hosts", "vms"), SIZES, ids=[f"{h}x{v}" for h, v in SIZES])
def test_a_skewed_cluster_is_repaired_levelled_and_then_left_alone(
    hosts: int, vms: int, seed: int
) -> None:
    snapshot = cluster(hosts, vms, seed)

    plan = plan_snapshot(snapshot, Policy(), settings=PlanSettings())
    again = plan_snapshot(after(snapshot, plan), Policy(), settings=PlanSettings())

    assert plan.before.broken_must_rules == 2
    assert plan.status is PlanStatus.PLANNED
    assert plan.after.broken_must_rules == 0
    assert plan.after.cpu.stddev < plan.before.cpu.stddev
    assert plan.after.memory.stddev < plan.before.memory.stddev
    assert again.moves == ()
    assert again.status is PlanStatus.BALANCED


def test_the_same_snapshot_gives_the_same_plan() -> None:
    snapshot = cluster(16, 400, 3)
    first = plan_snapshot(snapshot, Policy(), settings=PlanSettings())
    second = plan_snapshot(snapshot, Policy(), settings=PlanSettings())

    assert replace(first, stage_seconds={}) == replace(second, stage_seconds={})


def test_a_host_entering_maintenance_is_emptied() -> None:
    snapshot = generate(InventorySpec(hosts=16, vms=400, entering_maintenance=1), 5)
    leaving = {host.id for host in snapshot.hosts if not host.state.takes}

    plan = plan_snapshot(snapshot, Policy(), settings=PlanSettings())

    assert leaving
    assert [vm.name for vm in after(snapshot, plan).running_vms if vm.host in leaving] == []
    assert plan.after.broken_must_rules == 0
