"""What a VM wants although its host does not give it: seen in ready time, in swapped and in ballooned memory.

`cpu.demand` of vCenter is not bounded by contention; usage is. A VM whose host had no CPU for it was ready and
waited: it wanted what it used, and the time for which its vCPUs waited. Memory that the host took from a guest is
what the guest had filled. Pure; the first step of `assess.demand`, and of what is remembered.

Source: vSphere API, `PerfCounterInfo`, counters `cpu.demand`, `cpu.usagemhz`, `cpu.ready`, `mem.vmmemctl` and
`mem.swapped`; `VirtualMachineQuickStats`.
"""

from dataclasses import replace

from balancer.model.drafts import changed
from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.units import Mhz, Mib
from balancer.model.vm import DemandBasis, Vm

STARVED_READY_PERCENT = 5.0
"""From so much ready time on, as the mean of its vCPUs, a VM counts as starved even where a demand is measured.

A rule of thumb that is common among administrators, not a figure of VMware's.
"""

LEAST_EXCESS = 1.01
"""Ready time is rounded: what it tells beyond a measured demand counts from 1 % on."""


def wanted_mhz(vm: Vm, host: Host) -> Mhz | None:
    """Return the CPU that a VM wants now, None where nothing is known.

    It is the demand; where there is none, usage and the time for which the vCPUs were ready and waited, at the
    speed of a core: usage + ready x vCPUs x core. The same counts for a starved VM whose demand is less. At most
    all its vCPUs at that speed are wanted, or what it used, where that was more (turbo). Without the number of the
    host's cores, or without ready time, usage stands alone. A forecast is what it is.
    """
    demand = vm.cpu_demand_mhz
    if demand is not None and not _may_be_starved(vm):
        return demand
    waiting = _used_and_waited(vm, host)
    if demand is None:
        return vm.cpu_usage_mhz if waiting is None else waiting
    return waiting if waiting is not None and waiting > demand * LEAST_EXCESS else demand


def with_reclaimed(vm: Vm, figure: Mib | None) -> Mib | None:
    """Return a memory figure and what the host has swapped and ballooned away, at most the VM's size.

    A figure above the size, as one with overhead may be, stays; None where the figure is not known.
    """
    reclaimed = (vm.memory_swapped_mib or 0.0) + (vm.memory_ballooned_mib or 0.0)
    if figure is None or not reclaimed:
        return figure
    return min(figure + reclaimed, max(vm.memory_mib, figure))


def as_wanted(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with what its running VMs want as their CPU demand: what is to be remembered of it.

    Where that is another figure than was sampled, the samples' percentile and maximum say nothing of it.
    """
    hosts = snapshot.host_by_id
    wanted = {vm.id: wanted_mhz(vm, hosts[vm.host]) for vm in snapshot.running_vms}
    others = {vm.id for vm in snapshot.running_vms if wanted[vm.id] != vm.cpu_demand_mhz}
    if not others:
        return snapshot
    vms = (
        changed(vm, cpu_demand_mhz=wanted[vm.id], cpu_demand_p95_mhz=None, cpu_demand_max_mhz=None)
        if vm.id in others
        else vm
        for vm in snapshot.vms
    )
    return replace(snapshot, vms=tuple(vms))


def _may_be_starved(vm: Vm) -> bool:
    is_waiting = (vm.cpu_ready_percent or 0.0) >= STARVED_READY_PERCENT
    return is_waiting and vm.demand_basis is DemandBasis.SAMPLED


def _used_and_waited(vm: Vm, host: Host) -> Mhz | None:
    if vm.cpu_usage_mhz is None or vm.cpu_ready_percent is None or not host.cpu_cores:
        return None
    most_mhz = vm.vcpus * host.cpu_capacity_mhz / host.cpu_cores
    waited_mhz = vm.cpu_ready_percent / 100.0 * most_mhz
    return min(vm.cpu_usage_mhz + waited_mhz, max(most_mhz, vm.cpu_usage_mhz))
