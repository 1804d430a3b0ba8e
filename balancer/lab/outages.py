"""Which hosts failed in a recording and when, and what the replay makes of it.

A host that does not answer vCenter need not have failed. It counts as failed where VMs that stood on it were
started on other hosts meanwhile; and one that is not responding also where nothing speaks against it: no VM ran on
it, or the cluster has no HA that would have started it elsewhere. In all other cases vCenter only lost sight of it,
and its VMs run on. One that was in maintenance, entering it, or in standby is being worked on: it stays as it was.
Source of the states: vSphere API, `HostSystemConnectionState`: "disconnected" is a host that a person took out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.adapters.simulated.script import HostChange, HostFailure, ScriptedEvent
from balancer.lab.presence import there_of
from balancer.lab.scene import Scene
from balancer.model.host import HostState
from balancer.model.recorded import Recorded
from balancer.model.units import HostId

_IS_WORKED_ON = (HostState.MAINTENANCE, HostState.ENTERING_MAINTENANCE, HostState.STANDBY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A host does not answer from a slot on, until before another (None: to the end), when it shows as `after`."""

    host: HostId
    since: int
    until: int | None
    shown: HostState
    after: HostState = HostState.CONNECTED
    has_ha: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A silence as it is played. `has_failed`: its VMs go down; `restarts`: HA starts them on other hosts."""

    silence: Silence
    has_failed: bool
    restarts: bool


def outages_of(scene: Scene) -> tuple[Outage, ...]:
    """Return the silences of a scene's hosts, in the order of time; none where nothing was recorded."""
    recorded = scene.recorded
    if recorded is None:
        return ()
    silences = [each for host in scene.hosts for each in _silences(recorded, host.id)]
    silences.sort(key=lambda each: (each.since, each.host))
    return tuple(_judged(scene, recorded, silence) for silence in silences)


def script_of(scene: Scene) -> tuple[ScriptedEvent, ...]:
    """Return what is to happen to hosts in a replay, each at the begin of its slot."""
    return tuple(event for outage in outages_of(scene) for event in _events(outage, scene))


def serving_of(scene: Scene) -> npt.NDArray[np.bool_] | None:
    """Return which hosts are there and have not failed, (slots, hosts); None where all are, always."""
    failed = [outage.silence for outage in outages_of(scene) if outage.has_failed]
    serving = there_of(scene)
    if serving.all() and not failed:
        return None
    place = {host.id: number for number, host in enumerate(scene.hosts)}
    for silence in failed:
        serving[silence.since : silence.until, place[silence.host]] = False
    return serving


def _events(outage: Outage, scene: Scene) -> Iterator[ScriptedEvent]:
    silence, step_s = outage.silence, scene.trace.step_s
    at_s, host = silence.since * step_s, silence.host
    if outage.has_failed:
        yield HostFailure(at_s=at_s, host=host, state=silence.shown, restarts=outage.restarts)
    else:
        yield HostChange(at_s=at_s, host=host, state=silence.shown)
    if silence.until is not None:
        state = HostState.ENTERING_MAINTENANCE if silence.after in _IS_WORKED_ON else silence.after
        yield HostChange(at_s=silence.until * step_s, host=host, state=state)


def _silences(recorded: Recorded, host: HostId) -> Iterator[Silence]:
    """Yield the times at which a host was silent, but for those while it was worked on."""
    base = recorded.base
    first = base.host_by_id.get(host)
    looks = [(0, first.state if first else None, base.cluster.ha.enabled)]
    looks += [(f.slot, f.states.get(host), f.cluster.ha.enabled) for f in recorded.frames]
    before, begun = HostState.CONNECTED, None
    for slot, state, has_ha in looks:
        if state is None:
            continue  # it is not there, and shows as it did before
        if state.answers:
            if begun is not None and slot > begun[0]:
                since, shown, had_ha = begun
                yield Silence(
                    host=host, since=since, until=slot, shown=shown, after=state, has_ha=had_ha
                )
            before, begun = state, None
        elif begun is None and before not in _IS_WORKED_ON:
            begun = slot, state, has_ha
    if begun is not None:
        since, shown, had_ha = begun
        yield Silence(host=host, since=since, until=None, shown=shown, has_ha=had_ha)


def _judged(scene: Scene, recorded: Recorded, silence: Silence) -> Outage:
    on_it = _vms_on(recorded, silence)
    until = scene.trace.slots if silence.until is None else silence.until
    are_restarted = any(
        one.vm in on_it and silence.since <= one.slot <= until and one.host != silence.host
        for one in recorded.stood
    )
    is_proof = silence.has_ha and _ran(scene, on_it, silence)
    has_failed = are_restarted or (silence.shown is HostState.NOT_RESPONDING and not is_proof)
    return Outage(silence=silence, has_failed=has_failed, restarts=are_restarted or silence.has_ha)


def _vms_on(recorded: Recorded, silence: Silence) -> frozenset[str]:
    """Return the VMs that stood on a host in the recording when it fell silent, by name."""
    places = {vm.name: vm.host for vm in recorded.base.vms}
    places |= {one.vm: one.host for one in recorded.stood if one.slot < silence.since}
    return frozenset(vm for vm, host in places.items() if host == silence.host)


def _ran(scene: Scene, vms: frozenset[str], silence: Silence) -> bool:
    """Whether any of some VMs ran in the slot before a silence began."""
    trace = scene.trace
    columns = [number for number, vm in enumerate(trace.vms) if vm.name in vms]
    slot = min(max(silence.since - 1, 0), trace.slots - 1)
    return bool(np.isfinite(trace.cpu_mhz[slot, columns]).any())
