"""What a host uses, split over its VMs: for exports that have figures of hosts and none of VMs.

An assumption, made only where it is asked for, and told with the result. CPU goes by vCPUs, memory by size.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.model.vm import Vm


@dataclass(slots=True)
class _Count:
    """What was split and what was not."""

    cpu: int = 0
    memory: int = 0
    mute: int = 0


def split_usage(snapshot: Snapshot) -> tuple[Snapshot, str]:
    """Return the snapshot with shares for the running VMs that have no figure, and what was assumed in words.

    What VMs with figures use is taken off first. No VM gets more than its vCPUs or its size can use; what the
    hypervisor itself uses is in the shares, so that they are rather too large.
    """
    on_host: dict[str, list[Vm]] = defaultdict(list)
    for vm in snapshot.running_vms:
        on_host[vm.host].append(vm)
    count, filled = _Count(), dict[VmId, Vm]()
    for host in snapshot.hosts:
        filled |= _filled(host, on_host[host.id], count)
    vms = tuple(filled.get(vm.id, vm) for vm in snapshot.vms)
    told = (
        f"Assumed, not measured: {count.cpu:,} VMs got a share of their host's CPU use by their vCPUs, and "
        f"{count.memory:,} a share of its memory use by their size; what the hypervisor uses is in it"
    )
    if count.mute:
        told += f". {count.mute:,} hosts show no use of their own: their VMs stay unknown"
    return replace(snapshot, vms=vms), told


def _filled(host: Host, vms: Sequence[Vm], count: _Count) -> Mapping[VmId, Vm]:
    by_id = {vm.id: vm for vm in vms}
    no_cpu = [vm for vm in vms if vm.cpu_demand_mhz is None and vm.cpu_usage_mhz is None]
    no_memory = [
        vm for vm in vms if vm.memory_active_mib is None and vm.memory_consumed_mib is None
    ]
    lacks = (no_cpu and host.cpu_usage_mhz is None, no_memory and host.memory_usage_mib is None)
    count.mute += int(any(lacks))
    if no_cpu and host.cpu_usage_mhz is not None:
        left = host.cpu_usage_mhz - sum(vm.cpu_usage_mhz or 0.0 for vm in vms)
        core = host.cpu_capacity_mhz / (host.cpu_cores or 1)
        for vm, share in zip(no_cpu, _shares(left, [vm.vcpus for vm in no_cpu]), strict=True):
            by_id[vm.id] = replace(by_id[vm.id], cpu_usage_mhz=min(share, vm.vcpus * core))
        count.cpu += len(no_cpu)
    if no_memory and host.memory_usage_mib is not None:
        left = host.memory_usage_mib - sum(vm.memory_consumed_mib or 0.0 for vm in vms)
        sizes = [vm.memory_mib for vm in no_memory]
        for vm, share in zip(no_memory, _shares(left, sizes), strict=True):
            by_id[vm.id] = replace(by_id[vm.id], memory_consumed_mib=min(share, vm.memory_mib))
        count.memory += len(no_memory)
    return by_id


def _shares(amount: float, weights: Sequence[float]) -> list[float]:
    whole = sum(weights)
    return [max(amount, 0.0) * weight / whole for weight in weights]
