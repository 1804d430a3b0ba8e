"""What a recording knows beside the demand of VMs: rules, pools, groups, settings of VMs, states of hosts.

A replay stands on it: see `lab.scene`. A trace of another origin has none of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from balancer.model.host import HostState
from balancer.model.rule import Rule
from balancer.model.snapshot import Cluster, ResourcePool, Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Vm


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What seldom changes around the VMs, from a slot on. Hosts that are `away`, not there, are in maintenance."""

    slot: int
    cluster: Cluster
    rules: tuple[Rule, ...]
    resource_pools: tuple[ResourcePool, ...]
    states: Mapping[HostId, HostState]
    away: frozenset[HostId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """From a slot on a VM has other settings. Size, power, figures and host of `vm` say nothing."""

    slot: int
    vm: Vm


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """From a slot on a VM, by its name in the trace, stood on another host in the recording."""

    slot: int
    vm: str
    host: HostId


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """`base` is the cluster as it was first, with every VM of the trace by its name there, as it was first seen.

    It has every host that is ever there, as it was first seen; those that are `away` at first are in maintenance.
    `frames`, `seen` and `stood` are changes in the order of time. Rules speak of hosts and VMs of `base` alone.
    """

    base: Snapshot
    away: frozenset[HostId] = frozenset()
    frames: tuple[Frame, ...] = ()
    seen: tuple[Seen, ...] = ()
    stood: tuple[Stood, ...] = ()

    @property
    def away_from(self) -> tuple[tuple[int, frozenset[HostId]], ...]:
        """Return the hosts that are not there from a slot on until the next one given, by slot."""
        return ((0, self.away), *((frame.slot, frame.away) for frame in self.frames))

    def from_slot(self, first: int) -> "Recorded":
        """Return the same with all that changed up to a slot in `base`, and slots counted from there."""
        base, away = self.base, self.away
        for frame in self.frames:
            if frame.slot <= first:
                base, away = with_frame(base, frame), frame.away
        latest = {one.vm.id: one.vm for one in self.seen if one.slot <= first}
        places = {one.vm: one.host for one in self.stood if one.slot <= first}
        vms = (replace(latest.get(vm.id, vm), host=places.get(vm.name, vm.host)) for vm in base.vms)
        return Recorded(
            base=replace(base, vms=tuple(vms)),
            away=away,
            frames=_after(first, self.frames),
            seen=_after(first, self.seen),
            stood=_after(first, self.stood),
        )


_Id = TypeVar("_Id", bound=str)


def unique_names(given: Mapping[_Id, str]) -> dict[_Id, str]:
    """Return names by id: the given ones, or with the id where several have it."""
    counts = Counter(given.values())
    return {key: name if counts[name] == 1 else f"{name} ({key})" for key, name in given.items()}


_Change = TypeVar("_Change", Frame, Seen, Stood)


def _after(first: int, changes: tuple[_Change, ...]) -> tuple[_Change, ...]:
    return tuple(replace(one, slot=one.slot - first) for one in changes if one.slot > first)


def with_frame(base: Snapshot, frame: Frame) -> Snapshot:
    """Return a snapshot with what a frame says."""
    hosts = (replace(host, state=frame.states.get(host.id, host.state)) for host in base.hosts)
    return replace(
        base,
        cluster=frame.cluster,
        rules=frame.rules,
        resource_pools=frame.resource_pools,
        hosts=tuple(hosts),
    )


def within(
    rules: Iterable[Rule], vms: frozenset[VmId], hosts: frozenset[HostId]
) -> tuple[Rule, ...]:
    """Return rules that speak of some VMs and hosts alone; one that binds VMs to no host left lets them nowhere."""
    return tuple(
        replace(
            rule,
            vms=tuple(vm for vm in rule.vms if vm in vms),
            hosts=rule.hosts & hosts,
            domains=tuple(domain & hosts for domain in rule.domains if domain & hosts),
        )
        for rule in rules
    )


def with_hosts(cluster: Cluster, hosts: Sequence[HostId] | frozenset[HostId]) -> Cluster:
    """Return the cluster with the hosts kept for HA that are among some hosts."""
    spare = cluster.ha.failover_hosts & frozenset(hosts)
    return replace(cluster, ha=replace(cluster.ha, failover_hosts=spare))
