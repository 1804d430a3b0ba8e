"""The certificate of a schedule: an exact model of intervals that proves it, betters it, or narrows the gap.

Knows only what holds in every order of the jobs (`necessity`), not the `after` of the waves: its bound is
valid for all legal orders, and its solution is an order to try, not yet a schedule. Takes some tenths of a
second, so it is asked only where somebody wants a certificate.
"""

import time
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

from balancer.sequence.jobs import Job, Shop
from balancer.sequence.necessity import (
    Necessity,
    Store,
    earliest_starts,
    least_afterwards,
)
from balancer.sequence.timing import Timing
from balancer.solver import Answer, Effort, Solver

if TYPE_CHECKING:
    from balancer.solver.model import Expression, Interval, Var

MOST_JOBS = 250
"""Above this nothing is asked: where so many moves bind, they bind by slots, and the bound is near."""

EFFORT = 0.01
"""Deterministic time of the solver for one proof, at most.

Small chains need a fraction of that; where slots or links bind ten times as much changes nothing.
"""

EFFORT_OF_ALL_JOBS = 0.6
"""Shared among the jobs: the same deterministic time takes the longer the more there are. 0.1 to 0.2 s."""

AT_MOST_S = 10.0
"""Wall time after which the solver is stopped whatever it says. Never reached but on a stalled machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The bound in ticks, and the starts of a relaxed solution, by job; none where none was found."""

    bound: int
    starts: tuple[int, ...] = ()


def prove(
    shop: Shop, needs: Necessity, timing: Timing, solver: Solver, *, bound: int, seed: int = 0
) -> Proof:
    """Try to prove that nothing is over before `timing` is, if each entry takes as long as it does there.

    `bound` is known already; of the solver's, no more is believed than its own solution comes to.

    Deterministic: a given seed and a limit in deterministic time. Without presolve, which has been seen to
    rule out what is possible (see `solver.door`) and takes a quarter of the time here for nothing.
    """
    intervals = _Intervals(shop, needs, timing, bound)
    deadline = time.perf_counter() + AT_MOST_S
    limit = min(EFFORT, EFFORT_OF_ALL_JOBS / len(shop.jobs))
    effort = Effort(stage="sequence", seed=seed, limit=limit, deadline=deadline, presolve=False)
    solved = solver.solve(intervals.model, effort)
    if solved.answer is not Answer.FOUND:
        return Proof(bound=bound)
    proven = min(ceil(solved.bound - 1e-6), solved.values[intervals.end.index])
    return Proof(
        bound=max(bound, proven),
        starts=tuple(solved.values[start.index] for start in intervals.starts),
    )


class _Intervals:
    """The model: a start for each job, a fixed interval for each entry, and what they must leave each other."""

    def __init__(self, shop: Shop, needs: Necessity, timing: Timing, bound: int) -> None:
        from balancer.solver.model import Model  # noqa: PLC0415

        self.model = Model()
        self._shop = shop
        self._ticks = timing.lengths(shop)
        self._heads = earliest_starts(shop, needs, self._ticks)
        self._tails = least_afterwards(needs, self._ticks)
        self._most = timing.makespan
        self.starts = [self._start(job) for job in shop.jobs]
        self._begin = {
            entry.number: start
            for job, start in zip(shop.jobs, self.starts, strict=True)
            for entry in job.entries
        }
        self.end = self._add_makespan(bound)
        self._add_slots()
        for first, then in needs.pairs:
            self.model.add(self._begin[then] >= self._begin[first] + self._ticks[first])
        for store in needs.stores:
            if store.free >= 0.0:
                self._add_store(store)
        for start, hint in zip(self.starts, timing.starts, strict=True):
            self.model.add_hint(start, hint)

    def _start(self, job: Job) -> "Var":
        """Return the start of one job, in the window that heads and tails leave it."""
        numbers = [entry.number for entry in job.entries]
        earliest = max(self._heads[number] for number in numbers)
        latest = min(self._most - self._ticks[number] - self._tails[number] for number in numbers)
        return self.model.new_int_var(earliest, latest, "")

    def _add_makespan(self, bound: int) -> "Var":
        end = self.model.new_int_var(bound, self._most, "")
        for number, start in self._begin.items():
            self.model.add(end >= start + self._ticks[number] + self._tails[number])
        self.model.minimize(end)
        return end

    def _add_slots(self) -> None:
        """Let no resource carry more intervals than it has slots; running migrations hold theirs first."""
        using: list[list[Interval]] = [[] for _ in self._shop.capacity]
        for running in self._shop.running:
            held = self.model.new_fixed_size_interval_var(0, running.ticks, "")
            for resource in running.claims:
                if len(using[resource]) < self._shop.capacity[resource]:
                    using[resource].append(held)
        for job in self._shop.jobs:
            for entry, copy in zip(job.entries, job.copies, strict=True):
                begin, ticks = self._begin[entry.number], self._ticks[entry.number]
                interval = self.model.new_fixed_size_interval_var(begin, ticks, "")
                for resource in copy.claims:
                    using[resource].append(interval)
        for intervals, slots in zip(using, self._shop.capacity, strict=True):
            if len(intervals) > slots:
                self.model.add_cumulative(intervals, [1] * len(intervals), slots)

    def _add_store(self, store: Store) -> None:
        """Let the arrivals begun less the departures ended fit; rounded in favour of what fits."""
        times: list[Expression] = []
        changes: list[int] = []
        for number, amount in store.arrivals:
            times.append(self._begin[number])
            changes.append(floor(amount))
        for number, amount in store.departures:
            times.append(self._begin[number] + self._ticks[number])
            changes.append(-ceil(amount))
        least = sum(change for change in changes if change < 0)
        self.model.add_reservoir_constraint(times, changes, least, ceil(store.free))
