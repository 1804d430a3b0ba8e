"""What the list schedule and its proof work on: jobs with a length, the slots they hold, what they wait for.

Translates the entries of the waves into numbers, once per schedule. Time is in whole ticks, so that the
list, the bound and the solver see the same figures. Decides nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil, floor

from balancer.model.duration import (
    MOST_DIRTY_RATIO,
    SETUP_SECONDS,
    link_mbps,
    payload_mbit,
    progress_mbps,
    streams_mbps,
    vmotion_seconds,
)
from balancer.model.pace import at_pace
from balancer.model.snapshot import InFlight
from balancer.rules.placement import Ground
from balancer.sequence.dependencies import Entry
from balancer.sequence.origin import Origin
from balancer.sequence.slots import Capacities, Resource
from balancer.sequence.units import Step

TICKS_PER_SECOND = 1000
SETUP_TICKS = int(SETUP_SECONDS * TICKS_PER_SECOND)

TURN = -2
"""Urgency of the rest of a group that takes turns: once begun, it is completed before all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What one entry has to send, and what it holds meanwhile.

    `ticks` is how long it takes with both hosts to itself: no schedule makes it shorter. `links` are the
    speeds of both hosts' links and `most_mbps` is what its streams carry. `claims` are resources: its
    two hosts first, the cluster last. `setup_ticks` is how long it holds its slots before it sends, at
    least `SETUP_TICKS`.
    """

    ticks: int
    mbit: float
    dirty_mbps: float
    links: tuple[float, float]
    most_mbps: float
    claims: tuple[int, ...]
    setup_ticks: int = SETUP_TICKS
    hosts: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        """Name its source and its target."""
        object.__setattr__(self, "hosts", self.claims[:2])

    def mbit_per_tick(self, at_source: int, at_target: int) -> float:
        """Return how fast it gets ahead while so many copies share the links of its hosts."""
        share = min(self.links[0] / at_source, self.links[1] / at_target, self.most_mbps)
        return progress_mbps(max(share, 1.0), self.dirty_mbps) / TICKS_PER_SECOND

    def pressure(self, end: int, slots: int) -> float:
        """Return how long it keeps its source (0) or target (1) busy: its share of link or slots."""
        return max(self.link_ticks(end), self.ticks / slots)

    def link_ticks(self, end: int) -> int:
        """Return for how long it would fill the link of its source (0) or target (1), at the least."""
        alone = max(min(*self.links, self.most_mbps), 1.0)
        sent = self.mbit * alone / progress_mbps(alone, self.dirty_mbps)
        return floor(sent / max(self.links[end], 1.0) * TICKS_PER_SECOND)

    def ticks_more(self, end: int, slots: int) -> int:
        """Return how much longer it keeps a link busy, at the least, for each other copy that shares it.

        That of the first other copy: each further one costs more. 0 where the other end is slower, or
        where `slots` copies together would slow the guest down, which bounds what it dirties.
        """
        link = self.links[end]
        is_slowed = self.dirty_mbps * slots > MOST_DIRTY_RATIO * link
        if is_slowed or min(*self.links, self.most_mbps) < link:
            return 0
        two = max(link / 2, 1.0)
        both = self.mbit / progress_mbps(two, self.dirty_mbps) / 2 * TICKS_PER_SECOND
        return max(floor(both) - self.link_ticks(end) - 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Entries that start at one instant: a single one, a group, or those of a large group that fit.

    `after` are jobs that must have ended and `behind` jobs that must have begun before; both have
    smaller numbers. A lower `urgency` starts first.
    """

    entries: tuple[Entry, ...]
    copies: tuple[Copy, ...]
    after: tuple[int, ...]
    behind: tuple[int, ...]
    urgency: int
    ticks: int = field(init=False)
    """How long its longest copy takes at the least."""

    def __post_init__(self) -> None:
        """Find the longest copy."""
        object.__setattr__(self, "ticks", max(copy.ticks for copy in self.copies))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A migration that runs already, for so many more ticks. `claims` may lack a host that is not known."""

    ticks: int
    claims: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """All jobs, the capacity of each resource (the last one is the cluster), and what runs already.

    The first `hosts` resources are hosts.
    """

    jobs: tuple[Job, ...]
    capacity: tuple[int, ...]
    hosts: int
    running: tuple[Running, ...]


def make_shop(origin: Origin, entries: Sequence[Entry], after: Sequence[Sequence[int]]) -> Shop:
    """Return the jobs of the entries, in the order of the waves."""
    ground, capacities = origin.ground, origin.capacities
    flights = ground.snapshot.in_flight
    held = [capacities.claims(entry.step) for entry in entries]
    flown = [capacities.claims_of_flight(flight) for flight in flights]
    number_of = _numbered([*held, *flown])
    copies = [
        _copy(ground, entry.step, _numbers(number_of, claims))
        for entry, claims in zip(entries, held, strict=True)
    ]
    batches = list(_batches(entries, held, capacities))
    orders = _orders(batches, after, _begun_before(origin, entries))
    jobs = tuple(
        Job(
            entries=batch,
            copies=tuple(copies[entry.number] for entry in batch),
            after=waits,
            behind=begun,
            urgency=urgency,
        )
        for batch, (waits, begun), urgency in zip(
            batches, orders, _urgencies(batches, orders), strict=True
        )
    )
    return Shop(
        jobs=jobs,
        capacity=(*(capacities.of(resource) for resource in number_of), capacities.cluster),
        hosts=sum(1 for resource in number_of if not isinstance(resource, tuple)),
        running=tuple(
            Running(ticks=_ticks_left(ground, flight), claims=_numbers(number_of, claims))
            for flight, claims in zip(flights, flown, strict=True)
        ),
    )


def _numbers(number_of: Mapping[Resource, int], claims: Iterable[Resource]) -> tuple[int, ...]:
    return (*(number_of[resource] for resource in claims), len(number_of))


def _copy(ground: Ground, step: Step, claims: tuple[int, ...]) -> Copy:
    """Return the copy of a step; one that is slower than the model has that much more to set up and to send."""
    source, target = (ground.snapshot.host_by_id[host] for host in (step.source, step.target))
    memory_mib = ground.demand[step.vm].footprint_mib
    dirty_mbps = ground.snapshot.vm_by_id[step.vm].dirty_rate_mbps or 0.0
    alone_s = vmotion_seconds(source, target, memory_mib, dirty_rate_mbps=dirty_mbps)
    pace = ground.paces.of(step.source, step.target)
    setup_s = SETUP_SECONDS * max(pace, 1.0)
    paced_s = at_pace(alone_s, pace)
    return Copy(
        ticks=floor(paced_s * TICKS_PER_SECOND),
        mbit=payload_mbit(memory_mib) * (paced_s - setup_s) / max(alone_s - SETUP_SECONDS, 1e-9),
        setup_ticks=floor(setup_s * TICKS_PER_SECOND),
        dirty_mbps=dirty_mbps,
        links=(link_mbps(source), link_mbps(target)),
        most_mbps=min(streams_mbps(source), streams_mbps(target)),
        claims=claims,
    )


def _ticks_left(ground: Ground, flight: InFlight) -> int:
    """Return what is left of a running migration as if it had its links to itself; little if overdue."""
    snapshot = ground.snapshot
    is_known = {flight.source, flight.target} <= snapshot.host_by_id.keys()
    if not is_known or flight.vm not in ground.demand:
        return SETUP_TICKS
    since = flight.started_at or snapshot.taken_at
    elapsed = (snapshot.taken_at - since).total_seconds()
    whole = vmotion_seconds(
        snapshot.host_by_id[flight.source],
        snapshot.host_by_id[flight.target],
        ground.demand[flight.vm].footprint_mib,
        dirty_rate_mbps=snapshot.vm_by_id[flight.vm].dirty_rate_mbps or 0.0,
    )
    whole = at_pace(whole, ground.paces.of(flight.source, flight.target))
    return max(ceil((whole - elapsed) * TICKS_PER_SECOND), SETUP_TICKS)


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
