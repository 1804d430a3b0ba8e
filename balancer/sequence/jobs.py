"""What the list schedule and its proof work on: jobs with a length, the slots they hold, what they wait for.

Translates the entries of the waves into numbers, once per schedule. Time is in whole ticks, so that
sums are exact and the solver sees the same figures. Decides nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil

from balancer.model.duration import SETUP_SECONDS, vmotion_seconds
from balancer.model.snapshot import InFlight
from balancer.model.units import HostId, Seconds, VmId
from balancer.rules.placement import Ground
from balancer.sequence.dependencies import Entry
from balancer.sequence.origin import Origin
from balancer.sequence.slots import Capacities, Resource

TICKS_PER_SECOND = 1000

TURN = -2
"""Urgency of the rest of a group that takes turns: once begun, it is completed before all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Entries that start at one instant: a single one, a group, or those of a large group that fit.

    `after` are jobs that must have ended and `behind` jobs that must have begun before; both have
    smaller numbers. A lower `urgency` starts first. `claims` are resources by entry.
    """

    entries: tuple[Entry, ...]
    ticks: tuple[int, ...]
    claims: tuple[tuple[int, ...], ...]
    after: tuple[int, ...]
    behind: tuple[int, ...]
    urgency: int

    @property
    def longest(self) -> int:
        """Return the ticks of its longest entry."""
        return max(self.ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A migration that runs already, for so many more ticks."""

    ticks: int
    claims: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """All jobs, the capacity of each resource (the last one is the cluster), and what runs already."""

    jobs: tuple[Job, ...]
    capacity: tuple[int, ...]
    running: tuple[Running, ...]
    seconds: tuple[Seconds, ...]
    """Predicted seconds of each entry, by its number."""


def make_shop(origin: Origin, entries: Sequence[Entry], after: Sequence[Sequence[int]]) -> Shop:
    """Return the jobs of the entries, in the order of the waves.

    An entry's copy is given the share of the links that it has while its hosts are as busy as limits
    and plan allow, so that it lasts no longer than predicted.
    """
    ground, capacities = origin.ground, origin.capacities
    shares = _Shares(ground, entries, capacities)
    seconds = tuple(shares.seconds(e.step.vm, e.step.source, e.step.target) for e in entries)
    flights = ground.snapshot.in_flight
    held = [capacities.claims(entry.step) for entry in entries]
    number_of = _numbered([*held, *map(capacities.claims_of_flight, flights)])
    cluster = len(number_of)

    def numbers(claims: Iterable[Resource]) -> tuple[int, ...]:
        return (*(number_of[resource] for resource in claims), cluster)

    batches = list(_batches(entries, held, capacities))
    orders = _orders(batches, after, _begun_before(origin, entries))
    urgencies = _urgencies(batches, orders)
    jobs = tuple(
        Job(
            entries=batch,
            ticks=tuple(_ticks(seconds[entry.number]) for entry in batch),
            claims=tuple(numbers(held[entry.number]) for entry in batch),
            after=waits,
            behind=begun,
            urgency=urgency,
        )
        for batch, (waits, begun), urgency in zip(batches, orders, urgencies, strict=True)
    )
    running = tuple(
        Running(
            ticks=_ticks(shares.seconds_left(flight)),
            claims=numbers(capacities.claims_of_flight(flight)),
        )
        for flight in flights
    )
    capacity = (*(capacities.of(resource) for resource in number_of), capacities.cluster)
    return Shop(jobs=jobs, capacity=capacity, running=running, seconds=seconds)


def _ticks(seconds: Seconds) -> int:
    return ceil(seconds * TICKS_PER_SECOND)


