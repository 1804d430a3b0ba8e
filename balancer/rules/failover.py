"""Law of the end of a plan: host failures that could be survived before can be survived after it.

Judges a placement, not a move: whether the VMs of hosts that fail would find room on the others, each VM
by its size, so that spare memory in many small pieces does not count for a large VM. Pure; used by the
independent check, the cycle and the conclusion. The planner keeps the law with `plan.failover`.

Source: VMware, "vSphere Availability", vSphere 8, admission control. There admission control counts what
is reserved and refuses no migration inside the cluster; we count what VMs hold, which is more careful.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor

from balancer.model.host import Host
from balancer.model.need import Need
from balancer.model.plan import Move
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker
from balancer.policy.types import Policy
from balancer.rules.capacity import SLACK
from balancer.rules.placement import Ground, Placement

Room = tuple[float, float, float]
"""Memory held (MiB), CPU guaranteed (MHz), memory guaranteed (MiB)."""

_BOUND = (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A failure that cannot be survived: the host asked about, all that fail with it, and what is lost."""

    host: HostId
    fails: tuple[HostId, ...]
    vm: VmId  # the first that would find no host


def failures_to_tolerate(snapshot: Snapshot) -> int:
    """Return how many hosts may fail at once by the configuration of HA; 0 where HA promises nothing.

    Where only shares are reserved: the whole hosts in the smaller one that is set. Where only failover
    hosts are named: as many as there are.
    """
    ha = snapshot.cluster.ha
    if not ha.enabled:
        return 0
    by_share = floor(_share(ha) * len(snapshot.serving_hosts) + 1e-9)
    return ha.host_failures_to_tolerate or by_share or len(ha.failover_hosts)


def losses(placement: Placement) -> tuple[Loss, ...]:
    """Return the failures that cannot be survived, by host; empty where HA promises nothing.

    Looked at: each serving host, together with the fullest others where several may fail. For one host
    that is every case; for more it is a necessary test, as other sets could be worse still. Whether
    the VMs fit is tested by placing them largest first, which is sufficient: a set that is called lost may
    have a cleverer way out. VMs on their way count where they are; rules between VMs are not looked at.
    """
    count = failures_to_tolerate(placement.ground.snapshot)
    if not count:
        return ()
    found = []
    scene = _Scene(placement)
    for host in scene.serving:
        fails = scene.worst_with(host, count)
        vm = scene.first_lost(fails)
        if vm is not None:
            found.append(Loss(host=host, fails=fails, vm=vm))
    return tuple(found)


def lost_by_choice(need: Need, policy: Policy, moves: Sequence[Move]) -> tuple[Loss, ...]:
    """Return the failures that the optional moves of a plan lose.

    These are lost after all moves, but neither at the start nor after the moves of the VMs that must move.
    """
    musts = {move.vm for move in moves if move.reason.is_mandatory}
    if all(move.vm in musts for move in moves):
        return ()
    ground = Ground(need.snapshot, policy, need.demand)
    found = losses(_after(ground, moves))
    if not found:
        return ()
    excused = losses(_after(ground, ())) + losses(
        _after(ground, [m for m in moves if m.vm in musts])
    )
    hosts = {loss.host for loss in excused}
    return tuple(loss for loss in found if loss.host not in hosts)


def _after(ground: Ground, moves: Iterable[Move]) -> Placement:
    placement = Placement(ground)
    for move in moves:
        placement.move(move.vm, move.target)
    return placement


def _share(ha: Ha) -> float:
    percents = [p for p in (ha.cpu_reserve_percent, ha.memory_reserve_percent) if p > 0.0]
    return min(percents, default=0.0) / 100.0


class _Scene:
    """Who stands where, and what each host has left."""

    def __init__(self, placement: Placement) -> None:
        self._ground = placement.ground
        snapshot = placement.ground.snapshot
        self.serving = [host.id for host in snapshot.serving_hosts]
        self._takers = [host for host in snapshot.hosts if host.takes]
        self._vms: dict[HostId, list[VmId]] = {host.id: [] for host in snapshot.hosts}
        for vm, host_id in placement.host_of.items():
            self._vms[host_id].append(vm)
        self._size = {vm: self._room_of(vm) for vm in placement.host_of}
        self._held = {h: _total([self._size[vm] for vm in vms]) for h, vms in self._vms.items()}
        self._fullest = sorted(self.serving, key=lambda host: (-self._held[host][0], host))

    def worst_with(self, host: HostId, count: int) -> tuple[HostId, ...]:
        """Return a host and the fullest others, `count` in all."""
        others = [other for other in self._fullest if other != host]
        return (host, *others[: count - 1])

    def first_lost(self, fails: Sequence[HostId]) -> VmId | None:
        """Return the first VM that finds no host, None where all do. Bound VMs first, then largest first."""
        takers = [host for host in self._takers if host.id not in fails]
        left = {host.id: self._left_on(host) for host in takers}
        waiting = [vm for host in fails for vm in self._vms[host] if self._is_restarted(vm)]
        bound = [vm for vm in waiting if self._rules(vm)]
        free = [vm for vm in waiting if not self._rules(vm)]
        lost = self._seat(bound, left)
        if lost is None and not _surely_fits([self._size[vm] for vm in free], left):
            lost = self._seat(free, left)
        return lost

    def _seat(self, vms: Sequence[VmId], left: dict[HostId, Room]) -> VmId | None:
        for vm in sorted(vms, key=lambda vm: (*(-part for part in self._size[vm]), vm)):
            size = self._size[vm]
            rules = self._rules(vm)
            for host, room in left.items():
                if _fits(size, room) and all(rule.allows_host(host) for rule in rules):
                    left[host] = (room[0] - size[0], room[1] - size[1], room[2] - size[2])
                    break
            else:
                return vm
        return None

    def _rules(self, vm: VmId) -> list[Rule]:
        musts = self._ground.must_rules_of.get(vm, ())
        return [rule for rule in musts if rule.type in _BOUND]

    def _is_restarted(self, vm: VmId) -> bool:
        """Whether HA starts the VM elsewhere: all but agents, which belong to their host."""
        return Blocker.AGENT_VM not in self._ground.snapshot.vm_by_id[vm].blockers

    def _room_of(self, vm: VmId) -> Room:
        demand = self._ground.demand[vm]
        return demand.footprint_mib, demand.cpu_reserved_mhz, demand.memory_reserved_mib

    def _left_on(self, host: Host) -> Room:
        held = self._held[host.id]
        memory = host.usable_memory_mib + SLACK
        return memory - held[0], host.usable_cpu_mhz + SLACK - held[1], memory - held[2]


def _total(rooms: Sequence[Room]) -> Room:
    return sum(r[0] for r in rooms), sum(r[1] for r in rooms), sum(r[2] for r in rooms)


def _fits(size: Room, room: Room) -> bool:
    """Whether a VM fits; a guarantee of nothing fits everywhere."""
    is_guaranteed = all(size[part] <= max(room[part], 0.0) for part in (1, 2))
    return size[0] <= room[0] and is_guaranteed


def _surely_fits(sizes: Sequence[Room], left: Mapping[HostId, Room]) -> bool:
    """Whether there is so much room that placing in any order succeeds.

    A VM is turned away only by a host with less left than the largest VM holds; so much may therefore be
    lost on each. Counted are the hosts that could guarantee everything at once.
    """
    if not sizes:
        return True
    largest, total = max(size[0] for size in sizes), _total(sizes)
    calm = [room for room in left.values() if _fits((0.0, total[1], total[2]), room)]
    return total[0] <= sum(max(room[0] - largest, 0.0) for room in calm)
