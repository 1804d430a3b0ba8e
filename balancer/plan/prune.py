"""Take back what turned out not to be needed: moves without which every goal is met as well.

Runs after the descents, dearest move first. Never takes back what a must-rule or an evacuation called for.
"""

import numpy as np

from balancer.model.plan import MoveReason
from balancer.plan.desk import Desk
from balancer.plan.loadcost import LEAST_GAIN, LoadCost, load_cost

_OPTIONAL = frozenset({MoveReason.CONTENTION, MoveReason.BALANCE})


def prune(desk: Desk, target: float) -> None:
    """Send units back to where the round found them, where that is lawful and harms no goal.

    A unit may go back if nothing gets more contended and either the imbalance stays within `target` or
    the load gains less from the move than its price.
    """
    cost = load_cost(desk.ledger)
    for members, home in _dearest_first(desk):
        if desk.codes(members, is_mandatory=False)[home] or not _spares(
            desk, cost, members, home, target
        ):
            continue
        desk.ledger.move(members, home)
    desk.forget_the_unmoved()


def _dearest_first(desk: Desk) -> list[tuple[tuple[int, ...], int]]:
    """Return the optional units that moved in this round, each with its host before."""
    found: dict[tuple[int, ...], tuple[float, int]] = {}
    for vm in np.flatnonzero(desk.ledger.at != desk.base).tolist():
        members = desk.together(vm)
        homes = set(desk.base[list(members)].tolist())
        if len(homes) == 1 and all(_is_optional(desk, m) for m in members):
            price = float(desk.price(members)[desk.ledger.at[vm]])
            found[members] = (price, homes.pop())
    order = sorted(found, key=lambda members: (-found[members][0], members))
    return [(members, found[members][1]) for members in order]


def _is_optional(desk: Desk, vm: int) -> bool:
    note = desk.notes.get(vm)
    return note is not None and note.reason in _OPTIONAL


def _spares(desk: Desk, cost: LoadCost, members: tuple[int, ...], home: int, target: float) -> bool:
    """Whether the cluster can do without a unit's move."""
    problem, load = desk.problem, desk.ledger.load[:, :2]
    away = int(desk.ledger.at[members[0]])
    size = problem.size[list(members), :2].sum(axis=0)
    rows = np.array([home, away])
    then = load[rows] + np.array([size, -size])
    contention = cost.contention_of(rows, then).sum() - cost.contention_of(rows, load[rows]).sum()
    if contention > LEAST_GAIN or desk.should.change(desk.ledger, members)[home] > 0:
        return False
    loss = float(cost.of(rows, then).sum() - cost.of(rows, load[rows]).sum())
    if loss <= float(desk.price(members)[away]):
        return True
    balance = cost.imbalance(desk.ledger) ** 2 + loss - contention
    return bool(balance <= target**2)
