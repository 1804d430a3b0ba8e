"""Sets a plan beside its lower bounds: how much better any plan could be.

Owns the choice of what the bounds speak of (as level, as calm, as many VMs evacuated as the plan itself
reaches, so that they hold for it whatever it reaches) and the sentences about what is not bounded.
"""

import numpy as np

from balancer.model.certificate import Certificate
from balancer.model.need import Need
from balancer.model.plan import MoveReason, Plan
from balancer.model.units import Seconds, percent
from balancer.plan.bound import LIMIT_S, NOTHING, Bounds, bounds
from balancer.plan.fluid import Aim
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LoadCost, load_cost
from balancer.plan.price import price, seconds
from balancer.plan.problem import Problem, compile_problem
from balancer.policy.types import Policy

_NEARLY = 1.005
"""A target that is missed by less, for rules or rounding, counts as reached."""

_TINY = 1e-9
"""Falls in cost below this are rounding; no share of them is left on any table."""


def certify(need: Need, policy: Policy, plan: Plan, *, limit_s: Seconds = LIMIT_S) -> Certificate:
    """Return the bounds for a plan made from `need`. Takes seconds on the largest clusters.

    What is said of the order of the moves is what the sequencing proved when the plan was made.
    Deterministic unless a linear program reaches `limit_s`.
    """
    problem = compile_problem(need, policy)
    ledger = _final(problem, plan)
    cost = load_cost(ledger)
    aim = _aim(ledger, cost, plan)
    empties = policy.goals.consolidation
    found = NOTHING if empties else bounds(need, policy, aim, limit_s=limit_s)
    moved = ledger.moved()
    way = (problem, moved, problem.at[moved], ledger.at[moved])
    return Certificate(
        cost=found.cost,
        imbalance=found.imbalance,
        gap=_gap(found.cost, plan),
        level=aim.level if np.isfinite(aim.level) else None,
        is_calm=aim.is_calm,
        price=float(price(*way).sum()),
        bound_price=found.price,
        seconds=float(seconds(*way).sum()),
        bound_seconds=found.seconds,
        makespan_bound_seconds=plan.makespan_bound_seconds if plan.moves else None,
        makespan_ideal_seconds=plan.makespan_ideal_seconds if plan.moves else None,
        is_fastest=bool(plan.moves) and plan.is_proven,
        notes=tuple(_notes(policy, plan, aim, found)),
    )


def _final(problem: Problem, plan: Plan) -> Ledger:
    ledger = Ledger(problem)
    for move in plan.moves:
        ledger.move([problem.vm_at[move.vm]], problem.host_at[move.target])
    return ledger


def _aim(ledger: Ledger, cost: LoadCost, plan: Plan) -> Aim:
    """Return what the plan reaches of what the policy wants."""
    problem = ledger.problem
    goals, target = problem.policy.goals, problem.policy.thresholds.balance_target
    levels = problem.need.wants_balance or any(m.reason is MoveReason.BALANCE for m in plan.moves)
    came = ~problem.serving[problem.at] & problem.serving[ledger.at]
    return Aim(
        level=max(target, cost.imbalance(ledger)) if goals.balance and levels else float("inf"),
        is_calm=goals.contention and not cost.is_over(ledger).any(),
        arriving=frozenset(problem.vms[vm].id for vm in np.flatnonzero(came).tolist()),
    )


def _gap(bound: float | None, plan: Plan) -> float | None:
    if bound is None or plan.before.cost - bound < _TINY:
        return None
    return (plan.after.cost - bound) / (plan.before.cost - bound)


def _notes(policy: Policy, plan: Plan, aim: Aim, found: Bounds) -> list[str]:
    notes = []
    target = policy.thresholds.balance_target
    if not any(host.vms for host in plan.before.hosts):
        return ["nothing is bounded: no VM runs on these hosts"]
    if policy.goals.consolidation:
        return [
            "nothing is bounded: the policy empties hosts, and level loads are not what it seeks"
        ]
    if found.cost is None or found.price is None or found.seconds is None:
        notes.append("a bound is left out: it could not be computed within its limits")
    if np.isfinite(aim.level) and aim.level > target * _NEARLY:
        missed = f"the target of {percent(target, 1)} is not reached, but {percent(aim.level, 2)}"
        impossible = found.imbalance is not None and found.imbalance > target
        why = ", and no placement reaches it" if impossible else ""
        notes.append(f"{missed}{why}; the cheapest way is one to that")
    if policy.goals.contention and not aim.is_calm:
        notes.append("a host stays above a contention threshold; the cheapest way may leave it so")
    if found.cost is not None and plan.before.cost < found.cost - _TINY:
        notes.append("what is evacuated adds to the load, so that the fall in cost says nothing")
    elif found.cost is not None and plan.before.cost < found.cost + _TINY:
        notes.append("no placement costs less than the one at the start")
    return notes
