"""What was recorded beside load, as a simulated vCenter shows it: at the start, and as it changes.

Owns what of a recording is taken up and what is not: figures and times of the recorded moment are left out, the
cluster's own DRS is off, because who plays is who moves VMs. Hosts are added and removed here; when they fail
and come back is told by `lab.outages`.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from balancer.adapters.simulated.estate import Estate
from balancer.lab.scene import Scene
from balancer.model.drafts import changed
from balancer.model.host import Host, HostState
from balancer.model.recorded import Frame, Seen, with_hosts, within
from balancer.model.snapshot import Cluster, Drs, Snapshot, Source, SourceKind
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Vm

CLUSTER = Cluster(id=ClusterId("domain-c1"), name="replay")
"""The cluster of a trace, which knows none."""

_NO_FIGURES: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(
        (
            *("cpu_demand_mhz", "cpu_demand_stddev_mhz", "cpu_usage_mhz", "cpu_ready_percent"),
            *("memory_active_mib", "memory_granted_mib", "memory_swapped_mib"),
            *("memory_ballooned_mib", "dirty_rate_mbps", "swap_in_mbps", "network_mbps"),
            *("sampled_at", "profile", "last_moved_at", "config_version"),
        )
    )
)
_NO_FIGURES_OF_HOST: Mapping[str, Any] = MappingProxyType(
    {"sampled_at": None, "recent_cpu_mhz": (), "recent_memory_mib": (), "is_asked_empty": False}
)


def cluster_of(scene: Scene) -> Cluster:
    """Return the cluster of a scene."""
    if scene.recorded is None:
        return CLUSTER
    return _played(scene.recorded.base.cluster, scene.hosts)


def vm_of(facts: Vm | None, **values: Any) -> Vm:
    """Return a VM with these values, and the settings that were recorded of it where any were."""
    return Vm(**values) if facts is None else changed(facts, **{**_NO_FIGURES, **values})


def around(scene: Scene, vms: tuple[Vm, ...]) -> Snapshot:
    """Return the cluster with these VMs as it is when the replay begins."""
    source = Source(kind=SourceKind.SIMULATED, name=scene.trace.name)
    start, cluster = scene.trace.start, cluster_of(scene)
    if scene.recorded is None:
        return Snapshot(taken_at=start, cluster=cluster, hosts=scene.hosts, vms=vms, source=source)
    base = scene.recorded.base
    return replace(
        base,
        taken_at=start,
        cluster=cluster,
        hosts=tuple(changed(host, **_NO_FIGURES_OF_HOST) for host in scene.hosts),
        vms=vms,
        rules=within(base.rules, frozenset(vm.id for vm in vms), _ids(scene.hosts)),
        source=replace(source, tags=base.source.tags),
        profile_slot_seconds=None,
        recent_step_seconds=None,
    )


class LaterFacts:
    """What changes in a recording after its begin, taken up in the order of time."""

    def __init__(self, scene: Scene, estate: Estate) -> None:
        recorded = scene.recorded
        self._estate, self._hosts = estate, scene.hosts
        self._frames = deque(recorded.frames if recorded else ())
        self._seen = deque(recorded.seen if recorded else ())
        self._stood = deque(recorded.stood if recorded else ())
        self._place = {vm.name: vm.host for vm in recorded.base.vms} if recorded else {}
        estate.away = (recorded.away if recorded else frozenset()) & estate.hosts.keys()
        self.keep_while_vms_run()

    def take_up(self, slot: int) -> Iterator[HostId]:
        """Let everything up to a slot come true; yield the hosts that are to be left, empty or not."""
        while self._stood and self._stood[0].slot <= slot:
            stood = self._stood.popleft()
            self._place[stood.vm] = stood.host
        while self._seen and self._seen[0].slot <= slot:
            self._set(self._seen.popleft())
        while self._frames and self._frames[0].slot <= slot:
            yield from self._surround(self._frames.popleft())

    def host_instead_of_removed(self, vm: VmId) -> HostId | None:
        """Return where the recording has a VM by now, where its own host is not there and that one is."""
        estate = self._estate
        place = self._place.get(estate.vms[vm].name)
        is_needed = estate.host_of[vm] in estate.away
        is_there = place in estate.hosts and place not in estate.away
        return place if is_needed and is_there else None

    def _set(self, seen: Seen) -> None:
        """Give a VM other settings; its size is the trace's, its place and its power are those in the replay."""
        now = self._estate.vms.get(seen.vm.id)
        if now is not None:
            kept = ("name", "uuid", "host", "vcpus", "memory_mib", "power", "memory_consumed_mib")
            self._estate.vms[now.id] = vm_of(seen.vm, **{key: getattr(now, key) for key in kept})

    def _surround(self, frame: Frame) -> Iterator[HostId]:
        estate, (cluster,) = self._estate, self._estate.snapshots
        base = estate.snapshots[cluster]
        estate.snapshots[cluster] = replace(
            base,
            cluster=replace(_played(frame.cluster, self._hosts), id=cluster),
            rules=within(frame.rules, frozenset(estate.vms), _ids(self._hosts)),
            resource_pools=frame.resource_pools,
        )
        estate.away = frame.away & estate.hosts.keys()
        for host, state in frame.states.items():
            if host in estate.state_of and state.answers and estate.state_of[host].answers:
                is_empty = estate.state_of[host].is_idle
                is_leaving = state.is_idle or state is HostState.ENTERING_MAINTENANCE
                if not is_leaving:
                    estate.state_of[host] = state
                elif not is_empty:
                    estate.state_of[host] = HostState.ENTERING_MAINTENANCE
                    yield host

    def keep_while_vms_run(self) -> None:
        """Let hosts that are not in the inventory be there, to be left, for as long as VMs run on them."""
        estate = self._estate
        for host in estate.away:
            if estate.state_of[host].is_idle and estate.running_on(host):
                estate.state_of[host] = HostState.ENTERING_MAINTENANCE


def _played(cluster: Cluster, hosts: Sequence[Host]) -> Cluster:
    return replace(with_hosts(cluster, _ids(hosts)), drs=Drs())


def _ids(hosts: Sequence[Host]) -> frozenset[HostId]:
    return frozenset(host.id for host in hosts)
