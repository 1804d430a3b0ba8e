"""Empty whole hosts where the others have room: as many as can be, those from which the least must be copied.

A host is emptied wholly or not at all. The hosts that take its VMs stay under all ceilings and, by a margin,
under the contention thresholds; no rule is broken, should-rules included; and a host failure that could be
survived can be survived without the emptied hosts, so that they may be switched off. Never touches a VM
that is held, pinned or left alone: such a VM keeps its host in use.
"""

import time
from collections.abc import Sequence

import numpy as np

from balancer.model.goal import Goal
from balancer.model.need import Need
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.plan.codes import Bools, Floats
from balancer.plan.desk import Desk, Note
from balancer.plan.failover import Failover
from balancer.plan.field import movable
from balancer.plan.loadcost import LoadCost, load_cost
from balancer.plan.problem import COUNT, CPU, FOOTPRINT, MEMORY

MARGIN = 0.05
"""By so much hosts that take VMs stay below the contention thresholds, so that noise opens no host again."""

ROUNDING = 1e-9
"""So that what is exactly at the margin fits."""

MOST_OTHERS = 16
"""So many hosts are tried one by one beyond those that could be emptied together."""

Unit = tuple[int, ...]


def in_use(desk: Desk) -> Bools:
    """Return the serving hosts that run VMs, or to which some are on their way, (H,)."""
    result: Bools = (np.rint(desk.ledger.held[:, COUNT]) > 0) & desk.problem.serving
    return result


def consolidate(desk: Desk, deadline: float) -> None:
    """Empty hosts, unless some host is contended: then there is no room to spare."""
    if load_cost(desk.ledger).is_over(desk.ledger).any():
        return
    search = _Search(desk)
    ranked = search.ranked
    fewest, most = 0, min(len(ranked), int(search.used.sum()) - 1)
    while fewest < most and time.perf_counter() < deadline:
        number = most if fewest == 0 and search.has_room(most) else (fewest + most + 1) // 2
        if search.empty(ranked[:number]):
            fewest = number
        else:
            most = number - 1
    chosen = ranked[:fewest]
    for host in ranked[fewest : fewest + MOST_OTHERS]:
        if time.perf_counter() < deadline and search.empty([*chosen, host]):
            chosen.append(host)
    search.keep()


def is_half_emptied(desk: Desk) -> bool:
    """Whether VMs stand on a host that others have left so that it runs none."""
    at, start = desk.ledger.at, desk.problem.at
    left = [
        vm
        for vm, note in desk.notes.items()
        if note.reason is MoveReason.CONSOLIDATE and at[vm] != start[vm]
    ]
    return bool(np.isin(at, start[left]).any())


def without_consolidation(need: Need) -> Need:
    """Return a need in which no host is emptied: the way out where that cannot be done wholly."""
    why = Refusal.of(Reason.UNREACHABLE, "no host can be emptied wholly")
    left = dict.fromkeys(need.demand, why)
    return need.excluding(Goal.CONSOLIDATION, left)


class _Search:
    """Tries sets of hosts, each from the placement at the start; remembers the last that could be emptied."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._start = desk.ledger.at.copy(), dict(desk.notes)
        self._best = self._start
        self._cost: LoadCost = load_cost(desk.ledger)
        self.used = in_use(desk)
        self._units = self._units_by_host()
        self.ranked: list[int] = sorted(self._units, key=self._rank)
        self._lost = Failover(desk.problem).lost(desk.ledger.at)

    def _units_by_host(self) -> dict[int, list[Unit]]:
        """Return the units of each host of which every VM may move, largest first."""
        desk = self._desk
        found: dict[int, list[Unit]] = {}
        for unit in movable(desk):
            found.setdefault(int(desk.ledger.at[unit[0]]), []).append(unit)
        count = np.rint(desk.ledger.held[:, COUNT])
        whole = {
            host: units
            for host, units in found.items()
            if sum(map(len, units)) == count[host] and self.used[host]
        }
        return {host: sorted(units, key=self._largest_first) for host, units in whole.items()}

    def _largest_first(self, unit: Unit) -> tuple[float, Unit]:
        problem = self._desk.problem
        size = problem.size[list(unit)][:, [CPU, MEMORY, FOOTPRINT]].sum(axis=0)
        capacity = problem.capacity[self.used].mean(axis=0)[[0, 1, 1]]
        return -float((size / capacity).max()), unit

    def _rank(self, host: int) -> tuple[float, float, int]:
        """Return the MiB to copy: VMs that move anyway cost nothing more."""
        desk = self._desk
        here = np.flatnonzero(desk.ledger.at == host)
        fresh = here[desk.base[here] == host]
        size = desk.problem.size
        return float(size[fresh, FOOTPRINT].sum()), float(size[here, CPU].sum()), host

    def has_room(self, number: int) -> bool:
        """Whether all hosts but the first ones could hold everything, were it a fluid."""
        kept = self.used.copy()
        kept[self.ranked[:number]] = False
        desk, limit = self._desk, self._limit()
        whole = (desk.problem.capacity[kept] * limit).sum(axis=0)
        return bool((desk.ledger.load[self.used][:, :2].sum(axis=0) <= whole).all())

    def _limit(self) -> Floats:
        result: Floats = self._cost.limit - MARGIN + ROUNDING
        return result

    def empty(self, hosts: Sequence[int]) -> bool:
        """Whether these hosts can be emptied together; then that is the best placement so far."""
        desk, kept = self._desk, self.used.copy()
        kept[list(hosts)] = False
        for is_tight in (False, True):
            desk.restore(*self._start)
            with desk.among(kept):
                is_done = self._place_all(hosts, is_tight=is_tight) and self._survives(kept)
            if is_done:
                self._best = desk.ledger.at.copy(), dict(desk.notes)
                return True
        return False

    def keep(self) -> None:
        """Go to the best placement found."""
        self._desk.restore(*self._best)

    def _place_all(self, hosts: Sequence[int], *, is_tight: bool) -> bool:
        desk = self._desk
        waiting = sorted(
            (unit for host in hosts for unit in self._units[host]), key=self._largest_first
        )
        for unit in waiting:
            target = self._target(unit, is_tight=is_tight)
            if target is None:
                return False
            desk.move(unit, target, Note(reason=MoveReason.CONSOLIDATE))
        return True

    def _target(self, unit: Unit, *, is_tight: bool) -> int | None:
        """Return the host that a unit leaves least full, or with `is_tight` the fullest that takes it."""
        desk, cost = self._desk, self._cost
        takes = desk.takes(unit, is_mandatory=False)
        load = desk.ledger.load + desk.problem.size[list(unit)].sum(axis=0)
        fill = (cost.stress_of(slice(None), load) / self._limit()).max(axis=1)
        takes &= fill <= 1.0
        if desk.should.rules_of(unit):
            takes &= desk.should.change(desk.ledger, unit) <= 0
        if not takes.any():
            return None
        rank = np.where(takes, -fill if is_tight else fill, np.inf)
        return int(np.argmin(rank))

    def _survives(self, kept: Bools) -> bool:
        """Whether no failure is lost that was survived, were the hosts that run no VM switched off."""
        problem = self._desk.problem
        check = Failover(problem, spare=problem.serving & ~kept)
        return not (check.lost(self._desk.ledger.at) & ~self._lost).any()
