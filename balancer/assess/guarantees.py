"""What resource pools guarantee to their VMs beyond what these reserve themselves.

A pool's reservation belongs to its VMs together; the law of reservations asks what one VM is guaranteed
on one host, so that it is divided here. Owns that division and nothing else; limits are `assess.limits`.

Source: VMware, "vCenter Server Upgrade", vSphere 6.7: DRS divides a pool's reservation by demand first, the
rest up to the configured size. It divides anew with each run and is not known to refuse a migration for
a pool's reservation; we are more careful and let a host promise no more than it has.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.assess.pools import PoolTree
from balancer.model.host import Host
from balancer.model.need import Demand
from balancer.model.snapshot import ResourcePool, Snapshot
from balancer.model.units import Mhz, VmId
from balancer.model.vm import Vm


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a VM or a pool has reserved, what it wants, and the most it can use; floor <= want <= most."""

    floor: float
    want: float
    most: float


def with_guarantees(
    snapshot: Snapshot, tree: PoolTree, demand: Mapping[VmId, Demand]
) -> dict[VmId, Demand]:
    """Return the demand with the guarantees of the pools in `cpu_reserved_mhz` and `memory_reserved_mib`."""
    found = dict(demand)
    vms = [snapshot.vm_by_id[vm] for pool in tree.order for vm in tree.vms_in[pool.id]]
    if any(pool.cpu_reservation_mhz for pool in tree.order):
        core = _core_mhz(snapshot.hosts)
        asks = {vm.id: _cpu_ask(core, vm, demand[vm.id]) for vm in vms}
        for vm, given in divide(tree, _cpu_reservations(tree.order), asks).items():
            found[vm] = replace(found[vm], cpu_reserved_mhz=given)
    if any(pool.memory_reservation_mib for pool in tree.order):
        asks = {vm.id: _memory_ask(vm, demand[vm.id]) for vm in vms}
        for vm, given in divide(tree, _memory_reservations(tree.order), asks).items():
            found[vm] = replace(found[vm], memory_reserved_mib=given)
    return found


def divide(
    tree: PoolTree, reserved: Mapping[str, float], asks: Mapping[VmId, Ask]
) -> dict[VmId, float]:
    """Return what each VM in the tree is guaranteed; `reserved` is by pool.

    Top-down: a pool shares out what it is given among its VMs and pools. Each gets what it has reserved;
    the rest goes in proportion to demand not yet covered, and what is left then in proportion to the size
    not yet covered. What nobody can use is not given.
    """
    whole: dict[str, Ask] = {}
    for pool in reversed(tree.order):
        inside = [whole[child] for child in tree.pools_in[pool.id]]
        inside += [asks[vm] for vm in tree.vms_in[pool.id]]
        whole[pool.id] = _together(reserved[pool.id], inside)
    of_pool: dict[str, float] = {}
    of_vm: dict[VmId, float] = {}
    for pool in tree.order:
        pools, vms = tree.pools_in[pool.id], tree.vms_in[pool.id]
        amount = of_pool.get(pool.id, whole[pool.id].floor)
        parts = shares(amount, [*(whole[child] for child in pools), *(asks[vm] for vm in vms)])
        of_pool.update(zip(pools, parts, strict=False))
        of_vm.update(zip(vms, parts[len(pools) :], strict=True))
    return of_vm


def shares(amount: float, asks: Iterable[Ask]) -> list[float]:
    """Divide an amount: what is reserved, then by demand, then by size. Never less than what is reserved."""
    given = [ask.floor for ask in asks]
    for goals in ([ask.want for ask in asks], [ask.most for ask in asks]):
        open_parts = [goal - part for goal, part in zip(goals, given, strict=True)]
        rest, total = amount - sum(given), sum(open_parts)
        if rest <= 0.0 or total <= 0.0:
            continue
        ratio = min(rest / total, 1.0)
        given = [part + ratio * more for part, more in zip(given, open_parts, strict=True)]
    return given


def _together(reserved: float, inside: Iterable[Ask]) -> Ask:
    asks = list(inside)
    floor = max(reserved, sum(ask.floor for ask in asks))
    want = max(floor, sum(ask.want for ask in asks))
    return Ask(floor=floor, want=want, most=max(want, sum(ask.most for ask in asks)))


def _ask(floor: float, want: float, size: float, limit: float | None) -> Ask:
    most = max(size if limit is None else min(size, limit), floor)
    return Ask(floor=floor, want=min(max(want, floor), most), most=most)


def _core_mhz(hosts: Sequence[Host]) -> Mhz:
    """Return the speed of the fastest core that is known, else that of a whole host.

    The same for every VM wherever it is, so that no move changes what is guaranteed.
    """
    known = [host.cpu_capacity_mhz / host.cpu_cores for host in hosts if host.cpu_cores]
    return max(known or [host.cpu_capacity_mhz for host in hosts])


def _cpu_ask(core_mhz: Mhz, vm: Vm, demand: Demand) -> Ask:
    size = vm.vcpus * core_mhz
    return _ask(vm.cpu_reservation_mhz, demand.cpu_mhz, size, vm.cpu_limit_mhz)


def _memory_ask(vm: Vm, demand: Demand) -> Ask:
    return _ask(vm.memory_reservation_mib, demand.memory_mib, vm.memory_mib, vm.memory_limit_mib)


def _cpu_reservations(pools: Iterable[ResourcePool]) -> dict[str, float]:
    return {pool.id: pool.cpu_reservation_mhz or 0.0 for pool in pools}


def _memory_reservations(pools: Iterable[ResourcePool]) -> dict[str, float]:
    return {pool.id: pool.memory_reservation_mib or 0.0 for pool in pools}
