"""What forbids no vMotion and makes it slow or likely to fail: links, networks, dirty rate, swap file.

No laws: the planner prices slowness and the server refuses what it must. Told to people before a move, by
the same words as refusals.
"""

from collections.abc import Callable

from balancer.model.duration import MOST_DIRTY_RATIO, copy_mbps
from balancer.model.host import Host
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import SwapPlacement, Vm

SLOW_LINK_MBPS = 1_000.0
"""Source: vSphere API, fault `VMotionLinkCapacityLow` (below 1000 Mb/s, a warning of the server's check)."""

_MIB_PER_GIB = 1024

Caution = Callable[[Vm, Host, Host], Refusal | None]


def cautions(snapshot: Snapshot, vm: VmId, target: HostId) -> tuple[Refusal, ...]:
    """Return what an administrator should know before the VM is moved there, in the order of `CAUTIONS`."""
    moved = snapshot.vm_by_id[vm]
    hosts = snapshot.host_by_id[moved.host], snapshot.host_by_id[target]
    found = (judge(moved, *hosts) for _, _, judge in CAUTIONS)
    return tuple(caution for caution in found if caution is not None)


def _slow_link(vm: Vm, source: Host, target: Host) -> Refusal | None:
    slower = min(source, target, key=lambda host: (host.vmotion.link_mbps, host.id))
    if slower.vmotion.link_mbps > SLOW_LINK_MBPS:
        return None
    detail = f"{slower.name} has {slower.vmotion.link_mbps:,.0f} Mb/s for vMotion"
    return Refusal.of(Reason.VMOTION_LINK_SLOW, detail, vm=vm.id, host=slower.id)


def _network(vm: Vm, source: Host, target: Host) -> Refusal | None:
    here, there = source.vmotion.networks, target.vmotion.networks
    if not here or not there or here & there:
        return None
    ends = (f"{h.name} has {', '.join(sorted(h.vmotion.networks))}" for h in (source, target))
    return Refusal.of(Reason.VMOTION_NETWORK, ", ".join(ends), vm=vm.id, host=target.id)


def _dirty_rate(vm: Vm, source: Host, target: Host) -> Refusal | None:
    carried_mbps = min(copy_mbps(source), copy_mbps(target))
    dirtied_mbps = vm.dirty_rate_mbps or 0.0
    if dirtied_mbps <= MOST_DIRTY_RATIO * carried_mbps:
        return None
    detail = f"{vm.name} dirties {dirtied_mbps:,.0f} Mb/s, vMotion carries {carried_mbps:,.0f} Mb/s"
    return Refusal.of(Reason.HIGH_DIRTY_RATE, detail, vm=vm.id, host=target.id)


def _swap_file(vm: Vm, source: Host, target: Host) -> Refusal | None:
    """Return where a swap file must be made anew: a host keeps it where the other does not.

    Source: vSphere API, `VirtualMachineConfigInfoSwapPlacementType.hostLocal` ("stored in the datastore
    specified by the host if there is one, else with the VM"), `unsharedSwapVMotionSupported`.
    """
    is_local = vm.swap_placement is SwapPlacement.HOST_LOCAL
    if not is_local or source.swap_datastore == target.swap_datastore:
        return None
    size_gib = max(vm.memory_mib - vm.memory_reservation_mib, 0.0) / _MIB_PER_GIB
    keeper, other = (source, target) if source.swap_datastore else (target, source)
    detail = f"{keeper.name} keeps the swap file of {vm.name} ({size_gib:,.1f} GiB at most) apart"
    detail += f" from {other.name}'s; {vm.memory_swapped_mib or 0.0:,.0f} MiB in it are copied"
    unable = [host.name for host in (source, target) if host.unshared_swap_supported is False]
    if unable:
        detail += f"; {' and '.join(unable)} cannot do that, so vCenter will refuse it"
    return Refusal.of(Reason.SWAP_FILE, detail, vm=vm.id, host=target.id)


CAUTIONS: tuple[tuple[str, Reason, Caution], ...] = (
    ("vmotion_link", Reason.VMOTION_LINK_SLOW, _slow_link),
    ("vmotion_network", Reason.VMOTION_NETWORK, _network),
    ("dirty_rate", Reason.HIGH_DIRTY_RATE, _dirty_rate),
    ("swap_file", Reason.SWAP_FILE, _swap_file),
)
"""What is looked at, by which word it is told, and how; in the order in which they are told."""
