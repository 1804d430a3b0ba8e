"""Demand of every running VM, read from its samples as the policy says.

Owns which figure stands in for a missing one, and says so (`Demand.is_measured`). Never invents a
figure: a VM without any CPU sample asks for nothing and is held still by `assess.need`. First step of
the assessment; planner, report and metrics take their figures from here.
"""

from collections.abc import Mapping
from types import MappingProxyType

from balancer.assess.guarantees import with_guarantees
from balancer.assess.limits import within_limits
from balancer.assess.pools import pool_tree
from balancer.model.need import Demand
from balancer.model.snapshot import Snapshot
from balancer.model.units import Mhz, Mib, VmId
from balancer.model.vm import Profile, Vm
from balancer.policy.types import MemoryMetric, Policy


def demand_of(snapshot: Snapshot, policy: Policy) -> Mapping[VmId, Demand]:
    """Return the demand of each running VM, by id in the order of the snapshot."""
    vms = snapshot.running_vms
    slots = max((_slots(vm) for vm in vms), default=0)
    demand = {vm.id: _demand(vm, policy, slots) for vm in vms}
    if snapshot.resource_pools:
        tree = pool_tree(snapshot.resource_pools, vms)
        demand = with_guarantees(snapshot, tree, within_limits(tree, demand))
    return MappingProxyType(demand)


def cpu_figure(vm: Vm) -> Mhz | None:
    """Return the CPU demand: mean of the profile, else demand, else usage; None where nothing is known."""
    if vm.profile is not None and vm.profile.cpu_demand_mhz:
        return _mean(vm.profile.cpu_demand_mhz)
    return vm.cpu_usage_mhz if vm.cpu_demand_mhz is None else vm.cpu_demand_mhz


def memory_figure(vm: Vm, policy: Policy) -> Mib | None:
    """Return the memory demand: mean of the profile, else the policy's metric, else consumed memory.

    None where none of them was measured.
    """
    if vm.profile is not None and vm.profile.memory_demand_mib:
        return _mean(vm.profile.memory_demand_mib)
    wanted = _by_metric(vm, policy)
    return vm.memory_consumed_mib if wanted is None else wanted


def _demand(vm: Vm, policy: Policy, slots: int) -> Demand:
    cpu_mhz, memory_mib = cpu_figure(vm), memory_figure(vm, policy)
    cpu = min(cpu_mhz or 0.0, _limit(vm.cpu_limit_mhz))
    memory = min(vm.memory_mib if memory_mib is None else memory_mib, _limit(vm.memory_limit_mib))
    profile = vm.profile or Profile()
    return Demand(
        cpu_mhz=cpu,
        memory_mib=memory,
        footprint_mib=vm.footprint_mib,
        cpu_variance_mhz2=(vm.cpu_demand_stddev_mhz or 0.0) ** 2,
        cpu_reserved_mhz=vm.cpu_reservation_mhz,
        memory_reserved_mib=vm.memory_reservation_mib,
        cpu_slots_mhz=_filled(profile.cpu_demand_mhz, cpu, _limit(vm.cpu_limit_mhz), slots),
        memory_slots_mib=_filled(
            profile.memory_demand_mib, memory, _limit(vm.memory_limit_mib), slots
        ),
        is_measured=cpu_mhz is not None and memory_mib is not None,
    )


def _slots(vm: Vm) -> int:
    profile = vm.profile or Profile()
    return max(len(profile.cpu_demand_mhz), len(profile.memory_demand_mib))


def _filled(given: tuple[float, ...], mean: float, limit: float, slots: int) -> tuple[float, ...]:
    """Return the demand in every slot of the horizon; a slot of which nothing is known has the mean."""
    if not slots:
        return ()
    return (*(min(value, limit) for value in given), *[mean] * (slots - len(given)))


def _limit(limit: float | None) -> float:
    """Return what a VM can get at most: a limit of None is none. Source: `ResourceAllocationInfo.limit`."""
    return float("inf") if limit is None else limit


def _by_metric(vm: Vm, policy: Policy) -> Mib | None:
    match policy.memory_metric:
        case MemoryMetric.ACTIVE:
            return _active_and_idle(vm, policy.idle_memory_share)
        case MemoryMetric.CONSUMED:
            return vm.memory_consumed_mib
        case MemoryMetric.GRANTED:
            return vm.memory_granted_mib


def _active_and_idle(vm: Vm, idle_share: float) -> Mib | None:
    active, consumed = vm.memory_active_mib, vm.memory_consumed_mib
    if active is None or consumed is None:
        return active
    return active + idle_share * max(consumed - active, 0.0)


def _mean(slots: tuple[float, ...]) -> float:
    return sum(slots) / len(slots)
