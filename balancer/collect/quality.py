"""Is a snapshot fit to act on? Age, completeness and lost hosts, each answered with a refusal.

Looks at one snapshot and never asks the source again. It refuses, it does not decide: the cycle turns
`SNAPSHOT_STALE` and `SNAPSHOT_PARTIAL` into "nothing is moved" and `HOSTS_LOST` into "only evacuation
and rule repair".
"""

from collections.abc import Sequence
from datetime import datetime

from balancer.model.host import Host, HostState
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import percent
from balancer.model.vm import Vm
from balancer.policy.types import Limits

_LOST = frozenset({HostState.DISCONNECTED, HostState.NOT_RESPONDING})
_IDLE = frozenset({HostState.STANDBY, HostState.MAINTENANCE})


def judge_quality(snapshot: Snapshot, limits: Limits, *, now: datetime) -> tuple[Refusal, ...]:
    """Return why `snapshot` is not fit to act on at `now`; empty where it is.

    Lost hosts (disconnected, not responding) have a gate of their own and are left out of the two
    gates of completeness, and so are the VMs on them: one crashed host of eight must not keep another
    host from being evacuated. Hosts in standby or maintenance serve nothing and are not asked for
    figures.
    """
    answers = (
        _judge_age(snapshot, limits, now),
        _judge_hosts(snapshot, limits),
        _judge_vms(snapshot, limits),
        _judge_lost(snapshot, limits),
    )
    return tuple(answer for answer in answers if answer is not None)


def _judge_age(snapshot: Snapshot, limits: Limits, now: datetime) -> Refusal | None:
    """Refuse a snapshot that is too old, or so far ahead of our clock that its age is not known."""
    age_s = (now - snapshot.taken_at).total_seconds()
    if abs(age_s) <= limits.snapshot_age_s:
        return None
    where = f"{age_s:.0f} s old" if age_s > 0 else f"{-age_s:.0f} s ahead of this machine's clock"
    detail = f"the snapshot is {where}, allowed are {limits.snapshot_age_s:.0f} s"
    return Refusal.of(Reason.SNAPSHOT_STALE, detail)


def _judge_hosts(snapshot: Snapshot, limits: Limits) -> Refusal | None:
    """Refuse where too many hosts show no figures, neither their own nor those of all their VMs."""
    blind = {vm.host for vm in snapshot.running_vms if not _has_figures(vm)}
    asked = [host for host in snapshot.hosts if host.state not in _LOST | _IDLE]
    silent = [host for host in asked if host.id in blind and not _shows_usage(host)]
    return _partial(len(silent), len(asked), limits.fresh_hosts_ratio, what="hosts")


def _judge_vms(snapshot: Snapshot, limits: Limits) -> Refusal | None:
    """Refuse where too many running VMs within reach show no demand, or could not be read at all."""
    lost = {host.id for host in _lost_hosts(snapshot)}
    unread = snapshot.source.rejected_objects
    asked = [vm for vm in snapshot.running_vms if vm.host not in lost]
    silent = unread + sum(1 for vm in asked if not _has_figures(vm))
    return _partial(silent, unread + len(asked), limits.fresh_vms_ratio, what="running VMs")


def _judge_lost(snapshot: Snapshot, limits: Limits) -> Refusal | None:
    lost = _lost_hosts(snapshot)
    too_many = len(lost) > limits.lost_hosts_at_most
    if not too_many and len(lost) <= limits.lost_hosts_ratio * len(snapshot.hosts):
        return None
    names = ", ".join(host.name for host in lost)
    detail = f"{len(lost)} of {len(snapshot.hosts)} hosts are out of reach: {names}"
    return Refusal.of(Reason.HOSTS_LOST, detail)


def _partial(silent: int, asked: int, wanted_ratio: float, *, what: str) -> Refusal | None:
    if asked - silent >= wanted_ratio * asked:
        return None
    detail = (
        f"{silent} of {asked} {what} show no figures, wanted are {percent(wanted_ratio)} that do"
    )
    return Refusal.of(Reason.SNAPSHOT_PARTIAL, detail)


def _lost_hosts(snapshot: Snapshot) -> Sequence[Host]:
    return [host for host in snapshot.hosts if host.state in _LOST]


def _shows_usage(host: Host) -> bool:
    return host.cpu_usage_mhz is not None and host.memory_usage_mib is not None


def _has_figures(vm: Vm) -> bool:
    """Whether both CPU and memory demand can be told from something measured or forecast."""
    profile_cpu = vm.profile.cpu_demand_mhz if vm.profile else ()
    profile_memory = vm.profile.memory_demand_mib if vm.profile else ()
    cpu = (vm.cpu_demand_mhz, vm.cpu_usage_mhz)
    memory = (vm.memory_active_mib, vm.memory_consumed_mib, vm.memory_granted_mib)
    has_cpu = bool(profile_cpu) or any(figure is not None for figure in cpu)
    return has_cpu and (bool(profile_memory) or any(figure is not None for figure in memory))
