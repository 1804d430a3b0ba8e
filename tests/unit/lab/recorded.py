"""Recordings made by the recorder of what a made-up cluster went through, and what the lab reads of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from balancer.adapters.recording import Recorder
from balancer.cli.lab_inputs import Inputs, Part, read_inputs
from balancer.config.record import Record
from balancer.lab.scene import Scene
from balancer.lab.world import ReplayedVCenter
from balancer.model.host import Host, HostState
from balancer.model.rule import Rule
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from balancer.model.vm import Vm
from tests.support import builders
from tests.support.builders import NOON

STEP_MIN = 5

Change = Callable[[Snapshot], Snapshot]


def cluster(vms: Sequence[Vm], rules: Sequence[Rule] = (), hosts: Sequence[Host] = ()) -> Snapshot:
    """Return a cluster of three hosts, or of these."""
    park = hosts or [builders.host(number, cpu_cores=8) for number in (1, 2, 3)]
    return builders.snapshot(park, vms, rules)


def record(folder: Path, begin: Snapshot, *, slots: int, **later: Change) -> Path:
    """Record a cluster that stays as it is, but for what happens at looks such as `at_3`, and from then on."""
    results: list[str] = []
    recorder = Recorder(Record(folder=folder), folder / "recording.key", results.append)
    shown = begin
    for look in range(slots):
        change = later.get(f"at_{look}")
        shown = change(shown) if change else shown
        taken_at = NOON + timedelta(minutes=STEP_MIN * look)
        recorder.put("main/prod", replace(shown, taken_at=taken_at))
        recorder.write_waiting()
    assert results == ["written"] * slots
    return folder


def added(number: int, *vms: Vm, state: HostState = HostState.CONNECTED, **facts: object) -> Change:
    """Return that a host is there from now on, with VMs on it that are new."""
    new = builders.host(number, cpu_cores=8, state=state, **facts)  # type: ignore[arg-type]
    return lambda now: replace(now, hosts=(*now.hosts, new), vms=(*now.vms, *vms))


def removed(number: int, to: int = 2) -> Change:
    """Return that a host is not there any more, and that its VMs stand on another one."""
    gone = HostId(f"host-{number}")

    def change(now: Snapshot) -> Snapshot:
        return replace(
            now,
            hosts=tuple(each for each in now.hosts if each.id != gone),
            vms=tuple(
                replace(each, host=HostId(f"host-{to}")) if each.host == gone else each
                for each in now.vms
            ),
        )

    return change


def inputs(folder: Path, *, from_day: float = 0.0) -> Inputs:
    """Return what the lab makes of a recording."""
    part = Part(from_day=from_day)
    return read_inputs(folder, None, (), part, idle_consumed=0.25, leave_out=False)


def lived(of: Scene) -> list[Snapshot]:
    """Return what a vCenter shows at the end of each slot where nobody moves anything."""
    world, seen = ReplayedVCenter(of, seed=0), []
    for _ in range(of.trace.slots):
        world.clock.sleep(of.trace.step_s - 1.0)
        seen.append(world.snapshot(world.ref))
        world.clock.sleep(1.0)
    return seen
