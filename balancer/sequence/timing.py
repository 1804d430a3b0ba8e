"""When each job is expected to start: an event-driven list schedule under the limits.

At every instant the most pressing of the jobs that may start is started, whichever wave it belongs to:
what it waits for is in its `after`. A forecast for people and the order in which the executor asks; the
executor goes by what really happens. Decides nothing about waves.

Source: among rules of list scheduling, "critical host first" came within 8 % of the bound where slots
bind; arrival order took up to 1.58 and shortest-first up to 1.65 times as long.
"""

from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from balancer.sequence.jobs import Job, Shop

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ALWAYS_FREE = 2**40
"""Slots of the resource that pads the lists of claims."""


class Press(Enum):
    """What makes a job pressing, within its class of urgency."""

    WORK_OR_CHAIN = auto()  # most work left on its busiest host, or the longest chain behind it
    CHAIN = auto()  # the longest chain behind it
    WORK = auto()  # most work left on both of its hosts together
    LENGTH = auto()  # the longest copy


def list_schedule(
    shop: Shop, press: Press = Press.WORK_OR_CHAIN, order: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Return the start of each job in ticks. With `order` (a rank for each job) lower ranks go first.

    Every job starts once: `after` and `behind` name smaller numbers, and no job is above the limits.
    Ties by length, then by number. O(jobs) steps, each over the jobs that are ready.
    """
    floor = _Floor(shop, press, order)
    while floor.has_waiting:
        job = floor.pick()
        if job is None:
            floor.advance()
        else:
            floor.start(job)
    return tuple(floor.starts)


def makespan(shop: Shop, starts: Sequence[int]) -> int:
    """Return the ticks at which the last job has ended."""
    ends = [start + job.longest for job, start in zip(shop.jobs, starts, strict=True)]
    return max(ends, default=0)


def chain_ticks(jobs: Sequence[Job]) -> list[int]:
    """Return for each job how long it and the longest chain of jobs that wait for it take."""
    behind_it = [0] * len(jobs)
    total = [0] * len(jobs)
    for number in reversed(range(len(jobs))):
        total[number] = jobs[number].longest + behind_it[number]
        for other in jobs[number].after:
            behind_it[other] = max(behind_it[other], total[number])
    return total


class _Floor:
    """Simulated time: what runs, when it ends, which slots it holds. Mutable, of one schedule."""

    def __init__(self, shop: Shop, press: Press, order: Sequence[int] | None) -> None:
        jobs = shop.jobs
        self.starts = [0] * len(jobs)
        self._shop, self._press, self._now = shop, press, 0
        self._events: list[tuple[int, int, int]] = []
        self._held: list[tuple[int, ...]] = []
        self._blockers = [len(job.after) + len(job.behind) for job in jobs]
        self._ready = {n for n, blockers in enumerate(self._blockers) if not blockers}
        self._waiting = len(jobs)
        self._on_end, self._on_begin = _followers(jobs)
        self._running_entries = [len(job.entries) for job in jobs]
        self._index_claims()
        self._urgency = np.array([job.urgency for job in jobs], dtype=np.int64)
        self._longest = np.array([job.longest for job in jobs], dtype=np.int64)
        self._chain = np.array(chain_ticks(jobs), dtype=np.float64)
        self._order = None if order is None else np.asarray(order, dtype=np.int64)
        self._groups = {n for n, job in enumerate(jobs) if len(job.entries) > 1}
        for flight in shop.running:
            self._hold(-1, flight.ticks, flight.claims)

    @property
    def has_waiting(self) -> bool:
        """Whether some job has not started."""
        return self._waiting > 0

    def pick(self) -> int | None:
        """Return the most pressing job that may start now, None where none may."""
        if not self._ready or self._free[self._cluster] <= 0:
            return None
        ready = np.array(sorted(self._ready), dtype=np.int64)
        fits: Bools = np.all(self._free[self._claims[ready]] >= self._counts[ready], axis=1)
        pressure = self._pressure(ready)
        if self._groups & self._ready:
            fits &= self._leaves_room(ready, fits, pressure)
        return self._most_pressing(ready[fits], pressure[fits])

    def _most_pressing(self, jobs: Ints, pressure: Floats) -> int | None:
        if not jobs.size:
            return None
        urgency = self._urgency[jobs]
        is_first = urgency == urgency.min()
        is_first &= pressure == pressure[is_first].max()
        pressing = jobs[is_first]
        return int(pressing[np.argmax(self._longest[pressing])])

    def start(self, job: int) -> None:
        """Start the job now."""
        facts = self._shop.jobs[job]
        self.starts[job] = self._now
        self._ready.discard(job)
        self._waiting -= 1
        for ticks, claims in zip(facts.ticks, facts.claims, strict=True):
            self._hold(job, ticks, claims)
            for resource in claims[:-1]:
                self._load[resource] -= ticks / self._shop.capacity[resource]
        self._unblock(self._on_begin[job])

    def advance(self) -> None:
        """Go to the next instant at which something ends, and end all that ends then."""
        self._now = self._events[0][0]
        while self._events and self._events[0][0] == self._now:
            _, number, job = heappop(self._events)
            for resource in self._held[number]:
                self._free[resource] += 1
            if job >= 0:
                self._running_entries[job] -= 1
                if not self._running_entries[job]:
                    self._unblock(self._on_end[job])

    def _index_claims(self) -> None:
        """Lay out the claims as two tables (jobs, most claims of a job): resource, and how often."""
        jobs, capacity = self._shop.jobs, self._shop.capacity
        counted = [Counter(r for claims in job.claims for r in claims) for job in jobs]
        width = max((len(counts) for counts in counted), default=1)
        padding = len(capacity)
        self._cluster = padding - 1
        self._free = np.array([*capacity, ALWAYS_FREE], dtype=np.int64)
        self._claims = np.full((len(jobs), width), padding, dtype=np.int64)
        self._counts = np.zeros((len(jobs), width), dtype=np.int64)
        self._load = np.zeros(padding + 1)
        for row, counts in enumerate(counted):
            self._claims[row, : len(counts)] = list(counts)
            self._counts[row, : len(counts)] = list(counts.values())
        for job in jobs:
            for ticks, claims in zip(job.ticks, job.claims, strict=True):
                for resource in claims[:-1]:
                    self._load[resource] += ticks / capacity[resource]

    def _pressure(self, jobs: Ints) -> Floats:
        if self._order is not None:
            ranked: Floats = -self._order[jobs].astype(np.float64)
            return ranked
        work: Floats = self._load[self._claims[jobs]]
        match self._press:
            case Press.CHAIN:
                result: Floats = self._chain[jobs]
            case Press.WORK:
                result = work.sum(axis=1)
            case Press.LENGTH:
                result = self._longest[jobs].astype(np.float64)
            case Press.WORK_OR_CHAIN:
                result = np.maximum(work.max(axis=1), self._chain[jobs])
        return result

    def _leaves_room(self, ready: Ints, fits: Bools, pressure: Floats) -> Bools:
        """Return which ready jobs take no slot that a more pressing group is waiting for.

        Single moves would take one slot after the other from it; the executor lets none pass either.
        """
        leaves: Bools = np.ones(len(ready), dtype=bool)
        urgency = self._urgency[ready]
        for place in np.flatnonzero(~fits):
            group = int(ready[place])
            if group not in self._groups:
                continue
            claims, counts = self._claims[group], self._counts[group]
            takes: Bools = np.isin(self._claims[ready], claims[self._free[claims] < counts])
            is_less = urgency > urgency[place]
            is_less |= (urgency == urgency[place]) & (pressure <= pressure[place])
            leaves &= ~(takes.any(axis=1) & is_less)
        return leaves

    def _hold(self, job: int, ticks: int, claims: tuple[int, ...]) -> None:
        heappush(self._events, (self._now + ticks, len(self._held), job))
        self._held.append(claims)
        for resource in claims:
            self._free[resource] -= 1

    def _unblock(self, jobs: Sequence[int]) -> None:
        for job in jobs:
            self._blockers[job] -= 1
            if not self._blockers[job]:
                self._ready.add(job)


def _followers(jobs: Sequence[Job]) -> tuple[list[list[int]], list[list[int]]]:
    """Return for each job those that wait for its end, and those that wait for its beginning."""
    on_end: list[list[int]] = [[] for _ in jobs]
    on_begin: list[list[int]] = [[] for _ in jobs]
    for number, job in enumerate(jobs):
        for other in job.after:
            on_end[other].append(number)
        for other in job.behind:
            on_begin[other].append(number)
    return on_end, on_begin
