"""Demand of every running VM, read from its samples as the policy says.

Owns which figure stands in for a missing one, and says so (`Demand.is_measured`). Never invents a
figure: a VM without any CPU sample asks for nothing and is held still by `assess.need`. First step of
the assessment; planner, report and metrics take their figures from here.
"""

from collections.abc import Mapping
from types import MappingProxyType

from balancer.model.need import Demand
from balancer.model.snapshot import Snapshot
from balancer.model.units import Mhz, Mib, VmId
from balancer.model.vm import Vm
from balancer.policy.types import MemoryMetric, Policy


def demand_of(snapshot: Snapshot, policy: Policy) -> Mapping[VmId, Demand]:
    """Return the demand of each running VM, by id in the order of the snapshot."""
    return MappingProxyType({vm.id: _demand(vm, policy) for vm in snapshot.running_vms})


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


def _demand(vm: Vm, policy: Policy) -> Demand:
    cpu_mhz, memory_mib = cpu_figure(vm), memory_figure(vm, policy)
    return Demand(
        cpu_mhz=cpu_mhz or 0.0,
        memory_mib=vm.memory_mib if memory_mib is None else memory_mib,
        footprint_mib=vm.footprint_mib,
        is_measured=cpu_mhz is not None and memory_mib is not None,
    )


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
