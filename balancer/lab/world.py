"""The simulated vCenter of a replay: hosts and VMs whose demand is that of a trace.

What it shows at a moment is the last slot that is over, as a real vCenter shows means of the last minutes. VMs
are switched on and off and resized as the trace says, once no migration holds them. Migrations take the time
and the slots that they take in `adapters.simulated`. Rules, pools, settings of VMs and states of hosts are those
that were recorded, where a recording is played, and change when they changed there; see `lab.surroundings`.
Hosts that fail in it, fail in the replay; see `lab.outages`.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from math import isnan

import numpy as np

from balancer.adapters.simulated.clock import VirtualClock
from balancer.adapters.simulated.demand import Wants
from balancer.adapters.simulated.script import ScriptedEvent
from balancer.adapters.simulated.vcenter import SimulatedVCenter
from balancer.lab.outages import script_of
from balancer.lab.result import StartMark
from balancer.lab.scene import Scene
from balancer.lab.surroundings import LaterFacts, around, cluster_of, vm_of
from balancer.model.snapshot import Snapshot
from balancer.model.trace import Resize
from balancer.model.units import HostId, Mhz, Mib, Seconds, VmId
from balancer.model.vm import PowerState, Vm
from balancer.ports import ClusterRef


class ReplayedVCenter(SimulatedVCenter):
    """A vCenter with one cluster that lives through a trace."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene = scene
        self.ids = vm_ids(scene)
        self.cluster = cluster_of(scene)
        self._replayed = _Replayed(scene, self.ids)
        self._waiting: dict[VmId, PowerState] = {}
        self._resizes = deque(scene.trace.resizes)
        self._slot = -1
        self.starts: list[StartMark] = []
        clock = VirtualClock(scene.trace.start)
        super().__init__(
            snapshot_of(scene, self.ids),
            seed,
            clock=clock,
            shape=self._replayed,
            script=script_of(scene),
        )
        self._later = LaterFacts(scene, self._estate)

    @property
    def ref(self) -> ClusterRef:
        """Return the cluster."""
        return ClusterRef(id=self.cluster.id, name=self.cluster.name)

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        """Read the cluster as it is after the last slot that is over."""
        with self._lock:
            self._catch_up()
            self._live_on(self._now_s())
            return super().snapshot(cluster)

    def live_to_the_end(self) -> None:
        """Let everything happen that is left of the trace, slot by slot."""
        trace, end_s = self.scene.trace, self.scene.trace.slots * self.scene.trace.step_s
        while True:
            with self._lock:
                self._catch_up()
                self._live_on(self._now_s())
            left_s = end_s - self.clock.monotonic()
            if left_s <= 0.0:
                return
            self.clock.sleep(min(trace.step_s, left_s))

    def _happen(self, event: ScriptedEvent) -> None:
        self._live_on(event.at_s)
        super()._happen(event)

    def _live_on(self, now_s: Seconds) -> None:
        """Take up what was recorded of the slot that shows at a moment: sizes, power, rules, settings, states."""
        slot = self._replayed.slot_at(now_s)
        if slot <= self._slot:
            return
        self._slot = slot
        for host in self._later.take_up(slot):
            self._enter_maintenance_if_empty(host)
        self._resize(slot)
        for vm, is_on in self._replayed.switched(slot):
            self._waiting[vm] = PowerState.ON if is_on else PowerState.OFF
        for vm in [vm for vm in self._waiting if self._board.of(vm) is None]:
            self._set_power(vm, self._waiting.pop(vm))
        self._later.keep_while_vms_run()

    def _set_power(self, vm: VmId, power: PowerState) -> None:
        """Switch a VM on or off; on another host where its own was removed while it was off."""
        was_on = self._estate.is_running(vm)
        super()._set_power(vm, power)
        is_on = self._estate.is_running(vm)
        target = self._later.host_instead_of_removed(vm) if is_on and not was_on else None
        if target is not None:
            self._estate.start(vm, target)
            self.starts.append(self._start_mark(vm, target))
        if was_on and not is_on:
            self._enter_maintenance_if_empty(self._estate.host_of[vm])

    def _start_mark(self, vm: VmId, target: HostId) -> StartMark:
        """Return a start as of the slot from which on the VM is on: its demand counts from there."""
        trace, moved_at = self.scene.trace, self._estate.moved_at[vm]
        moved_s = (moved_at - trace.start).total_seconds() if moved_at else 0.0
        is_on = np.isfinite(trace.cpu_mhz[: self._slot + 1, self.ids.index(vm)])
        since = self._slot + 1 - int(np.argmin(is_on[::-1]))
        at_s = max(since * trace.step_s, moved_s)
        return StartMark(vm=self._estate.vms[vm].name, host=target, at_s=at_s)

    def _resize(self, slot: int) -> None:
        while self._resizes and self._resizes[0].slot <= slot:
            resize: Resize = self._resizes.popleft()
            vm = self.ids[resize.vm]
            self._estate.vms[vm] = replace(
                self._estate.vms[vm], vcpus=resize.vcpus, memory_mib=resize.memory_mib
            )


