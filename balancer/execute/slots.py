"""How many migrations each host, the cluster and the vCenter carry now, and whether one more fits.

Counts every VM once, whoever moves it: migrations of this run, open rows of the journal (earlier runs,
other clusters, unknown ends), and foreign migrations that the snapshot shows. Pure.

Source: vCenter queues what is above its own limits (`model.ceilings`); a queued task hides its start, so
that nothing is sent that would wait there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from balancer.model.ceilings import SLOW_NETWORK_MIGRATIONS, host_migrations
from balancer.model.outcome import JournalRow
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One VM on its way. `is_here` is False for another cluster of the same vCenter."""

    source: HostId
    target: HostId
    is_here: bool = True


Journeys = Mapping[VmId, Journey]


def our_journeys(moves: Iterable[Move], rows: Iterable[JournalRow], snapshot: Snapshot) -> Journeys:
    """Return what we have sent ourselves: moves of this run, and open rows of the journal."""
    found = {
        row.entry.vm: Journey(
            source=row.entry.source,
            target=row.entry.target,
            is_here=row.entry.cluster == snapshot.cluster.id,
        )
        for row in rows
    }
    return found | {m.vm: Journey(source=m.source, target=m.target) for m in moves}


def all_journeys(ours: Journeys, snapshot: Snapshot) -> Journeys:
    """Return ours and the foreign ones that `snapshot` shows."""
    shown = {
        flight.vm: Journey(source=flight.source, target=flight.target)
        for flight in snapshot.in_flight
    }
    return shown | dict(ours)


def full(move: Move, journeys: Journeys, limits: Limits, snapshot: Snapshot) -> Refusal | None:
    """Return which limit one more migration would pass, or None where it fits.

    `snapshot` tells what vCenter's own limits are on each host.
    """
    if len(journeys) >= limits.migrations_per_vcenter:
        return _no(Reason.CLUSTER_SLOTS, f"{len(journeys)} migrations run in the vCenter", move)
    here = [journey for journey in journeys.values() if journey.is_here]
    if len(here) >= limits.migrations_per_cluster:
        return _no(Reason.CLUSTER_SLOTS, f"{len(here)} migrations run in the cluster", move)
    for host in (move.source, move.target):
        busy = sum(1 for journey in here if host in (journey.source, journey.target))
        if busy >= most_on(host, limits, snapshot):
            return _no(Reason.HOST_SLOTS, f"{host} takes part in {busy} migrations", move)
    return None


def most_on(host: HostId, limits: Limits, snapshot: Snapshot) -> int:
    """Return how many migrations a host may take part in: by the policy, and by vCenter's own limit."""
    return min(limits.migrations_per_host, _ceiling(host, snapshot))


def _ceiling(host: HostId, snapshot: Snapshot) -> int:
    """Return vCenter's own limit; that of a slow network where the host is gone from the snapshot."""
    facts = snapshot.host_by_id.get(host)
    return SLOW_NETWORK_MIGRATIONS if facts is None else host_migrations(facts)


def room_for(moves: Iterable[Move], journeys: Journeys, limits: Limits, snapshot: Snapshot) -> int:
    """Return how many of these moves could start now, one after the other, beside `journeys`."""
    taken = dict(journeys)
    count = 0
    for move in moves:
        if full(move, taken, limits, snapshot) is None:
            taken[move.vm] = Journey(source=move.source, target=move.target)
            count += 1
    return count


def _no(reason: Reason, detail: str, move: Move) -> Refusal:
    return Refusal.of(reason, detail, vm=move.vm)
