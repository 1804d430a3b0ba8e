"""When each job is expected to start and to end: an event-driven list schedule under the limits.

At every instant the most pressing of the jobs that may start is started, whichever wave it belongs to;
what it waits for is in its `after`. Copies that run at the same time share the links of their hosts. A
forecast for people and the order in which the executor asks; the executor goes by what really happens.
Decides nothing about waves.

Source: among rules of list scheduling, "critical host first" came within 8 % of the bound where slots
bind; arrival order took up to 1.58 and shortest-first up to 1.65 times as long.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.sequence.jobs import TURN, Job, Shop
from balancer.sequence.links import Links

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ALWAYS_FREE = 2**40
"""Slots of the resource that pads the lists of claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What makes a job pressing: its class of urgency, then most work left on the busier of its hosts.

    With `apart`, jobs go first whose hosts take part in fewer other migrations, before all urgency: two
    copies of one host only slow each other down, while another pair of hosts would use the slot in full.
    With `by_chain` the longest chain of jobs that wait for it counts where it is longer than the work.
    """

    apart: bool = True
    by_chain: bool = True


MANNERS = (Manner(), Manner(by_chain=False), Manner(apart=False))
"""Tried in this order, the first one that ends first is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Starts by job and ends by entry, in ticks."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def makespan(self) -> int:
        """Return the ticks at which the last move has ended."""
        return max(self.ends, default=0)

    def lengths(self, shop: Shop) -> tuple[int, ...]:
        """Return how long each entry takes, by number, given what shares its links meanwhile."""
        starts = [
            start for job, start in zip(shop.jobs, self.starts, strict=True) for _ in job.entries
        ]
        return tuple(end - start for start, end in zip(starts, self.ends, strict=True))


def list_schedule(
    shop: Shop, manner: Manner = MANNERS[0], order: Sequence[int] | None = None
) -> Timing:
    """Return when each job starts and each entry ends. With `order`, by job, lower figures go first.

    Every job starts once: `after` and `behind` name smaller numbers, and no job is above the limits.
    Ties by length, then by number. O(jobs) steps, each over the jobs that are ready.
    """
    floor = _Floor(shop, manner, order)
    while floor.has_waiting:
        job = floor.pick()
        if job is None:
            floor.advance()
        else:
            floor.start(job)
    return floor.finish()


def chain_ticks(jobs: Sequence[Job]) -> list[int]:
    """Return for each job how long it and the longest chain of jobs that wait for it take at the least."""
    behind_it = [0] * len(jobs)
    total = [0] * len(jobs)
    for number in reversed(range(len(jobs))):
        total[number] = jobs[number].ticks + behind_it[number]
        for other in jobs[number].after:
            behind_it[other] = max(behind_it[other], total[number])
    return total


