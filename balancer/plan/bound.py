"""What no plan can beat: how level a cluster can become, and what reaching a goal costs at least.

Both bounds are Lagrangian: for any prices of load per host, each VM by itself chooses its cheapest host and
each host by itself its cheapest load, which no lawful placement can undercut. The linear programs of
`plan.relax` only choose good prices; their tolerances cannot make a bound wrong. Not part of planning:
asked for by `plan --certify` and by the benchmark.
"""

from dataclasses import dataclass

import numpy as np

from balancer.model.need import Need
from balancer.model.units import Ratio, Seconds
from balancer.plan.codes import Floats
from balancer.plan.desk import Desk
from balancer.plan.fluid import Aim, Curve, Fluid, make_fluid
from balancer.plan.problem import compile_problem
from balancer.plan.product import product
from balancer.plan.relax import Relaxed, Terms, cheapest, most_level
from balancer.policy.types import Policy

CLOSE_ENOUGH = 0.002
"""The search for better prices of load ends within this share of the optimum of the fluid cluster."""

NEGLIGIBLE = 1e-7
"""A difference of cost that is 0.03 percentage points of imbalance."""

LEVEL_STEPS = np.array([0.0, *(1e-4 * 3.0**n for n in range(9))])
PRICE_STEPS = np.array([0.0, 0.35, 0.7, 1.1, 1.6, 2.3, 3.5, 5.0, 8.0, 13.0, 20.0, 40.0, 80.0])
"""Where the first tangents touch: ratios from the mean, and multiples of the target from the mean."""

LEAST_LEVEL = 1e-4
"""Nobody asks for less than a hundredth of a percentage point; its square must exceed GLOP's tolerances."""

MOST_ROUNDS = 6
LIMIT_S = 20.0
"""Seconds of one linear program; where it is reached there is no bound."""

CROWDED = 0.75
"""Ceilings of memory are looked at where the memory that VMs hold is above this share of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Lower bounds; None where one could not be computed.

    `cost` bounds the load part of `State.cost`, `imbalance` the imbalance, over all lawful placements.
    `price` and `seconds` bound the price (in units of the objective) and the seconds of copying of all
    moves that lead to a placement as the aim describes it.
    """

    cost: float | None
    imbalance: Ratio | None
    price: float | None
    seconds: Seconds | None


NOTHING = Bounds(cost=None, imbalance=None, price=None, seconds=None)
"""No bound at all."""


def bounds(
    need: Need, policy: Policy, aim: Aim | None = None, *, limit_s: Seconds = LIMIT_S
) -> Bounds:
    """Return the lower bounds for a cluster, by default for what the policy wants of it.

    `limit_s` bounds each linear program; unless it is reached, the same input gives the same bounds.
    """
    if not need.demand or not need.snapshot.serving_hosts:
        return Bounds(cost=None, imbalance=None, price=None, seconds=None)
    desk = Desk(compile_problem(need, policy))
    chosen = aim or aim_of(need, policy)
    fluid = make_fluid(desk, chosen)
    balance = fluid.curve.without_penalty()
    cost = balance_bound(fluid, fluid.curve, limit_s)
    level = cost if cost == 0.0 else balance_bound(fluid, balance, limit_s)
    return Bounds(
        cost=cost,
        imbalance=None if level is None else float(np.sqrt(level)),
        price=price_bound(fluid, fluid.prices, chosen, limit_s),
        seconds=price_bound(fluid, fluid.seconds, chosen, limit_s),
    )


def aim_of(need: Need, policy: Policy) -> Aim:
    """Return what a policy wants of a cluster: level where balance is called for, calm where relief is."""
    goals, target = policy.goals, policy.thresholds.balance_target
    return Aim(
        level=target if goals.balance and need.wants_balance else float("inf"),
        is_calm=goals.contention,
    )


def balance_bound(fluid: Fluid, curve: Curve, limit_s: Seconds = LIMIT_S) -> float | None:
    """Return a lower bound of the hosts' cost over all lawful placements."""
    best, near, steps = None, fluid.start[None], LEVEL_STEPS
    for _ in range(MOST_ROUNDS):
        found = most_level(fluid, _terms(fluid, curve, fluid.high, steps, near, limit_s))
        if found is None:
            return best
        best = max(best or 0.0, _value_of_level(fluid, curve, found.tilt))
        reached = float(curve.value(found.loads).sum())
        if reached - best <= max(CLOSE_ENOUGH * reached, NEGLIGIBLE):
            return best
        near, steps = np.concatenate((near, found.loads[None])), steps / 2
    return best


def price_bound(fluid: Fluid, each: Floats, aim: Aim, limit_s: Seconds = LIMIT_S) -> float | None:
    """Return the least sum of `each` (U, H) over moves that lead to what the aim describes."""
    curve = fluid.curve.without_penalty()
    high = fluid.high
    if aim.is_calm:
        limit = fluid.curve.limit
        high = np.minimum(high, np.where(fluid.low <= limit, limit, high))
    cost = np.where(fluid.may, each, np.inf).min(axis=1, initial=np.inf)
    unit = float(np.median(cost)) if len(cost) else 1.0
    level = max(aim.level, LEAST_LEVEL)
    steps = PRICE_STEPS * min(level, 0.05)
    terms = _terms(fluid, curve, high, steps, fluid.start[None], limit_s)
    found = cheapest(fluid, terms, cost / unit, level**2)
    if found is None:
        return None
    return max(_value_of_moves(fluid, curve, high, each / unit, found, level**2), 0.0) * unit


def _terms(
    fluid: Fluid, curve: Curve, high: Floats, steps: Floats, near: Floats, limit_s: Seconds
) -> Terms:
    held, room = (fluid.start * fluid.capacity)[:, 2].sum(), (fluid.high * fluid.capacity)[:, 2]
    is_crowded = held > CROWDED * room.sum()
    return Terms(
        curve=curve,
        high=high,
        steps=steps,
        resources=(0, 1, 2) if is_crowded else (0, 1),
        near=near,
        limit_s=limit_s,
    )


def _value_of_level(fluid: Fluid, curve: Curve, tilt: Floats) -> float:
    """Return the bound that prices of load give: all units poured, each where it is cheapest."""
    worth = product(fluid.size, np.ascontiguousarray((tilt / fluid.capacity).T))
    poured = np.where(fluid.stay_or_go, worth, np.inf).min(axis=1, initial=np.inf).sum()
    hosts = curve.lowest(tilt, fluid.low, fluid.high).sum()
    return float(poured + hosts + (tilt * fluid.low).sum())


def _value_of_moves(
    fluid: Fluid, curve: Curve, high: Floats, each: Floats, found: Relaxed, most: float
) -> float:
    """Return the bound that prices of load give: each unit stays, or moves where that is cheapest."""
    tilt = found.tilt
    worth = product(fluid.size, np.ascontiguousarray((tilt / fluid.capacity).T))
    going = np.where(fluid.may, each + worth, np.inf).min(axis=1, initial=np.inf)
    here = np.flatnonzero(fluid.source >= 0)
    arriving = float(going[fluid.source < 0].sum())
    going = np.minimum(going[here] - worth[here, fluid.source[here]], 0.0)
    hosts = curve.times(found.weight).lowest(tilt, fluid.low, high).sum()
    asked = found.weight * most if found.weight > 0.0 else 0.0
    return float(arriving + going.sum() + hosts + (tilt * fluid.start).sum() - asked)
