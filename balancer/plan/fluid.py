"""A cluster in which VMs can be poured: the relaxation that lower bounds are made of.

Owns what is known of the VMs that may move (in units that move whole), of the hosts that take part, and
the convex cost of a host's load. Everything here is at most as strict as the laws, so that every lawful
placement is one of the placements described; never stricter. `plan.relax` chooses multipliers for it,
`plan.bound` turns them into bounds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from balancer.model.units import Ratio, VmId
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.desk import Desk
from balancer.plan.loadcost import LoadCost, load_cost
from balancer.plan.price import price, seconds
from balancer.plan.problem import COLUMNS, CPU, FOOTPRINT, MEMORY, Problem
from balancer.policy.objective import CONTENTION_LINEAR, CONTENTION_QUADRATIC
from balancer.rules.capacity import SLACK
from balancer.rules.placement import Placement
from balancer.rules.violations import violations

Measure = Callable[[Problem, Ints, Ints, Ints], Floats]
"""Price or seconds of moving VMs from sources to targets; the arrays broadcast."""

RESOURCES = (CPU, MEMORY, FOOTPRINT)
"""Columns of all arrays here. Footprint costs nothing; it only has a ceiling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a placement must reach for a bound to speak of it.

    `level` is the highest imbalance (infinite where any will do), `is_calm` asks that no host is above
    a contention threshold. `arriving` are the VMs that come from hosts that do not serve; None for all
    on hosts that are to be emptied and that some host may take.
    """

    level: Ratio = float("inf")
    is_calm: bool = False
    arriving: frozenset[VmId] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A convex cost of each host's load ratio: a parabola, and the penalty above a threshold.

    cost = bend (u - mean)^2 + penalty (5 o + 50 o^2) with o = max(0, u - limit); arrays are (H, R).
    """

    bend: Floats
    penalty: Floats
    mean: Floats
    limit: Floats

    def times(self, factor: float) -> "Curve":
        """Return the curve of `factor` times the cost."""
        return replace(self, bend=self.bend * factor, penalty=self.penalty * factor)

    def without_penalty(self) -> "Curve":
        """Return the balance part alone."""
        return replace(self, penalty=np.zeros_like(self.penalty))

    def value(self, ratio: Floats) -> Floats:
        """Return the cost of each host and resource, shaped as `ratio`: (..., H, R)."""
        over = np.maximum(ratio - self.limit, 0.0)
        contention = over * (CONTENTION_LINEAR + CONTENTION_QUADRATIC * over)
        result: Floats = self.bend * (ratio - self.mean) ** 2 + self.penalty * contention
        return result

    def slope(self, ratio: Floats) -> Floats:
        """Return a subgradient of the cost, shaped as `ratio`."""
        over = np.maximum(ratio - self.limit, 0.0)
        steep = CONTENTION_LINEAR * (over > 0.0) + 2.0 * CONTENTION_QUADRATIC * over
        result: Floats = 2.0 * self.bend * (ratio - self.mean) + self.penalty * steep
        return result

    def lowest(self, tilt: Floats, low: Floats, high: Floats) -> Floats:
        """Return min over low <= u <= high of cost(u) - tilt u, exactly, (H, R).

        The least of a convex chain of two parabolas lies at one of their vertices, the kink or an end.
        """
        flat, steep = 2.0 * self.bend, 2.0 * self.bend + 2.0 * CONTENTION_QUADRATIC * self.penalty
        pull = tilt + flat * self.mean
        push = pull + self.penalty * (2.0 * CONTENTION_QUADRATIC * self._kink - CONTENTION_LINEAR)
        below = np.divide(pull, flat, out=low.copy(), where=flat > 0.0)
        above = np.divide(push, steep, out=high.copy(), where=steep > 0.0)
        tried = np.stack([low, high, below, above, self._kink]).clip(low, high)
        result: Floats = (self.value(tried) - tilt * tried).min(axis=0)
        return result

    @property
    def _kink(self) -> Floats:
        """Return where the penalty starts, 0 where there is none."""
        result: Floats = np.where(np.isfinite(self.limit), self.limit, 0.0)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Fluid:
    """U units that may move, H serving hosts, R resources; loads are ratios of `capacity`.

    `source` is -1 for units that come from a host that does not serve and must arrive. `may` (U, H) has
    no unit's own host, `stay_or_go` has. Hosts carry at least `low` (what cannot leave) and at most `high`.
    """

    size: Floats  # (U, R)
    source: Ints  # (U,)
    may: Bools  # (U, H)
    stay_or_go: Bools  # (U, H)
    class_of: Ints  # (U,) units of one class have the same row in `stay_or_go`
    prices: Floats  # (U, H) price of a move, in units of the objective
    seconds: Floats  # (U, H) seconds of copying
    capacity: Floats  # (H, R)
    start: Floats  # (H, R) load as things stand, arrivals not counted
    low: Floats  # (H, R)
    high: Floats  # (H, R)
    curve: Curve


