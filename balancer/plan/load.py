"""Second and third goal: relieve contended hosts, then level all hosts, each with the cheapest moves found."""

import numpy as np

from balancer.model.plan import MoveReason
from balancer.plan.descent import BALANCE_EXPONENTS, level, relieve
from balancer.plan.desk import Desk, Note
from balancer.plan.field import Field
from balancer.plan.swaps import swap_until

ANY_IMBALANCE = float("inf")


def relieve_hosts(desk: Desk) -> None:
    """Bring hosts under their contention thresholds as far as moves help; then by exchanges."""
    field = Field(desk)
    ceiling = field.cost.total(field.ledger)
    relieve(field)
    if field.cost.is_over(field.ledger).any():
        swap_until(field, ANY_IMBALANCE, ceiling)
        relieve(field)
    _keep(desk, field, MoveReason.CONTENTION)


def level_hosts(desk: Desk) -> None:
    """Level the hosts to the policy's target: the cheapest of several descents that reach it.

    Where none reaches it, the one that comes closest, carried on by exchanges.
    """
    target = desk.problem.policy.thresholds.balance_target
    start = Field(desk)
    ceiling = start.cost.total(start.ledger)
    tries: list[Field] = []
    for exponent in reversed(BALANCE_EXPONENTS):
        field = start.copy()
        reached = [done.paid() for done in tries if _merit(done, target)[0] == 0.0]
        level(field, exponent, target, most_price=min(reached, default=np.inf))
        tries.append(field)
    best = min(tries, key=lambda field: _merit(field, target))
    if best.cost.imbalance(best.ledger) > target:
        swap_until(best, target, ceiling)
        level(best, BALANCE_EXPONENTS[1], target)
    _keep(desk, best, MoveReason.BALANCE)


def _merit(field: Field, target: float) -> tuple[float, float]:
    """Return what to minimise: imbalance above the target, then the price paid."""
    return max(field.cost.imbalance(field.ledger) - target, 0.0), field.paid()


def _keep(desk: Desk, field: Field, reason: MoveReason) -> None:
    for members, target in field.outcome():
        desk.move(members, target, Note(reason=reason))
