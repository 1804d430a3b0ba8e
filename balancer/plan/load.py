"""Second and third goal: relieve contended hosts, then level all hosts, each with the cheapest moves found."""

from balancer.model.plan import MoveReason
from balancer.plan.descent import BALANCE_EXPONENTS, level, relieve
from balancer.plan.desk import Desk, Note
from balancer.plan.field import Field


def relieve_hosts(desk: Desk) -> None:
    """Bring hosts under their contention thresholds as far as moves help."""
    field = Field(desk)
    relieve(field)
    _keep(desk, field, MoveReason.CONTENTION)


def level_hosts(desk: Desk) -> None:
    """Level the hosts to the policy's target: the cheapest of several descents that reach it.

    Where none reaches it, the one that comes closest.
    """
    target = desk.problem.policy.thresholds.balance_target
    start = Field(desk)
    tries = []
    for exponent in BALANCE_EXPONENTS:
        field = start.copy()
        level(field, exponent, target)
        tries.append(field)
    _keep(desk, min(tries, key=lambda field: _merit(field, target)), MoveReason.BALANCE)


def _merit(field: Field, target: float) -> tuple[float, float]:
    """Return what to minimise: imbalance above the target, then the price paid."""
    return max(field.cost.imbalance(field.ledger) - target, 0.0), field.paid()


def _keep(desk: Desk, field: Field, reason: MoveReason) -> None:
    for members, target in field.outcome():
        desk.move(members, target, Note(reason=reason))