class _Floor:
    """Simulated time: what waits, what is ready, which slots are free. Mutable, of one schedule."""

    def __init__(self, shop: Shop, manner: Manner, order: Sequence[int] | None) -> None:
        jobs = shop.jobs
        self._shop, self._manner = shop, manner
        self._links = Links(shop)
        self._starts = [0] * len(jobs)
        self._ends = [0] * sum(len(job.entries) for job in jobs)
        self._blockers = [len(job.after) + len(job.behind) for job in jobs]
        self._ready = {n for n, blockers in enumerate(self._blockers) if not blockers}
        self._waiting = len(jobs)
        self._on_end, self._on_begin = _followers(jobs)
        self._running_copies = [len(job.copies) for job in jobs]
        self._index_claims()
        self._urgency = np.array([job.urgency for job in jobs], dtype=np.int64)
        self._longest = np.array([job.ticks for job in jobs], dtype=np.int64)
        self._chain = np.array(chain_ticks(jobs), dtype=np.float64)
        self._order = None if order is None else np.array(order, dtype=np.float64)
        self._groups = {n for n, job in enumerate(jobs) if len(job.entries) > 1}
        for flight in shop.running:
            self._take(flight.claims)

    @property
    def has_waiting(self) -> bool:
        """Whether some job has not started."""
        return self._waiting > 0

    def pick(self) -> int | None:
        """Return the most pressing job that may start now, None where none may."""
        if not self._ready or self._free[self._cluster] <= 0:
            return None
        ready = np.array(sorted(self._ready), dtype=np.int64)
        fits: Bools = (self._free[self._claims[ready]] >= self._counts[ready]).min(axis=1)
        pressure = self._pressure(ready)
        best = self._most_pressing(ready[fits], pressure[fits])
        waiting = [group for group in self._groups & self._ready if not fits[ready == group].any()]
        if best is None or not waiting:
            return best
        fits &= self._leaves_room(ready, pressure, sorted(waiting))
        return self._most_pressing(ready[fits], pressure[fits])

    def start(self, job: int) -> None:
        """Start the job now."""
        facts = self._shop.jobs[job]
        self._starts[job] = self._links.now
        self._ready.discard(job)
        self._waiting -= 1
        for entry, copy in zip(facts.entries, facts.copies, strict=True):
            self._links.begin(copy, (job, entry.number))
            self._take(copy.claims)
            for end, host in enumerate(copy.hosts):
                self._load[host] -= copy.pressure(end, self._shop.capacity[host])
        self._unblock(self._on_begin[job])

    def advance(self) -> None:
        """Go to the next instant at which something ends, and end all that ends then."""
        for key, claims in self._links.advance():
            self._free[list(claims)] += 1
            if key is None:
                continue
            job, entry = key
            self._ends[entry] = self._links.now
            self._running_copies[job] -= 1
            if not self._running_copies[job]:
                self._unblock(self._on_end[job])

    def finish(self) -> Timing:
        """Let all that runs end and return the times."""
        while self._links.is_busy:
            self.advance()
        return Timing(starts=tuple(self._starts), ends=tuple(self._ends))

    def _index_claims(self) -> None:
        """Lay out the claims as two tables (jobs, most claims of a job): resource, and how often."""
        jobs, capacity = self._shop.jobs, self._shop.capacity
        counted = [Counter(r for copy in job.copies for r in copy.claims) for job in jobs]
        width = max((len(counts) for counts in counted), default=1)
        padding = len(capacity)
        self._cluster = padding - 1
        self._free = np.array([*capacity, ALWAYS_FREE], dtype=np.int64)
        self._claims = np.full((len(jobs), width), padding, dtype=np.int64)
        self._counts = np.zeros((len(jobs), width), dtype=np.int64)
        self._load = np.zeros(padding + 1)
        self._slots = self._free.copy()
        self._is_host = np.arange(padding + 1) < self._shop.hosts
        for row, counts in enumerate(counted):
            self._claims[row, : len(counts)] = list(counts)
            self._counts[row, : len(counts)] = list(counts.values())
        for job in jobs:
            for copy in job.copies:
                for end, host in enumerate(copy.hosts):
                    self._load[host] += copy.pressure(end, capacity[host])

    def _most_pressing(self, jobs: Ints, pressure: Floats) -> int | None:
        if not jobs.size:
            return None
        urgency = self._urgency[jobs]
        if self._manner.apart and self._order is None and urgency.min() > TURN:
            busy = (self._slots - self._free) * self._is_host
            taken = busy[self._claims[jobs]].max(axis=1)
            is_first = taken == taken.min()
            is_first &= urgency == urgency[is_first].min()
        else:
            is_first = urgency == urgency.min()
        is_first &= pressure == pressure[is_first].max()
        pressing = jobs[is_first]
        return int(pressing[np.argmax(self._longest[pressing])])

    def _pressure(self, jobs: Ints) -> Floats:
        if self._order is not None:
            ranked: Floats = -self._order[jobs]
            return ranked
        work: Floats = self._load[self._claims[jobs]].max(axis=1)
        return np.maximum(work, self._chain[jobs]) if self._manner.by_chain else work

    def _leaves_room(self, ready: Ints, pressure: Floats, waiting: Sequence[int]) -> Bools:
        """Return which ready jobs take no slot that a more pressing group is waiting for.

        Single moves would take one slot after the other from it; the executor lets none pass either.
        """
        leaves: Bools = np.ones(len(ready), dtype=bool)
        urgency = self._urgency[ready]
        for group in waiting:
            place = int(np.searchsorted(ready, group))
            is_less = urgency > urgency[place]
            is_less |= (urgency == urgency[place]) & (pressure <= pressure[place])
            claims = self._claims[group]
            lacking = np.zeros(len(self._free), dtype=bool)
            lacking[claims[self._free[claims] < self._counts[group]]] = True
            leaves &= ~(is_less & lacking[self._claims[ready]].any(axis=1))
        return leaves

    def _take(self, claims: Sequence[int]) -> None:
        self._free[list(claims)] -= 1

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