def make_fluid(desk: Desk, aim: Aim) -> Fluid:
    """Describe the cluster of a desk on which nothing has been moved yet."""
    problem = desk.problem
    has_duties = _has_duties(problem)
    members = _units(desk, aim, has_duties=has_duties)
    may = _allowed(desk, members, is_mandatory=has_duties)[:, problem.serving]
    may &= _fits(desk, members, has_duties=has_duties)[:, problem.serving]
    can: Ints = np.flatnonzero(may.any(axis=1))
    movable = [members[row] for row in can.tolist()]
    return _assemble(desk, movable, may[can], has_duties=has_duties)


def _has_duties(problem: Problem) -> bool:
    """Whether evacuations or broken must-rules may move held VMs and pass the CPU ceiling."""
    leaving = problem.leaving[problem.at] & ~problem.pinned
    broken = violations(Placement(problem.ground))
    return bool(leaving.any()) or any(violation.mandatory for violation in broken)


def _units(desk: Desk, aim: Aim, *, has_duties: bool) -> list[tuple[int, ...]]:
    """Return what moves as one: families that stand together on a serving host, and single VMs."""
    problem = desk.problem
    free = ~problem.pinned if has_duties else ~problem.pinned & ~problem.held
    arrives = problem.leaving[problem.at]
    if aim.arriving is not None:
        arrives = np.array([vm.id in aim.arriving for vm in problem.vms], dtype=bool)
    counts = free & (problem.serving[problem.at] | arrives)
    bound, whole = set[int](), list[tuple[int, ...]]()
    for family in desk.families:
        homes = set(problem.at[list(family)].tolist())
        if len(homes) == 1 and problem.serving[homes.pop()]:
            bound.update(family)
            whole += [family] if free[list(family)].all() else []
    alone = [(vm,) for vm in np.flatnonzero(counts).tolist() if vm not in bound]
    return sorted(alone + whole)


def _allowed(desk: Desk, members: list[tuple[int, ...]], *, is_mandatory: bool) -> Bools:
    """Return which hosts the laws that look at one VM alone allow to each unit, (U, all hosts)."""
    if not members:
        return np.zeros((0, len(desk.problem.hosts)), dtype=bool)
    flat, starts = _flat(members)
    each = desk.allowed(flat, is_mandatory=is_mandatory)
    result: Bools = np.logical_and.reduceat(each, starts, axis=0)
    return result


def _fits(desk: Desk, members: list[tuple[int, ...]], *, has_duties: bool) -> Bools:
    """Return which hosts could hold each unit if nothing else were there, (U, all hosts)."""
    problem = desk.problem
    flat, starts = _flat(members)
    size = _summed(problem.size[flat], starts)
    result: Bools = size[:, FOOTPRINT, None] <= problem.limits[:, FOOTPRINT]
    return result if has_duties else result & (size[:, CPU, None] <= _cpu_ceiling(problem))