class _Replayed:
    """`Demands` of a trace."""

    def __init__(self, scene: Scene, ids: Sequence[VmId]) -> None:
        self._scene, self._ids = scene, ids
        self._slot, self._row = -1, dict[VmId, tuple[Mhz, Mib]]()
        self._consumed: dict[VmId, Mib] = {}
        self._on = np.isfinite(scene.trace.cpu_mhz[0])

    def slot_at(self, elapsed_s: Seconds) -> int:
        """Return the slot that shows: the last one that is over, the first one while none is."""
        trace = self._scene.trace
        over = int(elapsed_s // trace.step_s) - 1
        return min(max(over, 0), trace.slots - 1)

    def switched(self, slot: int) -> list[tuple[VmId, bool]]:
        """Return the VMs that are on or off otherwise than when this was asked last, and whether they are on."""
        on = np.isfinite(self._scene.trace.cpu_mhz[slot])
        changes = np.flatnonzero(on != self._on).tolist()
        self._on = on
        return [(self._ids[number], bool(on[number])) for number in changes]

    def all_at(self, vms: Sequence[Vm], elapsed_s: Seconds) -> Sequence[Wants]:
        """Return the demand of VMs in the slot that shows; 0 for one that is off there."""
        slot = self.slot_at(elapsed_s)
        if slot != self._slot:
            cpu, memory = self._scene.trace.cpu_mhz[slot], self._scene.trace.memory_mib[slot]
            figures = zip(cpu.tolist(), memory.tolist(), strict=True)
            self._slot, self._row = slot, dict(zip(self._ids, figures, strict=True))
            self._consumed = self._consumed_in(slot)
        row, idle_consumed = self._row, self._scene.idle_consumed
        wants = [_wants(*row[vm.id], vm.memory_mib, idle_consumed) for vm in vms]
        return wants if not self._consumed else self._as_consumed(vms, wants)

    def _consumed_in(self, slot: int) -> dict[VmId, Mib]:
        """Return the consumed memory of the VMs of which the trace knows it, of those that are on."""
        trace = self._scene.trace
        if trace.consumed_mib is None:
            return {}
        figures = trace.consumed_mib[slot]
        known = np.flatnonzero(np.isfinite(figures) & np.isfinite(trace.cpu_mhz[slot]))
        return {self._ids[number]: float(figures[number]) for number in known.tolist()}

    def _as_consumed(self, vms: Sequence[Vm], wants: Sequence[Wants]) -> Sequence[Wants]:
        consumed = self._consumed
        return [
            each._replace(consumed_mib=consumed.get(vm.id, each.consumed_mib))
            for vm, each in zip(vms, wants, strict=True)
        ]


def _wants(cpu_mhz: Mhz, active_mib: Mib, size_mib: Mib, idle_consumed: float) -> Wants:
    if isnan(cpu_mhz):
        return Wants(0.0, 0.0, 0.0)
    idle_mib = max(size_mib - active_mib, 0.0)
    return Wants(cpu_mhz, active_mib, active_mib + idle_consumed * idle_mib)


def vm_ids(scene: Scene) -> tuple[VmId, ...]:
    """Return the id of each VM of the trace, by its number: the recorded one, or one that is made up."""
    vms, recorded = scene.trace.vms, scene.recorded
    if recorded is not None:
        known = {vm.name: vm.id for vm in recorded.base.vms}
        return tuple(known[vm.name] for vm in vms)
    digits = len(str(len(vms)))
    return tuple(VmId(f"vm-{number:0{digits}}") for number in range(1, len(vms) + 1))


def snapshot_of(scene: Scene, ids: Sequence[VmId]) -> Snapshot:
    """Return the cluster as it stands before the first slot is over."""
    cpu, memory = scene.trace.cpu_mhz[0], scene.trace.memory_mib[0]
    if scene.trace.consumed_mib is not None:
        consumed = scene.trace.consumed_mib[0]
        memory = np.where(np.isfinite(consumed), consumed, memory)
    facts = {} if scene.recorded is None else {vm.name: vm for vm in scene.recorded.base.vms}
    vms = tuple(
        vm_of(
            facts.get(vm.name),
            id=ids[number],
            name=vm.name,
            uuid=vm.uuid,
            host=scene.placement[vm.name],
            vcpus=vm.vcpus,
            memory_mib=vm.memory_mib,
            power=PowerState.ON if np.isfinite(cpu[number]) else PowerState.OFF,
            memory_consumed_mib=_or_none(float(memory[number])),
        )
        for number, vm in enumerate(scene.trace.vms)
    )
    return around(scene, vms)


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
