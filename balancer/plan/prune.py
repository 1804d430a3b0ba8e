"""Take back what turned out not to be needed: moves without which every goal is met as well.

Runs after the descents, dearest move first. Never takes back what a must-rule or an evacuation called for.
"""

import numpy as np

from balancer.model.plan import MoveReason
from balancer.plan.codes import Bools
from balancer.plan.counts import stay_even
from balancer.plan.desk import Desk
from balancer.plan.loadcost import LEAST_GAIN, LoadCost, load_cost
from balancer.plan.units import make_units

_Moved = tuple[tuple[int, ...], int]
"""A unit, and the host that it left in this round."""

_OPTIONAL = frozenset({MoveReason.CONTENTION, MoveReason.BALANCE})


def prune(desk: Desk, target: float) -> None:
    """Send units back to where the round found them, where that is lawful and harms no goal.

    A unit may go back if nothing gets more contended and either the imbalance stays within `target` or
    the load gains less from the move than its price. Ends when no unit may.
    """
    cost, kept = load_cost(desk.ledger), set[tuple[int, ...]]()
    moved = _dearest_first(desk)
    while moved:
        members, home = _first_spared(desk, cost, [m for m in moved if m[0] not in kept], target)
        if members is None:
            break
        if desk.codes(members, is_mandatory=False)[home]:
            kept.add(members)
            continue
        desk.ledger.move(members, home)
        moved.remove((members, home))
        kept.clear()
    desk.forget_the_unmoved()


def _dearest_first(desk: Desk) -> list[_Moved]:
    """Return the optional units that moved in this round, each with its host before."""
    found: dict[tuple[int, ...], tuple[float, int]] = {}
    for vm in np.flatnonzero(desk.ledger.at != desk.base).tolist():
        members = desk.together(vm)
        homes = set(desk.base[list(members)].tolist())
        is_open = desk.open[list(homes)].all()
        if len(homes) == 1 and is_open and all(_is_optional(desk, m) for m in members):
            price = float(desk.price(members)[desk.ledger.at[vm]])
            found[members] = (price, homes.pop())
    order = sorted(found, key=lambda members: (-found[members][0], members))
    return [(members, found[members][1]) for members in order]


def _is_optional(desk: Desk, vm: int) -> bool:
    note = desk.notes.get(vm)
    return note is not None and note.reason in _OPTIONAL


def _first_spared(
    desk: Desk, cost: LoadCost, moved: list[_Moved], target: float
) -> tuple[tuple[int, ...] | None, int]:
    """Return the first unit whose move the cluster can do without, and where it came from."""
    if not moved:
        return None, 0
    for place in np.flatnonzero(_is_spared(desk, cost, moved, target)).tolist():
        members, home = moved[place]
        if desk.should.change(desk.ledger, members)[home] <= 0:
            return members, home
    return None, 0


def _is_spared(desk: Desk, cost: LoadCost, moved: list[_Moved], target: float) -> Bools:
    """Return without which moves the load is as good by itself, or within its aim."""
    units = make_units(desk.ledger, [members for members, _ in moved])
    home, away = np.array([home for _, home in moved]), units.source
    load = desk.ledger.load
    left, back = load[away] - units.size, load[home] + units.size
    contention, uneven = (
        of(away, left) + of(home, back) - of(away, load[away]) - of(home, load[home])
        for of in (cost.contention_of, cost.unevenness_of)
    )
    paid = [desk.price(members)[host] for (members, _), host in zip(moved, away, strict=True)]
    is_dear = contention + uneven <= np.array(paid)
    is_level = cost.imbalance(desk.ledger) ** 2 + uneven <= target**2
    is_even = stay_even(desk, units.size, home, away)
    result: Bools = (contention <= LEAST_GAIN) & (is_dear | is_level) & is_even
    return result