def _assemble(desk: Desk, members: list[tuple[int, ...]], may: Bools, *, has_duties: bool) -> Fluid:
    problem = desk.problem
    rows = np.flatnonzero(problem.serving)
    number = np.full(len(problem.hosts), -1, dtype=np.int64)
    number[rows] = np.arange(len(rows))
    flat, starts = _flat(members)
    size = _summed(problem.size[flat][:, RESOURCES], starts)
    source = number[problem.at[flat[starts]]] if members else np.zeros(0, dtype=np.int64)
    here = np.flatnonzero(source >= 0)
    capacity = problem.capacity[rows][:, [0, 1, 1]]
    load = desk.ledger.load[rows][:, RESOURCES]
    fixed = load.copy()
    np.subtract.at(fixed, source[here], size[here])
    stay = may.copy()
    stay[here, source[here]] = True
    arriving = [members[unit] for unit in np.flatnonzero(source < 0).tolist()]
    return Fluid(
        size=size,
        source=source,
        may=may,
        stay_or_go=stay,
        class_of=_classes(stay),
        prices=_summed(_each(price, problem, flat, rows), starts),
        seconds=_summed(_each(seconds, problem, flat, rows), starts),
        capacity=capacity,
        start=load / capacity,
        low=np.maximum(fixed, 0.0) / capacity,
        high=_ceilings(problem, rows, load, size.sum(axis=0), has_duties) / capacity,
        curve=_curve(problem, _cost_with(desk, arriving, int(rows[0])), rows),
    )


def _flat(members: list[tuple[int, ...]]) -> tuple[Ints, Ints]:
    """Return the members of all units in one row, and where each unit starts in it."""
    flat = np.array([vm for unit in members for vm in unit], dtype=np.int64)
    lengths = [len(unit) for unit in members]
    return flat, np.cumsum([0, *lengths[:-1]]) if lengths else np.zeros(0, dtype=np.int64)


def _summed(each: Floats, starts: Ints) -> Floats:
    result: Floats = np.add.reduceat(each, starts, axis=0) if len(starts) else each
    return result


def _each(measure: Measure, problem: Problem, flat: Ints, rows: Ints) -> Floats:
    return measure(problem, flat[:, None], problem.at[flat][:, None], rows[None, :])


def _classes(stay_or_go: Bools) -> Ints:
    if not len(stay_or_go):
        return np.zeros(0, dtype=np.int64)
    packed = np.packbits(stay_or_go, axis=1)
    return np.unique(packed, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _ceilings(
    problem: Problem, rows: Ints, load: Floats, moving: Floats, has_duties: bool
) -> Floats:
    """Return the most that each host can come to hold, (H, R); what is above a ceiling may stay."""
    high: Floats = load + moving
    taken = problem.transit[rows]
    memory = problem.limits[rows, FOOTPRINT] - taken[:, FOOTPRINT]
    high[:, 2] = np.minimum(high[:, 2], np.maximum(memory, load[:, 2]))
    if not has_duties:
        cpu = _cpu_ceiling(problem)[rows] - taken[:, CPU]
        high[:, 0] = np.minimum(high[:, 0], np.maximum(cpu, load[:, 0]))
    return high


def _cpu_ceiling(problem: Problem) -> Floats:
    """Return the most CPU demand to which a move that is not mandatory may fill each host, (all hosts,)."""
    result: Floats = problem.policy.thresholds.cpu_ceiling * problem.capacity[:, CPU] + SLACK
    return result


def _cost_with(desk: Desk, arriving: list[tuple[int, ...]], host: int) -> LoadCost:
    """Return the objective once the arriving units are on serving hosts; which ones makes no difference."""
    ledger = desk.ledger.copy()
    for unit in arriving:
        ledger.move(unit, host)
    return load_cost(ledger)


def _curve(problem: Problem, cost: LoadCost, rows: Ints) -> Curve:
    """Return what the objective is at least, per host; footprint has no part in it.

    Contention of mean demand is at most that of demand with its risk. Of a horizon only what lasts
    counts, which may be less than the mean: there contention is left out.
    """
    shape = (len(rows), len(RESOURCES))
    bend, penalty, mean = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    limit = np.full(shape, np.inf)
    bend[:, :2], mean[:, :2] = cost.share[rows] * cost.weight, cost.mean
    if problem.size.shape[1] == COLUMNS:
        penalty[:, :2], limit[:, :2] = cost.share[rows], cost.limit
    return Curve(bend=bend, penalty=penalty, mean=mean, limit=limit)
