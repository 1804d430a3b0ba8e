"""Linear programs over the fluid cluster: which multipliers make a bound strong. Never a bound itself.

The one place of the planner that speaks to the linear solver, in floating point and to its tolerances.
What it returns are prices of load per host and resource; `plan.bound` derives from them a bound that holds
whatever they are, so that a wrong answer makes it weak and not false; a failure is no answer, and never an
exception. Used for certificates only (docs/decisions/0007). A host's convex cost is a chain of segments
between tangents (Kelley's cuts, written as columns), made finer where the last solution came to lie.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from balancer.model.units import Seconds
from balancer.plan.codes import Bools, Floats
from balancer.plan.fluid import Curve, Fluid

if TYPE_CHECKING:
    from ortools.linear_solver import pywraplp

FAILURES = (ImportError, MemoryError, RuntimeError, SystemError)
"""How the linear solver's Python layer fails, other than by a status."""

FINER = 0.3
"""Distance of the tangents beside the last solution, in units of the least step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """One solution: `tilt` (H, R) is the price of load ratio, `weight` that of the hosts' cost."""

    tilt: Floats
    weight: float
    loads: Floats  # (H, R) ratios at which the solution lies


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a program is made of: cost of load, ceilings, resources, seconds at most.

    `steps` are the distances from the mean, ascending from 0, at which tangents touch; `near` (n, H, R) are
    load ratios around which the cost is wanted more exactly.
    """

    curve: Curve
    high: Floats
    steps: Floats
    resources: tuple[int, ...]
    near: Floats
    limit_s: Seconds


def most_level(fluid: Fluid, terms: Terms) -> Relaxed | None:
    """Pour all units so that the hosts' cost is least; None where that fails or time runs out."""
    try:
        return _most_level(fluid, terms)
    except FAILURES:
        return None


def _most_level(fluid: Fluid, terms: Terms) -> Relaxed | None:
    program = _Program(fluid, terms)
    objective = program.solver.Objective()
    for cells in program.cells.values():
        for cell, slope in cells:
            objective.SetCoefficient(cell, slope)
    program.pour(np.ones(len(fluid.size), dtype=bool))
    return program.solved()


def cheapest(fluid: Fluid, terms: Terms, cost: Floats, most: float) -> Relaxed | None:
    """Take units off their hosts at `cost` (U,) so that the hosts' cost is at most `most`, cheaply.

    None where that cannot be, fails, or where time runs out. An infinite `most` asks for ceilings alone.
    """
    try:
        return _cheapest(fluid, terms, cost, most)
    except FAILURES:
        return None


def _cheapest(fluid: Fluid, terms: Terms, cost: Floats, most: float) -> Relaxed | None:
    program = _Program(fluid, terms)
    solver, objective = program.solver, program.solver.Objective()
    row = None
    if np.isfinite(most):
        row = solver.RowConstraint(-solver.infinity(), 1.0 - program.constant() / most, "")
        for cells in program.cells.values():
            for cell, slope in cells:
                row.SetCoefficient(cell, slope / most)
    program.pour(fluid.source < 0)
    for unit in np.flatnonzero(fluid.source >= 0).tolist():
        objective.SetCoefficient(program.leave(unit), float(cost[unit]))
    found = program.solved()
    if found is None:
        return None
    weight = max(-row.dual_value(), 0.0) / most if row is not None else 0.0
    return Relaxed(tilt=found.tilt, weight=weight, loads=found.loads)


