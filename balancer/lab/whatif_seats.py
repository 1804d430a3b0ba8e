"""Where VMs of failed hosts are started again, and new VMs for the first time: first fit by the planner's laws.

Each VM waits on a host of its own that is not there, so that the very judges of moves judge it. Guaranteed to
break no law that a move must keep, but for what holds only a running VM (its migration, its DRS override).
Pure. Source of what HA restarts: VMware, "vSphere Availability", vSphere 8, "vSphere HA: Virtual Machine
Restart": VMs of a failed host are started on other hosts; agents and VMs bound to a device of it are not.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from balancer.adapters.simulated.admission import BOUND_TO_HOST
from balancer.assess.reading import read_need
from balancer.lab.whatif_change import Assumed
from balancer.model.host import NO_FEATURES, Host, HostState
from balancer.model.past import Past
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Automation, PowerState, Vm
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy
from balancer.rules.judge import judge_move
from balancer.rules.placement import Candidate, Ground, Placement

_WAITING = "waiting/"
"""Begins the ids of the hosts that are not there; no managed-object id has a slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A VM that found a host. `source` is the host that failed, None for a new VM."""

    vm: VmId
    name: str
    source: HostId | None
    target: HostId


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """A VM that finds no host. `why` has the first refusal of each host, alike ones counted together."""

    vm: VmId
    name: str
    source: HostId | None
    why: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seated:
    """The snapshot after all restarts; VMs that found no host are off, new ones are not in it."""

    snapshot: Snapshot
    seats: tuple[Seat, ...]
    unplaced: tuple[Unplaced, ...]


def seat_all(assumed: Assumed, policy: Policy) -> Seated:
    """Place the running VMs of failed hosts, then the new VMs: those bound by rules first, then the largest.

    Each goes to the host with the most free memory that every law allows; hosts of VMs that must be with it
    are tried before. Demand of failed hosts' VMs is what it was before the failure.
    """
    restarted = [vm for vm in assumed.snapshot.running_vms if vm.host in assumed.failed]
    if not restarted and not assumed.new_vms:
        return Seated(snapshot=assumed.snapshot, seats=(), unplaced=())
    scene = _Scene(assumed, policy, (*restarted, *assumed.new_vms))
    seats, unplaced = list[Seat](), list[Unplaced]()
    for group in (restarted, assumed.new_vms):
        for vm in scene.ordered(group):
            source = vm.host if vm.host in assumed.failed else None
            found = scene.seat(vm)
            if isinstance(found, tuple):
                unplaced.append(Unplaced(vm=vm.id, name=vm.name, source=source, why=found))
            else:
                seats.append(Seat(vm=vm.id, name=vm.name, source=source, target=found))
    return Seated(snapshot=_settled(assumed, seats), seats=tuple(seats), unplaced=tuple(unplaced))


def _settled(assumed: Assumed, seats: Sequence[Seat]) -> Snapshot:
    at = {seat.vm: seat.target for seat in seats}
    base = assumed.snapshot
    kept = [_after_failure(vm, at) if vm.host in assumed.failed else vm for vm in base.vms]
    new = [replace(vm, host=at[vm.id]) for vm in assumed.new_vms if vm.id in at]
    return replace(base, vms=(*kept, *new))


def _after_failure(vm: Vm, at: dict[VmId, HostId]) -> Vm:
    if not vm.is_running:
        return vm
    if vm.id in at:
        return replace(vm, host=at[vm.id])
    return replace(vm, power=PowerState.OFF)


class _Scene:
    """The cluster while VMs wait: a placement in which each of them stands on a host of its own."""

    def __init__(self, assumed: Assumed, policy: Policy, vms: Sequence[Vm]) -> None:
        waiting = {vm.id: _waiting(vm, assumed.snapshot) for vm in vms}
        base = assumed.snapshot
        others = [vm for vm in base.vms if vm.id not in waiting]
        moved = [replace(_startable(vm), host=waiting[vm.id].id) for vm in vms]
        hosts = (_linked(host) for host in (*base.hosts, *waiting.values()))
        staged = replace(base, hosts=tuple(hosts), vms=(*others, *moved))
        resolved = resolve(staged, policy)
        need, wanted = read_need(resolved, policy, unfit=(), past=Past(), now=base.taken_at)
        self._bound = {vm.id: set(vm.blockers) & BOUND_TO_HOST for vm in vms}
        self._placement = Placement(Ground(need.snapshot, wanted, need.demand))
        self._takers = [h for h in need.snapshot.hosts if h.takes and not _is_waiting(h.id)]

    def ordered(self, vms: Sequence[Vm]) -> list[Vm]:
        """Return VMs in the order in which they are placed."""
        musts, demand = self._placement.ground.must_rules_of, self._placement.ground.demand
        return sorted(vms, key=lambda vm: (vm.id not in musts, -demand[vm.id].footprint_mib, vm.id))

    def seat(self, vm: Vm) -> HostId | tuple[Refusal, ...]:
        """Place a VM and return its host, or why no host takes it."""
        if self._bound[vm.id]:
            reason = Reason(min(self._bound[vm.id]).value)
            detail = "it is bound to its host and is not started on another one"
            return (Refusal.of(reason, detail, vm=vm.id),)
        refusals = []
        for host in self._tried(vm.id):
            move = Candidate(vm=vm.id, target=host.id, is_mandatory=True)
            refusal = judge_move(self._placement, move)
            if refusal is None:
                self._placement.move(vm.id, host.id)
                return host.id
            refusals.append(refusal)
        return _grouped(refusals)

    def _tried(self, vm: VmId) -> list[Host]:
        placement = self._placement
        rules = placement.ground.musts(vm, RuleType.AFFINITY)
        beside = {
            placement.host_of[mate] for r in rules for mate in r.vms if mate in placement.host_of
        }

        def rank(host: Host) -> tuple[bool, float, str]:
            free = host.usable_memory_mib - placement.footprint_mib[host.id]
            return host.id not in beside, -free, host.id

        return sorted(self._takers, key=rank)


def _waiting(vm: Vm, snapshot: Snapshot) -> Host:
    """Return the host that is not there: of no processors in particular, and in no group."""
    name = _WAITING + vm.id
    return replace(
        snapshot.host_by_id[vm.host],
        id=HostId(name),
        name=name,
        state=HostState.CONNECTED,
        cpu_vendor=None,
        max_evc_mode=None,
        groups=frozenset(),
        tags=frozenset(),
        is_asked_empty=False,
    )


def _linked(host: Host) -> Host:
    """Return the host with vMotion: to start a VM takes none."""
    return replace(host, vmotion=replace(host.vmotion, enabled=True, encrypted_supported=True))


def _is_waiting(host: HostId) -> bool:
    return host.startswith(_WAITING)


def _startable(vm: Vm) -> Vm:
    """Return the VM as it is started: nothing that holds a running VM counts, nor what its processor had.

    Its own EVC mode does. Source: vSphere API, `VirtualMachineRuntimeInfo`: `minRequiredEVCModeKey` and
    `featureRequirement` are of the running VM.
    """
    return replace(
        vm,
        blockers=(),
        automation=Automation.FULLY_AUTOMATED,
        encryption=None,
        min_evc_mode=None,
        cpu_features=NO_FEATURES,
    )


def _grouped(refusals: Sequence[Refusal]) -> tuple[Refusal, ...]:
    """Return the refusals with one for each reason, most frequent first; the first of each has its facts."""
    counts = Counter(refusal.reason for refusal in refusals)
    first = {refusal.reason: refusal for refusal in reversed(refusals)}
    ranked = sorted(counts, key=lambda reason: (-counts[reason], reason))
    return tuple(replace(first[reason], count=counts[reason]) for reason in ranked)
