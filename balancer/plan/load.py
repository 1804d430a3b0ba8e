"""Second and third goal: relieve contended hosts, then level all hosts, each with the cheapest moves found."""

import numpy as np

from balancer.model.plan import MoveReason
from balancer.plan import counts
from balancer.plan.codes import Bools
from balancer.plan.descent import BALANCE_EXPONENTS, even_counts, level, relieve
from balancer.plan.desk import Desk, Note
from balancer.plan.field import Field
from balancer.plan.loadcost import LEAST_GAIN
from balancer.plan.swaps import swap_until

ANY_IMBALANCE = float("inf")


def relieve_hosts(desk: Desk) -> None:
    """Bring hosts under their contention thresholds as far as moves help; then by exchanges."""
    whole = Field(desk)
    ceiling = whole.cost.total(whole.ledger)
    field = whole.of(whole.is_over[whole.host])
    relieve(field)
    _keep(desk, field, MoveReason.CONTENTION)
    if not field.is_over.any():
        return
    field = Field(desk)
    swap_until(field, ANY_IMBALANCE, ceiling)
    relieve(field)
    _keep(desk, field, MoveReason.CONTENTION)


def level_hosts(desk: Desk) -> None:
    """Level the hosts to the policy's target: the cheapest of several descents that reach it.

    Where none reaches it, the one that comes closest, carried on by exchanges.
    """
    target = desk.problem.policy.thresholds.balance_target
    whole = Field(desk)
    ceiling = whole.cost.total(whole.ledger)
    start = whole.of(_promising(whole))
    tries: list[Field] = []
    for exponent in reversed(BALANCE_EXPONENTS):
        field = start.copy()
        reached = [done.paid() for done in tries if _merit(done, target)[0] == 0.0]
        level(field, exponent, target, most_price=min(reached, default=np.inf))
        tries.append(field)
    best = min(tries, key=lambda field: _merit(field, target))
    _keep(desk, best, MoveReason.BALANCE)
    if best.cost.imbalance(best.ledger) <= target:
        return
    field = Field(desk)
    level(field, BALANCE_EXPONENTS[1], target)
    swap_until(field, target, ceiling)
    level(field, BALANCE_EXPONENTS[1], target)
    _keep(desk, field, MoveReason.BALANCE)


def even_out(desk: Desk) -> None:
    """Even out the numbers of VMs where the policy asks for it; load is the more important."""
    limits = desk.problem.policy.thresholds
    if counts.spread(desk) <= limits.vm_count_trigger:
        return
    field = Field(desk)
    spread = field.cost.imbalance(field.ledger)
    even_counts(field, limits.vm_count_target, max(limits.balance_target, spread))
    for members, target in field.outcome():
        desk.move(members, target, Note(reason=MoveReason.BALANCE, cause=counts.CAUSE))


def _promising(field: Field) -> Bools:
    """Return the units whose move would pay as things are; few others will, while hosts only get more level."""
    result: Bools = field.net() > LEAST_GAIN
    return result


def _merit(field: Field, target: float) -> tuple[float, float]:
    """Return what to minimise: imbalance above the target, then the price paid."""
    return max(field.cost.imbalance(field.ledger) - target, 0.0), field.paid()


def _keep(desk: Desk, field: Field, reason: MoveReason) -> None:
    for members, target in field.outcome():
        desk.move(members, target, Note(reason=reason))
