"""The simulated vCenter of a replay: hosts and VMs whose demand is that of a trace.

What it shows at a moment is the last slot that is over, as a real vCenter shows means of the last minutes. VMs
are switched on and off and resized as the trace says. Migrations take the time and the slots that they take
in `adapters.simulated`.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from math import isnan

import numpy as np

from balancer.adapters.simulated.clock import VirtualClock
from balancer.adapters.simulated.vcenter import SimulatedVCenter
from balancer.lab.scene import Scene
from balancer.model.snapshot import Cluster, Snapshot, Source, SourceKind
from balancer.model.trace import Resize, Trace
from balancer.model.units import ClusterId, Mhz, Mib, Seconds, VmId
from balancer.model.vm import PowerState, Vm
from balancer.ports import ClusterRef

CLUSTER = Cluster(id=ClusterId("domain-c1"), name="replay")


class ReplayedVCenter(SimulatedVCenter):
    """A vCenter with one cluster that lives through a trace."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene = scene
        self.ids = vm_ids(scene.trace)
        self._replayed = _Replayed(scene.trace, self.ids)
        self._resizes = deque(scene.trace.resizes)
        self._slot = -1
        clock = VirtualClock(scene.trace.start)
        super().__init__(snapshot_of(scene, self.ids), seed, clock=clock, shape=self._replayed)

    @property
    def ref(self) -> ClusterRef:
        """Return the cluster."""
        return ClusterRef(id=CLUSTER.id, name=CLUSTER.name)

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        """Read the cluster as it is after the last slot that is over."""
        with self._lock:
            self._catch_up()
            self._live_on()
            return super().snapshot(cluster)

    def _live_on(self) -> None:
        """Take up what the trace says of the slot that shows now: sizes, power, consumed memory."""
        slot = self._replayed.slot_at(self._now_s())
        if slot == self._slot:
            return
        self._slot = slot
        self._resize(slot)
        estate, share = self._estate, self.scene.idle_consumed
        wants = self._replayed.row(slot)
        for vm in self.ids:
            cpu_mhz, active_mib = wants[vm]
            is_on = not isnan(cpu_mhz)
            if is_on is not estate.is_running(vm) and self._board.of(vm) is None:
                estate.power_of[vm] = PowerState.ON if is_on else PowerState.OFF
            if is_on:
                facts = estate.vms[vm]
                consumed = active_mib + share * max(facts.memory_mib - active_mib, 0.0)
                estate.vms[vm] = replace(facts, memory_consumed_mib=consumed)

    def _resize(self, slot: int) -> None:
        while self._resizes and self._resizes[0].slot <= slot:
            resize: Resize = self._resizes.popleft()
            vm = self.ids[resize.vm]
            self._estate.vms[vm] = replace(
                self._estate.vms[vm], vcpus=resize.vcpus, memory_mib=resize.memory_mib
            )


class _Replayed:
    """`Demands` of a trace."""

    def __init__(self, trace: Trace, ids: Sequence[VmId]) -> None:
        self._trace, self._ids = trace, ids
        self._row: tuple[int, dict[VmId, tuple[Mhz, Mib]]] = (-1, {})

    def slot_at(self, elapsed_s: Seconds) -> int:
        """Return the slot that shows: the last one that is over, the first one while none is."""
        over = int(elapsed_s // self._trace.step_s) - 1
        return min(max(over, 0), self._trace.slots - 1)

    def row(self, slot: int) -> dict[VmId, tuple[Mhz, Mib]]:
        """Return what each VM wants in a slot; NaN for one that is off."""
        if self._row[0] != slot:
            trace = self._trace
            figures = zip(
                trace.cpu_mhz[slot].tolist(), trace.memory_mib[slot].tolist(), strict=True
            )
            self._row = slot, dict(zip(self._ids, figures, strict=True))
        return self._row[1]

    def at(self, vm: Vm, elapsed_s: Seconds) -> tuple[Mhz, Mib]:
        """Return the CPU demand and active memory in the slot that shows."""
        cpu_mhz, active_mib = self.row(self.slot_at(elapsed_s))[vm.id]
        return (0.0, 0.0) if isnan(cpu_mhz) else (cpu_mhz, active_mib)


def vm_ids(trace: Trace) -> tuple[VmId, ...]:
    """Return the id of each VM of a trace, by its number."""
    digits = len(str(len(trace.vms)))
    return tuple(VmId(f"vm-{number:0{digits}}") for number in range(1, len(trace.vms) + 1))


def snapshot_of(scene: Scene, ids: Sequence[VmId]) -> Snapshot:
    """Return the cluster as it stands before the first slot is over."""
    cpu, memory = scene.trace.cpu_mhz[0], scene.trace.memory_mib[0]
    vms = tuple(
        Vm(
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
    source = Source(kind=SourceKind.SIMULATED, name=scene.trace.name)
    return Snapshot(
        taken_at=scene.trace.start, cluster=CLUSTER, hosts=scene.hosts, vms=vms, source=source
    )


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
