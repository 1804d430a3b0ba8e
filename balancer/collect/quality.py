"""Is a snapshot fit to act on? Age, fresh samples, permissions, lost hosts, each answered with a refusal.

Looks at one snapshot and never asks the source again; what only a comparison with the last cycle shows
is judged in `continuity`. It refuses, it does not decide: the cycle turns the reasons of
`model.reasons.UNFIT` into "nothing is moved" and `HOSTS_LOST` into "only evacuation and rule repair".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from balancer.model.host import Host
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import percent
from balancer.model.vm import Vm
from balancer.policy.types import Limits


def judge_quality(snapshot: Snapshot, limits: Limits, *, now: datetime) -> tuple[Refusal, ...]:
    """Return why `snapshot` is not fit to act on at `now`; empty where it is.

    Lost hosts (disconnected, not responding) have a gate of their own and are left out of the two
    gates of completeness, and so are the VMs on them: one crashed host of eight must not keep another
    host from being evacuated. Hosts in standby or maintenance serve nothing and are not asked for
    figures. A sample whose time is not known counts as fresh: only its figures can be asked for.
    """
    answers = (
        _judge_age(snapshot, limits, now),
        _judge_hosts(snapshot, limits, now),
        _judge_vms(snapshot, limits, now),
        _judge_permissions(snapshot, limits),
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


def _judge_hosts(snapshot: Snapshot, limits: Limits, now: datetime) -> Refusal | None:
    """Refuse where too many hosts show no fresh figures, neither their own nor those of all their VMs."""
    asked = [host for host in snapshot.hosts if host.state.answers and not host.state.is_idle]
    silent = [host for host in asked if not _shows_usage(host)]
    if silent:
        blind = {vm.host for vm in snapshot.running_vms if not _has_figures(vm)}
        silent = [host for host in silent if host.id in blind]
    dumb = {host.id for host in silent}
    old = _count_old((host.sampled_at for host in asked if host.id not in dumb), limits, now)
    shares = _Shares(asked=len(asked), silent=len(silent), old=old, what="hosts")
    return _judge_shares(shares, limits.fresh_hosts_ratio, limits)


def _judge_vms(snapshot: Snapshot, limits: Limits, now: datetime) -> Refusal | None:
    """Refuse where too many running VMs within reach show no fresh demand, or could not be read at all."""
    lost = {host.id for host in _lost_hosts(snapshot)}
    unread = snapshot.source.rejected_objects
    asked = [vm for vm in snapshot.running_vms if vm.host not in lost]
    shown = [vm for vm in asked if _has_figures(vm)]
    silent = unread + len(asked) - len(shown)
    old = _count_old((vm.sampled_at for vm in shown), limits, now)
    shares = _Shares(asked=unread + len(asked), silent=silent, old=old, what="running VMs")
    return _judge_shares(shares, limits.fresh_vms_ratio, limits)


def _judge_permissions(snapshot: Snapshot, limits: Limits) -> Refusal | None:
    """Refuse where properties are hidden: what is not shown may be what forbids a move."""
    denied = snapshot.source.denied_objects
    if denied <= limits.denied_objects_at_most:
        return None
    detail = (
        f"vCenter hides properties of {denied} hosts and VMs from the account, allowed are"
        f" {limits.denied_objects_at_most}"
    )
    return Refusal.of(Reason.PERMISSION_HOLES, detail)


def _judge_lost(snapshot: Snapshot, limits: Limits) -> Refusal | None:
    lost = _lost_hosts(snapshot)
    too_many = len(lost) > limits.lost_hosts_at_most
    if not too_many and len(lost) <= limits.lost_hosts_ratio * len(snapshot.hosts):
        return None
    names = ", ".join(host.name for host in lost)
    detail = f"{len(lost)} of {len(snapshot.hosts)} hosts are out of reach: {names}"
    return Refusal.of(Reason.HOSTS_LOST, detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shares:
    """Objects that were asked for figures; those that show none, and those whose figures are old."""

    asked: int
    silent: int
    old: int
    what: str


def _judge_shares(shares: _Shares, wanted_ratio: float, limits: Limits) -> Refusal | None:
    """Refuse where too few are fresh: as partial where most of the others are silent, else as stale."""
    asked, silent, old = shares.asked, shares.silent, shares.old
    if asked - silent - old >= wanted_ratio * asked:
        return None
    detail = f"{silent} of {asked} {shares.what} show no figures"
    if old:
        detail += f", {old} none newer than {limits.sample_age_s:.0f} s"
    detail += f", wanted are {percent(wanted_ratio)} that do"
    reason = Reason.SNAPSHOT_PARTIAL if silent >= old else Reason.SNAPSHOT_STALE
    return Refusal.of(reason, detail)


def _count_old(times: Iterable[datetime | None], limits: Limits, now: datetime) -> int:
    ages_s = ((now - at).total_seconds() for at in times if at is not None)
    return sum(1 for age_s in ages_s if age_s > limits.sample_age_s)


def _lost_hosts(snapshot: Snapshot) -> Sequence[Host]:
    return [host for host in snapshot.hosts if not host.state.answers]


def _shows_usage(host: Host) -> bool:
    return host.cpu_usage_mhz is not None and host.memory_usage_mib is not None


def _has_figures(vm: Vm) -> bool:
    """Whether both CPU and memory demand can be told from something measured or forecast."""
    has_cpu = (
        vm.cpu_demand_mhz is not None
        or vm.cpu_usage_mhz is not None
        or bool(vm.profile and vm.profile.cpu_demand_mhz)
    )
    has_memory = (
        vm.memory_active_mib is not None
        or vm.memory_consumed_mib is not None
        or vm.memory_granted_mib is not None
        or bool(vm.profile and vm.profile.memory_demand_mib)
    )
    return has_cpu and has_memory
