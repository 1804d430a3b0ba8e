"""How many migrations each host, the cluster and the vCenter carry now, and whether one more fits.

Counts every VM once, whoever moves it: migrations of this run, open rows of the journal (earlier runs,
other clusters, unknown ends), and foreign migrations that the snapshot shows. A policy limits how many there
are; vCenter's own limits are units of cost, of which a task that moves disks takes more. Pure.

Source: vCenter queues what is above its own limits (`model.ceilings`); a queued task hides its start, so
that nothing is sent that would wait there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from balancer.model.ceilings import (
    DATASTORE_COST,
    DATASTORE_COST_OF,
    HOST_COST,
    HOST_COST_OF,
    SLOW_NETWORK_MIGRATIONS,
    VMOTION_DATASTORE_COST,
    VMOTION_HOST_COST,
    host_migrations,
    network_migrations,
)
from balancer.model.outcome import JournalRow
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import FlightKind, Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One VM on its way, or held on its host. `is_here` is False for another cluster of the same vCenter."""

    source: HostId
    target: HostId
    is_here: bool = True
    kind: FlightKind = FlightKind.VMOTION

    @property
    def is_migration(self) -> bool:
        """Whether it counts where a policy limits the number of migrations."""
        return self.kind is not FlightKind.PROVISIONING

    def touches(self, host: HostId) -> bool:
        """Whether the host takes part."""
        return host in (self.source, self.target)


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
        flight.vm: Journey(source=flight.source, target=flight.target, kind=flight.kind)
        for flight in snapshot.in_flight
    }
    return shown | dict(ours)


def full(move: Move, journeys: Journeys, limits: Limits, snapshot: Snapshot) -> Refusal | None:
    """Return which limit one more migration would pass, or None where it fits.

    `snapshot` tells what vCenter's own limits are on each host.
    """
    running = [journey for journey in journeys.values() if journey.is_migration]
    if len(running) >= limits.migrations_per_vcenter:
        return _no(Reason.CLUSTER_SLOTS, f"{len(running)} migrations run in the vCenter", move)
    here = [journey for journey in journeys.values() if journey.is_here]
    in_cluster = sum(journey.is_migration for journey in here)
    if in_cluster >= limits.migrations_per_cluster:
        return _no(Reason.CLUSTER_SLOTS, f"{in_cluster} migrations run in the cluster", move)
    for host in (move.source, move.target):
        refusal = _host_full(host, here, move, limits, snapshot)
        if refusal:
            return refusal
    return _datastore_full(move, journeys, snapshot)


def _host_full(
    host: HostId, here: Iterable[Journey], move: Move, limits: Limits, snapshot: Snapshot
) -> Refusal | None:
    """Judge by the policy's number, by vCenter's units of the host, and by its vMotion network."""
    there = [journey for journey in here if journey.touches(host)]
    busy = sum(journey.is_migration for journey in there)
    if busy >= limits.migrations_per_host:
        return _no(Reason.HOST_SLOTS, f"{host} takes part in {busy} migrations", move)
    units = sum(HOST_COST_OF[journey.kind] for journey in there)
    if units + VMOTION_HOST_COST > HOST_COST:
        detail = f"what runs on {host} takes {units} of vCenter's {HOST_COST} units"
        return _no(Reason.HOST_SLOTS, detail, move)
    facts = snapshot.host_by_id.get(host)
    carried = SLOW_NETWORK_MIGRATIONS if facts is None else network_migrations(facts)
    if busy >= carried:
        detail = f"the vMotion network of {host} carries {busy} migrations, its most"
        return _no(Reason.HOST_SLOTS, detail, move)
    return None


def _datastore_full(move: Move, journeys: Journeys, snapshot: Snapshot) -> Refusal | None:
    """Judge by vCenter's units of each datastore; VMs of other clusters are not known here."""
    costs = {vm: DATASTORE_COST_OF[journey.kind] for vm, journey in journeys.items()}
    if sum(costs.values()) + VMOTION_DATASTORE_COST <= DATASTORE_COST:
        return None
    facts = snapshot.vm_by_id.get(move.vm)
    for store in sorted(facts.datastores if facts else ()):
        units = sum(
            cost
            for vm, cost in costs.items()
            if (other := snapshot.vm_by_id.get(vm)) is not None and store in other.datastores
        )
        if units + VMOTION_DATASTORE_COST > DATASTORE_COST:
            detail = f"what runs on {store} takes {units} of vCenter's {DATASTORE_COST} units"
            return _no(Reason.DATASTORE_SLOTS, detail, move)
    return None


def most_on(host: HostId, limits: Limits, snapshot: Snapshot) -> int:
    """Return how many migrations a host may take part in: by the policy, and by vCenter's own limit."""
    facts = snapshot.host_by_id.get(host)
    ceiling = SLOW_NETWORK_MIGRATIONS if facts is None else host_migrations(facts)
    return min(limits.migrations_per_host, ceiling)


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