class _Shares:
    """How many copies may share the links of a host: as many as limits allow and as there are."""

    def __init__(self, ground: Ground, entries: Iterable[Entry], capacities: Capacities) -> None:
        self._ground = ground
        self._capacities = capacities
        self._copies: Counter[HostId] = Counter()
        for entry in entries:
            self._copies.update((entry.step.source, entry.step.target))
        for flight in ground.snapshot.in_flight:
            self._copies.update({flight.source, flight.target})

    def seconds(self, vm: VmId, source: HostId, target: HostId) -> Seconds:
        """Return the predicted duration of one copy."""
        hosts, demand = self._ground.snapshot.host_by_id, self._ground.demand[vm]
        return vmotion_seconds(
            hosts[source],
            hosts[target],
            demand.footprint_mib,
            dirty_rate_mbps=self._ground.snapshot.vm_by_id[vm].dirty_rate_mbps or 0.0,
            sharing=self._at(source),
            sharing_target=self._at(target),
        )

    def seconds_left(self, flight: InFlight) -> Seconds:
        """Return what is left of a running migration's predicted duration; the least if it is overdue."""
        snapshot = self._ground.snapshot
        is_known = {flight.source, flight.target} <= snapshot.host_by_id.keys()
        if not is_known or flight.vm not in self._ground.demand:
            return SETUP_SECONDS
        since = flight.started_at or snapshot.taken_at
        elapsed = (snapshot.taken_at - since).total_seconds()
        return max(self.seconds(flight.vm, flight.source, flight.target) - elapsed, SETUP_SECONDS)

    def _at(self, host: HostId) -> int:
        return min(self._copies[host], self._capacities.of(host), self._capacities.cluster)


def _numbered(claims: Iterable[Iterable[Resource]]) -> dict[Resource, int]:
    """Number the resources that are claimed at all: hosts first, each kind by id."""
    found = {resource for claim in claims for resource in claim}
    ordered = sorted(found, key=lambda resource: (isinstance(resource, tuple), resource))
    return {resource: number for number, resource in enumerate(ordered)}


def _batches(
    entries: Sequence[Entry], held: Sequence[Sequence[Resource]], capacities: Capacities
) -> Iterator[tuple[Entry, ...]]:
    """Cut the entries into units, and a unit that is above the limits into parts that are not."""
    for _, unit in groupby(entries, key=lambda entry: id(entry.unit)):
        batch: list[Entry] = []
        taken: Counter[Resource] = Counter()
        for entry in unit:
            claims = held[entry.number]
            is_full = any(taken[resource] >= capacities.of(resource) for resource in claims)
            if batch and (is_full or len(batch) >= capacities.cluster):
                yield tuple(batch)
                batch, taken = [], Counter()
            batch.append(entry)
            taken.update(claims)
        yield tuple(batch)


def _orders(
    batches: Sequence[Sequence[Entry]],
    after: Sequence[Sequence[int]],
    begun_before: Mapping[int, Sequence[int]],
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return for each batch the jobs that must have ended and those that must have begun."""
    job_of = {entry.number: job for job, batch in enumerate(batches) for entry in batch}
    found = []
    for job, batch in enumerate(batches):
        ended = {job_of[number] for entry in batch for number in after[entry.number]}
        begun = {job_of[n] for entry in batch for n in begun_before.get(entry.number, ())}
        if job and batches[job - 1][0].unit is batch[0].unit:
            begun.add(job - 1)
        found.append((tuple(sorted(ended)), tuple(sorted(begun - {job}))))
    return found


def _begun_before(origin: Origin, entries: Sequence[Entry]) -> dict[int, list[int]]:
    """Return, for mandatory arrivals that may strain a CPU, the optional arrivals that come first there.

    A mandatory move may pass the CPU ceiling and waits for nobody; if it came before an optional one
    that the waves have before it, that one would be refused.
    """
    ground, arrivals = origin.ground, defaultdict(list)
    for entry in entries:
        arrivals[entry.step.target].append(entry)
    found = {}
    for host, coming in arrivals.items():
        ceiling = (
            ground.policy.thresholds.cpu_ceiling * ground.snapshot.host_by_id[host].usable_cpu_mhz
        )
        more = sum(ground.demand[entry.step.vm].cpu_mhz for entry in coming)
        most = origin.start.cpu_mhz[host] + more
        if most <= ceiling:
            continue
        optional: list[int] = []
        for entry in coming:
            if entry.step.candidate.is_mandatory:
                found[entry.number] = list(optional)
            else:
                optional.append(entry.number)
    return found


def _urgencies(
    batches: Sequence[Sequence[Entry]],
    orders: Sequence[tuple[Sequence[int], Sequence[int]]],
) -> list[int]:
    """Return each job's urgency: its own, or that of a more urgent one that waits for it."""
    urgencies = []
    for job, batch in enumerate(batches):
        is_rest = job > 0 and batches[job - 1][0].unit is batch[0].unit
        urgencies.append(TURN if is_rest else batch[0].unit.urgency)
    for job in reversed(range(len(batches))):
        ended, begun = orders[job]
        for other in (*ended, *begun):
            if urgencies[job] != TURN:
                urgencies[other] = min(urgencies[other], urgencies[job])
    return urgencies
