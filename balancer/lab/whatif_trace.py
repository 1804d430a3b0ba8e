"""What a change makes of a scene: the trace with added VMs, the hosts that are left, and where VMs start then.

The change holds from the first slot on. VMs of hosts that are gone, and new ones, start where `whatif_seats`
puts them. Pure; what comes of it is `whatif_replayed`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from balancer.lab.scene import Scene
from balancer.lab.whatif_change import Assumed, Change, assume
from balancer.lab.whatif_seats import Seat, Seated, Unplaced, seat_all
from balancer.lab.world import snapshot_of, vm_ids
from balancer.model.history import Figures
from balancer.model.host import HostState
from balancer.model.recorded import Recorded
from balancer.model.snapshot import Snapshot
from balancer.model.trace import Resize, Trace, TraceVm
from balancer.model.units import HostId, Mhz, Mib, VmId
from balancer.model.vm import PowerState, Vm
from balancer.policy.types import Policy

_MEASURED = np.float32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChangedScene:
    """A scene after a change. `scene` is without the VMs that found no host.

    `seats` are those that start on another host than in the trace, and new ones. Ids of VMs are those that were
    recorded; of VMs of a trace without any, and of new ones, they are their names.
    """

    scene: Scene
    assumed: Assumed
    seats: tuple[Seat, ...]
    unplaced: tuple[Unplaced, ...]
    seated_mib: Mib


def change_scene(scene: Scene, change: Change, policy: Policy) -> ChangedScene:
    """Return the scene with the change in it, VMs placed by the laws of a policy.

    VMs are placed by what they want in the first slot in which they run; one that is off at first gets a host
    as if it ran, because it has to start somewhere later. VMs that never run are left out with their host.

    Raises:
        InputError: the change cannot be meant so; everything wrong is named.
    """
    ids = _ids(scene)
    first = _first_slots(scene, ids)
    assumed = assume(first, change, source="the trace")
    gone = assumed.removed | assumed.failed
    seated = seat_all(_with_lost(assumed, gone), policy)
    at = {seat.vm: seat.target for seat in seated.seats}
    stays = {vm.id: vm.host for vm in first.vms if vm.host not in gone}
    name_of = {vm.id: vm.name for vm in (*first.vms, *assumed.new_vms)}
    places = {name_of[vm]: host for vm, host in (stays | at).items()}
    held = {vm.id: vm.footprint_mib for vm in seated.snapshot.vms}
    changed = Scene(
        trace=_trace(scene.trace, ids, assumed, places),
        hosts=tuple(host for host in assumed.snapshot.hosts if host.id not in gone),
        placement=places,
        start=f"{scene.start}, changed",
        idle_consumed=scene.idle_consumed,
        recorded=_recorded(scene.recorded, assumed, places),
    )
    return ChangedScene(
        scene=changed,
        assumed=assumed,
        seats=seated.seats,
        unplaced=seated.unplaced,
        seated_mib=_moved_mib(seated, held),
    )


def _moved_mib(seated: Seated, held: Mapping[VmId, Mib]) -> Mib:
    return sum(held[seat.vm] for seat in seated.seats if seat.source is not None)


def _ids(scene: Scene) -> tuple[VmId, ...]:
    if scene.recorded is not None:
        return vm_ids(scene)
    return tuple(VmId(vm.name) for vm in scene.trace.vms)


def _recorded(
    recorded: Recorded | None, assumed: Assumed, places: Mapping[str, HostId]
) -> Recorded | None:
    """Return what was recorded with the hosts and VMs that are new; a new VM has the settings of its model."""
    if recorded is None:
        return None
    new = (replace(vm, host=places[vm.name]) for vm in assumed.new_vms if vm.name in places)
    base = recorded.base
    return replace(
        recorded, base=replace(base, hosts=assumed.snapshot.hosts, vms=(*base.vms, *new))
    )


def _first_slots(scene: Scene, ids: Sequence[VmId]) -> Snapshot:
    """Return the cluster at the beginning, each VM with the figures of the first slot in which it runs."""
    trace = scene.trace
    bare = snapshot_of(scene, ids)
    runs = np.isfinite(trace.cpu_mhz)
    first, every = runs.argmax(axis=0), np.arange(len(trace.vms))
    consumed = trace.memory_mib * np.nan if trace.consumed_mib is None else trace.consumed_mib
    cpu, active, held = (
        figures[first, every].tolist() for figures in (trace.cpu_mhz, trace.memory_mib, consumed)
    )
    ever = np.asarray(runs.any(axis=0)).tolist()
    place_of = {vm: place for place, vm in enumerate(ids)}
    vms = tuple(
        _with_figures(vm, (cpu[place], active[place], held[place]), scene) if ever[place] else vm
        for vm in bare.vms
        for place in (place_of[vm.id],)
    )
    return replace(bare, vms=vms)


def _with_figures(vm: Vm, figures: tuple[Mhz, Mib, Mib], scene: Scene) -> Vm:
    """Return a VM with demand, active and consumed memory as in the replay; unknown active memory counts as all."""
    cpu_mhz, active_mib, consumed_mib = figures
    active = active_mib if np.isfinite(active_mib) else vm.memory_mib
    by_rule = active + scene.idle_consumed * max(vm.memory_mib - active, 0.0)
    return replace(
        vm,
        cpu_demand_mhz=cpu_mhz,
        memory_active_mib=active,
        memory_consumed_mib=consumed_mib if np.isfinite(consumed_mib) else by_rule,
    )


def _with_lost(assumed: Assumed, gone: frozenset[HostId]) -> Assumed:
    """Return the change with all hosts that are gone as failed, and their VMs that run at any time as running."""
    base = assumed.snapshot
    hosts = (replace(h, state=HostState.NOT_RESPONDING) if h.id in gone else h for h in base.hosts)
    vms = (replace(vm, power=PowerState.ON) if _wakes(vm, gone) else vm for vm in base.vms)
    snapshot = replace(base, hosts=tuple(hosts), vms=tuple(vms))
    return replace(assumed, snapshot=snapshot, failed=gone, removed=frozenset())


def _wakes(vm: Vm, gone: frozenset[HostId]) -> bool:
    return vm.host in gone and vm.cpu_demand_mhz is not None


def _trace(
    trace: Trace, ids: Sequence[VmId], assumed: Assumed, places: Mapping[str, HostId]
) -> Trace:
    """Return the trace of the VMs that have a place, new ones last."""
    number = {vm: place for place, vm in enumerate(ids)}
    new = [vm for vm in assumed.new_vms if vm.name in places]
    sized = [vm for vm in new if vm.id not in assumed.models]
    kept = [place for place, vm in enumerate(trace.vms) if vm.name in places]
    beyond = {vm.id: len(trace.vms) + place for place, vm in enumerate(sized)}
    columns = [
        *kept,
        *(beyond[vm.id] if vm.id in beyond else number[assumed.models[vm.id]] for vm in new),
    ]
    cpu = [vm.cpu_demand_mhz or 0.0 for vm in sized]
    active = [vm.memory_active_mib or 0.0 for vm in sized]
    consumed = trace.consumed_mib
    unknown = [np.nan] * len(sized)
    return replace(
        trace,
        vms=(*(trace.vms[place] for place in kept), *(_trace_vm(vm) for vm in new)),
        cpu_mhz=_with_constant(trace.cpu_mhz, cpu)[:, columns],
        memory_mib=_with_constant(trace.memory_mib, active)[:, columns],
        consumed_mib=None if consumed is None else _with_constant(consumed, unknown)[:, columns],
        resizes=_resizes(trace.resizes, columns),
    )


def _trace_vm(vm: Vm) -> TraceVm:
    uuid = str(uuid5(NAMESPACE_OID, f"what-if/{vm.name}"))
    return TraceVm(name=vm.name, vcpus=vm.vcpus, memory_mib=vm.memory_mib, uuid=uuid)


def _with_constant(figures: Figures, values: Sequence[float]) -> Figures:
    """Return figures (slots, VMs) with a column for each value, the same in all slots."""
    more = np.tile(np.array(values, dtype=_MEASURED), (len(figures), 1))
    return np.hstack([figures, more])


def _resizes(resizes: Sequence[Resize], columns: Sequence[int]) -> tuple[Resize, ...]:
    """Return the changes of size of the columns taken, in the order of time."""
    taken = (
        replace(resize, vm=place)
        for resize in resizes
        for place, column in enumerate(columns)
        if column == resize.vm
    )
    return tuple(taken)
