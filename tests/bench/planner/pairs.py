"""Rival: the whole cluster as one CP-SAT model with one boolean for every VM and host.

Written from a description of a published solver: minimise the gap between the fullest and the emptiest
host in CPU and in memory plus a price of memory moved, with the current placement as hint. Units are VMs
or affinity groups, which is kinder to it than equalities between members.
"""

from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from balancer.lab.rivals.facts import Facts
from tests.bench.planner.population import Floats, Ints, load_of

GAP_WEIGHT, STICKINESS = 100, 1
GAP_SCALE = 10_000
MIB_PER_COST = 256.0
WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSolution:
    """What the solver came to. `bound` is its own lower bound, in units of its own objective."""

    at: Ints
    status: str
    objective: float
    bound: float
    booleans: int


def solve_pairs(facts: Facts, *, time_limit_s: float) -> PairSolution:
    """Build and solve the model; the start is returned where nothing was found."""
    model = cp_model.CpModel()
    x = _pairs(model, facts)
    _limit(model, facts, x)
    gaps = [_gap(model, facts, x, column) for column in (0, 1)]
    moved = sum(
        int(cost) * (1 - x[unit, int(facts.at[unit])])
        for unit, cost in enumerate(_costs(facts))
        if (unit, int(facts.at[unit])) in x
    )
    model.minimize(GAP_WEIGHT * sum(gaps) + STICKINESS * moved)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = time_limit_s
    solver.parameters.num_workers = WORKERS
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    at = facts.at.copy()
    if found:
        for (unit, host), pair in x.items():
            if solver.boolean_value(pair):
                at[unit] = host
    return PairSolution(
        at=at,
        status=solver.status_name(status),
        objective=pair_objective(facts, at),
        bound=solver.best_objective_bound,
        booleans=len(x),
    )


def pair_objective(facts: Facts, at: Ints) -> float:
    """Return the model's own objective for any placement."""
    ratio = load_of(facts.demand, at, len(facts.capacity)) / facts.capacity
    ratio = ratio[facts.serving]
    gap = float((ratio.max(axis=0) - ratio.min(axis=0)).sum())
    moved = float(_costs(facts)[at != facts.at].sum())
    return GAP_WEIGHT * GAP_SCALE * gap + STICKINESS * moved


def _pairs(model: cp_model.CpModel, facts: Facts) -> dict[tuple[int, int], cp_model.IntVar]:
    x: dict[tuple[int, int], cp_model.IntVar] = {}
    for unit, home in enumerate(facts.at.tolist()):
        leaves = bool(facts.leaving[home])
        allowed = (facts.open_mandatory if leaves else facts.open)[unit].copy()
        allowed[home] = not leaves or not allowed.any()
        row = [model.new_bool_var(f"x{unit}_{host}") for host in np.flatnonzero(allowed)]
        for host, pair in zip(np.flatnonzero(allowed).tolist(), row, strict=True):
            x[unit, host] = pair
            model.add_hint(pair, host == home)
        model.add_exactly_one(row)
    return x


def _limit(
    model: cp_model.CpModel, facts: Facts, x: dict[tuple[int, int], cp_model.IntVar]
) -> None:
    for host in range(len(facts.capacity)):
        held = sum(
            int(np.ceil(facts.footprint[unit])) * pair
            for (unit, on), pair in x.items()
            if on == host
        )
        model.add(held <= int(facts.memory_ceiling[host]))
    for group in facts.apart:
        for host in range(len(facts.capacity)):
            pairs = [x[unit, host] for unit in group if (unit, host) in x]
            if len(pairs) > 1:
                model.add_at_most_one(pairs)


def _gap(
    model: cp_model.CpModel,
    facts: Facts,
    x: dict[tuple[int, int], cp_model.IntVar],
    column: int,
) -> cp_model.IntVar:
    """Return the gap of one resource in steps of 1 / GAP_SCALE of a host."""
    scale = GAP_SCALE * 100
    top = model.new_int_var(0, 2 * scale, f"top{column}")
    low = model.new_int_var(0, 2 * scale, f"low{column}")
    for host in np.flatnonzero(facts.serving).tolist():
        share = np.round(facts.demand[:, column] / facts.capacity[host, column] * scale)
        load = sum(int(share[unit]) * pair for (unit, on), pair in x.items() if on == host)
        model.add(load <= top)
        model.add(load >= low)
    gap = model.new_int_var(0, 2 * GAP_SCALE, f"gap{column}")
    model.add(100 * gap >= top - low)
    return gap


def _costs(facts: Facts) -> Floats:
    result: Floats = np.maximum(1.0, np.floor(facts.footprint / MIB_PER_COST))
    return result
