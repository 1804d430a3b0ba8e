"""What happened to the hosts of a cluster between two looks, and for how long it is left in peace. Pure.

After a failure of a host, and when hosts come or go, the load means little for a while: VMs start, agents
talk, caches fill. A host that a person takes into maintenance or out of it is no such thing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from balancer.model.past import Disturbance, DisturbanceKind, KnownHost, Past
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits


def known_hosts(snapshot: Snapshot, before: Sequence[KnownHost]) -> tuple[KnownHost, ...]:
    """Return the hosts as the next look is to compare with them, by id.

    A host that does not answer while it is in maintenance counts as in maintenance: it is being patched.
    """
    idle = {host.id: host.state for host in before if host.state.is_idle}
    return tuple(
        KnownHost(
            id=host.id,
            name=host.name,
            state=host.state if host.state.answers else idle.get(host.id, host.state),
        )
        for host in snapshot.hosts
    )


def disturbances(
    snapshot: Snapshot,
    hosts: Sequence[KnownHost],
    *,
    vcenter: str,
    places: Mapping[VmId, HostId],
    now: datetime,
) -> tuple[Disturbance, ...]:
    """Return what happened since the last look, which saw `hosts` and each VM at its place.

    Nothing where there was no look before. Hosts by id, then HA's restarts by the host that they left.
    """
    if not hosts:
        return ()
    before = {host.id: host for host in hosts}
    found: list[tuple[DisturbanceKind, HostId, str]] = []
    for key in sorted(before.keys() | snapshot.host_by_id.keys()):
        kind = _kind(before.get(key), snapshot, key)
        if kind:
            found.append((kind, key, f"{_name(before, snapshot, key)} {_WORDS[kind]}"))
    for key, count in sorted(_restarted(snapshot, before, places).items()):
        detail = f"{count} VMs of {_name(before, snapshot, key)} were started elsewhere"
        found.append((DisturbanceKind.HA_RESTARTS, key, detail))
    return tuple(
        Disturbance(
            vcenter=vcenter,
            cluster=snapshot.cluster.id,
            kind=kind,
            at=now,
            detail=detail,
            subject=key,
        )
        for kind, key, detail in found
    )


def new_ones(found: Iterable[Disturbance], past: Past) -> tuple[Disturbance, ...]:
    """Return those that a look which was cut short has not written already.

    The last one of a host is of the same kind only if it was written and the hosts were not: a host must come
    back before it is lost again. Restarts go on for minutes, and each extends the quiet time.
    """
    last = {d.subject: d.kind for d in past.disturbances if d.kind is not _RESTARTS}
    return tuple(d for d in found if d.kind is _RESTARTS or last.get(d.subject) is not d.kind)


def quiet_until(
    found: Iterable[Disturbance], limits: Limits, *, now: datetime
) -> tuple[datetime, Disturbance] | None:
    """Return until when the cluster is left in peace, and for what; None where it is not."""
    lasts = timedelta(seconds=limits.quiet_s)
    last = max(found, key=lambda d: (d.at, d.subject, d.kind), default=None)
    if last is None or now >= last.at + lasts:
        return None
    return last.at + lasts, last


_RESTARTS = DisturbanceKind.HA_RESTARTS

_WORDS = {
    DisturbanceKind.HOST_JOINED: "joined the cluster",
    DisturbanceKind.HOST_LEFT: "left the cluster",
    DisturbanceKind.HOST_LOST: "does not answer vCenter any more",
    DisturbanceKind.HOST_BACK: "answers vCenter again",
}


def _kind(before: KnownHost | None, snapshot: Snapshot, key: HostId) -> DisturbanceKind | None:
    host = snapshot.host_by_id.get(key)
    if before is None:
        return DisturbanceKind.HOST_JOINED
    if host is None:
        return DisturbanceKind.HOST_LEFT
    if not host.state.answers:
        is_missed = before.state.answers and not before.state.is_idle
        return DisturbanceKind.HOST_LOST if is_missed else None
    return None if before.state.answers else DisturbanceKind.HOST_BACK


def _restarted(
    snapshot: Snapshot, before: Mapping[HostId, KnownHost], places: Mapping[VmId, HostId]
) -> dict[HostId, int]:
    """Count the running VMs that left a lost host, by host: no vMotion can leave one."""
    count: dict[HostId, int] = {}
    for vm in snapshot.running_vms:
        was = places.get(vm.id)
        if was is not None and was != vm.host and _was_lost(snapshot, before, was):
            count[was] = count.get(was, 0) + 1
    return count


def _was_lost(snapshot: Snapshot, before: Mapping[HostId, KnownHost], host: HostId) -> bool:
    now, then = snapshot.host_by_id.get(host), before.get(host)
    return any(known is not None and not known.state.answers for known in (now, then))


def _name(before: Mapping[HostId, KnownHost], snapshot: Snapshot, key: HostId) -> str:
    host = snapshot.host_by_id.get(key)
    return host.name if host else before[key].name
