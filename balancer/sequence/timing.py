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
from heapq import heappop, heappush

from balancer.sequence.jobs import TURN, Job, Shop
from balancer.sequence.links import Links

_Key = tuple[int, int, float, float, int, int]
"""Migrations on its hosts, urgency, pressure (negative), dirt, length (negative), number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What makes a job pressing: its class of urgency, then most work left on the busier of its hosts.

    With `apart`, jobs go first whose hosts take part in fewer other migrations, before all urgency: two
    copies of one host only slow each other down, while another pair of hosts would use the slot in full.
    The longest chain of jobs that wait for it counts where it is longer than that work.

    Of equals the longest goes first; with `calm_first`, the one whose guest dirties least: a busy guest
    costs its link most while many copies share it, and at the end few do.
    """

    apart: bool = True
    calm_first: bool = False


APART = Manner()
TOGETHER = Manner(apart=False)
CALM_APART = Manner(calm_first=True)
CALM_TOGETHER = Manner(apart=False, calm_first=True)


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


def list_schedule(shop: Shop, manner: Manner = APART, order: Sequence[int] | None = None) -> Timing:
    """Return when each job starts and each entry ends. With `order`, by job, lower figures go first.

    Every job starts once: `after` and `behind` name smaller numbers, and no job is above the limits.
    Ties by length, then by number.
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
    """Simulated time: what waits, what is ready, which slots are free. Mutable, of one schedule.

    The ready jobs stand in a heap. While time stands still a job only becomes less pressing, as others
    start on its hosts, so the top is asked anew and put back where it has changed; what an end makes
    more pressing, or able, is pushed once more.
    """

    def __init__(self, shop: Shop, manner: Manner, order: Sequence[int] | None) -> None:
        jobs = shop.jobs
        self._jobs, self._manner, self._order = jobs, manner, order
        self._links = Links(shop)
        self._starts = [0] * len(jobs)
        self._ends = [0] * sum(len(job.entries) for job in jobs)
        self._free = list(shop.capacity)
        self._capacity = shop.capacity
        self._needs = [
            tuple(Counter(r for copy in job.copies for r in copy.claims).items()) for job in jobs
        ]
        self._hosts = [tuple({h: None for c in job.copies for h in c.hosts}) for job in jobs]
        self._busy = [0] * len(shop.capacity)
        self._load = _loads(shop)
        self._chain = [float(ticks) for ticks in chain_ticks(jobs)]
        self._dirt = [0.0] * len(jobs)
        if manner.calm_first:
            self._dirt = [max(copy.dirty_mbps for copy in job.copies) for job in jobs]
        self._using = _users(shop)
        self._on_end, self._on_begin = _followers(jobs)
        self._blockers = [len(job.after) + len(job.behind) for job in jobs]
        self._running_copies = [len(job.copies) for job in jobs]
        self._waiting = len(jobs)
        self._ready: set[int] = set()
        self._queue: list[_Key] = []
        self._held_back: set[int] = set()
        self._groups = {number for number, job in enumerate(jobs) if len(job.copies) > 1}
        for number, blockers in enumerate(self._blockers):
            if not blockers:
                self._make_ready(number)
        for flight in shop.running:
            self._take(flight.claims)

    @property
    def has_waiting(self) -> bool:
        """Whether some job has not started."""
        return self._waiting > 0

    def pick(self) -> int | None:
        """Return the most pressing job that may start now, None where none may."""
        while self._queue and self._free[-1] > 0:
            key = heappop(self._queue)
            job = key[-1]
            if job not in self._ready or job in self._held_back:
                continue
            if not self._fits(job):
                self._held_back.update({job} & self._groups)
                continue
            now = self._key(job)
            if now != key:
                heappush(self._queue, now)
            elif not self._is_held_back(now):
                return job
        return None

    def start(self, job: int) -> None:
        """Start the job now."""
        facts = self._jobs[job]
        self._starts[job] = self._links.now
        self._ready.discard(job)
        self._waiting -= 1
        for entry, copy in zip(facts.entries, facts.copies, strict=True):
            self._links.begin(copy, (job, entry.number))
            self._take(copy.claims)
            for end, host in enumerate(copy.hosts):
                self._load[host] -= copy.pressure(end, self._capacity[host])
        self._unblock(self._on_begin[job])
        if self._held_back:
            self._put_back()

    def advance(self) -> None:
        """Go to the next instant at which something ends, and end all that ends then."""
        freed: set[int] = set()
        for key, claims in self._links.advance():
            freed.update(claims[:-1] if key else claims)
            self._give_back(claims)
            if key is None:
                continue
            job, entry = key
            self._ends[entry] = self._links.now
            self._running_copies[job] -= 1
            if not self._running_copies[job]:
                self._unblock(self._on_end[job])
        again = {job for resource in freed for job in self._using[resource]} & self._ready
        for job in sorted(again - self._held_back):
            if job in self._groups or self._fits(job):
                heappush(self._queue, self._key(job))
        self._put_back()

    def finish(self) -> Timing:
        """Let all that runs end and return the times."""
        while self._links.is_busy:
            self.advance()
        return Timing(starts=tuple(self._starts), ends=tuple(self._ends))

    def _key(self, job: int) -> _Key:
        """Return the place of a job in the queue as things stand; the lowest key is the most pressing."""
        facts = self._jobs[job]
        if self._order is not None:
            return 0, facts.urgency, self._order[job], 0.0, -facts.ticks, job
        busy, work, counts, loads = 0, self._chain[job], self._busy, self._load
        for host in self._hosts[job]:
            busy = max(busy, counts[host])
            work = max(work, loads[host])
        if not self._manner.apart:
            busy = 0
        elif facts.urgency == TURN:
            busy = -1
        return busy, facts.urgency, -work, self._dirt[job], -facts.ticks, job

    def _fits(self, job: int) -> bool:
        """Whether all its slots are free. One that finds too few is asked again when some are given back."""
        free = self._free
        return not any(free[resource] < count for resource, count in self._needs[job])

    def _is_held_back(self, key: _Key) -> bool:
        """Whether the job would take a slot that a more pressing group is waiting for.

        Single moves would take one slot after the other from it; the executor lets none pass either.
        """
        job = key[-1]
        for group in self._held_back:
            if group not in self._groups or self._key(group)[1:] > key[1:]:
                continue
            lacking = {r for r, count in self._needs[group] if self._free[r] < count}
            if any(resource in lacking for resource, _ in self._needs[job]):
                self._held_back.add(job)
                return True
        return False

    def _put_back(self) -> None:
        """Ask again for the groups that found too few slots, and what was held back for them."""
        for job in sorted(self._held_back):
            heappush(self._queue, self._key(job))
        self._held_back.clear()

    def _take(self, claims: Sequence[int]) -> None:
        for resource in claims:
            self._free[resource] -= 1
            self._busy[resource] += 1

    def _give_back(self, claims: Sequence[int]) -> None:
        for resource in claims:
            self._free[resource] += 1
            self._busy[resource] -= 1

    def _make_ready(self, job: int) -> None:
        self._ready.add(job)
        heappush(self._queue, self._key(job))

    def _unblock(self, jobs: Sequence[int]) -> None:
        for job in jobs:
            self._blockers[job] -= 1
            if not self._blockers[job]:
                self._make_ready(job)


def _loads(shop: Shop) -> list[float]:
    """Return for each resource how long what is to be done keeps it busy; 0 for all but hosts."""
    loads = [0.0] * len(shop.capacity)
    for job in shop.jobs:
        for copy in job.copies:
            for end, host in enumerate(copy.hosts):
                loads[host] += copy.pressure(end, shop.capacity[host])
    return loads


def _users(shop: Shop) -> list[list[int]]:
    """Return for each resource but the cluster the jobs that claim it."""
    users: list[list[int]] = [[] for _ in shop.capacity]
    for number, job in enumerate(shop.jobs):
        for resource in {r for copy in job.copies for r in copy.claims[:-1]}:
            users[resource].append(number)
    return users


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