class _Program:
    """Rows of load and of flow. Loads are ratios; flows are in mean host capacities."""

    def __init__(self, fluid: Fluid, terms: Terms) -> None:
        from ortools.linear_solver import pywraplp  # noqa: PLC0415

        self.fluid, self.terms = fluid, terms
        self.solver = pywraplp.Solver.CreateSolver("GLOP")
        if self.solver is None:
            raise RuntimeError("this build of the solver has no GLOP")
        self.solver.SetTimeLimit(max(int(terms.limit_s * 1000), 1))
        self.solver.Objective().SetMinimization()
        self.scale: Floats = fluid.capacity.mean(axis=0)
        hosts = range(len(fluid.capacity))
        self.places = [(host, resource) for host in hosts for resource in terms.resources]
        self.rows: dict[tuple[int, int], pywraplp.Constraint] = {}
        self.cells: dict[tuple[int, int], list[tuple[pywraplp.Variable, float]]] = {}
        self._lowest: list[float] = []
        for place in self.places:
            self._add_host(place)
        self.flows = self._add_flows()

    def constant(self) -> float:
        """Return the cost of the hosts when they carry only what cannot leave, as the tangents see it."""
        return float(sum(self._lowest))

    def pour(self, which: Bools) -> None:
        """Let some units leave in any case: what stands on a host goes from there to its class."""
        fluid = self.fluid
        here = which & (fluid.source >= 0)
        gone = np.zeros_like(fluid.low)
        np.add.at(gone, fluid.source[here], fluid.size[here])
        for place, row in self.rows.items():
            left = row.lb() - float(gone[place] / fluid.capacity[place])
            row.SetBounds(left, left)
        poured = np.zeros((int(fluid.class_of.max(initial=-1)) + 1, fluid.size.shape[1]))
        np.add.at(poured, fluid.class_of[which], fluid.size[which] / self.scale)
        for (number, resource), flow in self.flows.items():
            flow.SetBounds(*[float(poured[number, resource])] * 2)

    def leave(self, unit: int) -> "pywraplp.Variable":
        """Add the fraction of a unit that leaves its host."""
        fluid, host = self.fluid, int(self.fluid.source[unit])
        fraction = self.solver.NumVar(0.0, 1.0, "")
        for resource in self.terms.resources:
            amount = float(fluid.size[unit, resource])
            row = self.rows[host, resource]
            row.SetCoefficient(fraction, amount / float(fluid.capacity[host, resource]))
            flow = self.flows[int(fluid.class_of[unit]), resource]
            flow.SetCoefficient(fraction, -amount / float(self.scale[resource]))
        return fraction

    def solved(self) -> Relaxed | None:
        """Solve and read the solution."""
        if self.solver.Solve() != self.solver.OPTIMAL:
            return None
        tilt, loads = np.zeros_like(self.fluid.low), self.fluid.low.copy()
        for place in self.places:
            tilt[place] = self.rows[place].dual_value()
            loads[place] += sum(cell.solution_value() for cell, _ in self.cells[place])
        is_finite = bool(np.isfinite(tilt).all() and np.isfinite(loads).all())
        return Relaxed(tilt=tilt, weight=1.0, loads=loads) if is_finite else None

    def _add_host(self, place: tuple[int, int]) -> None:
        """Add one load: what leaves and arrives on one side, segments of rising slope on the other."""
        low, high = float(self.fluid.low[place]), float(self.terms.high[place])
        above = float(self.fluid.start[place]) - low
        row = self.rows[place] = self.solver.RowConstraint(above, above, "")
        touch, value, slope = self._tangents(place, low, high)
        edges = np.concatenate(([low], (touch[1:] + touch[:-1]) / 2, [high]))
        self._lowest.append(float(value[0] + slope[0] * (low - touch[0])))
        cells = self.cells[place] = []
        for width, steep in zip(np.diff(edges).tolist(), slope.tolist(), strict=True):
            cell = self.solver.NumVar(0.0, max(width, 0.0), "")
            row.SetCoefficient(cell, 1.0)
            cells.append((cell, steep))

    def _tangents(
        self, place: tuple[int, int], low: float, high: float
    ) -> tuple[Floats, Floats, Floats]:
        """Return where tangents touch one host's cost, ascending, and its value and slope there."""
        curve, steps = self.terms.curve, self.terms.steps
        near = self.terms.near[:, place[0], place[1]]
        close = (near[:, None] + np.array([-FINER, 0.0, FINER]) * steps[1]).reshape(-1)
        kink = curve.limit[place] + np.concatenate(([-1e-9, 1e-9], steps[1:]))
        points = np.concatenate((curve.mean[place] - steps, curve.mean[place] + steps, close))
        if curve.penalty[place] > 0.0:
            points = np.concatenate((points, kink))
        if curve.bend[place] == 0.0 and curve.penalty[place] == 0.0:
            points = np.array([low])
        touch = np.unique(np.clip(points, low, high))
        whole = np.zeros((len(touch), *self.fluid.low.shape))
        whole[:, place[0], place[1]] = touch
        at = (slice(None), *place)
        return touch, curve.value(whole)[at], curve.slope(whole)[at]

    def _add_flows(self) -> "dict[tuple[int, int], pywraplp.Constraint]":
        """Add, for each class and resource, what arrives on each host open to it."""
        solver, fluid = self.solver, self.fluid
        classes, first = np.unique(fluid.class_of, return_index=True)
        flows = {}
        for number, unit in zip(classes.tolist(), first.tolist(), strict=True):
            for resource in self.terms.resources:
                flow = flows[number, resource] = solver.RowConstraint(0.0, 0.0, "")
                for host in np.flatnonzero(fluid.stay_or_go[unit]).tolist():
                    amount = solver.NumVar(0.0, solver.infinity(), "")
                    flow.SetCoefficient(amount, 1.0)
                    share = self.scale[resource] / fluid.capacity[host, resource]
                    self.rows[host, resource].SetCoefficient(amount, -float(share))
        return flows
