"""Descents over single moves for balance and for even numbers of VMs. Each step takes the best move there is.

Owns the choice of the next move (gain over seconds to a power) and when to stop. The arrays are those of
`plan.field`; ties go to the unit and the host with the lower id.
"""

from collections.abc import Callable

import numpy as np

from balancer.plan.codes import Floats, Ints
from balancer.plan.field import Field
from balancer.plan.loadcost import LEAST_GAIN
from balancer.plan.problem import COUNT, CPU, MEMORY

BALANCE_EXPONENTS = (0.25, 0.0)
"""Gain is divided by seconds to this power: 0 finds the fewest moves, 1 the cheapest.

Measured at 96 hosts and 10,000 VMs: 0.25 is cheapest for balance in most clusters, and none is everywhere,
so that several are tried, the most promising first.
"""

REBUILD_STEPS = 256
"""The running sums are made anew after so many steps, so that rounding does not add up."""


def level(field: Field, exponent: float, target: float, *, most_price: float = np.inf) -> None:
    """Move units until the imbalance is at most `target` and no host contended, or no move is worth its price.

    Stops early once the moves have cost more than `most_price`: another descent was cheaper.
    """

    def enough() -> bool:
        is_level = field.cost.imbalance(field.ledger) <= target
        return (is_level and not field.is_over.any()) or field.paid() > most_price

    _descend(field, exponent, worthwhile, enough)


def even_counts(field: Field, target: float, most_imbalance: float) -> None:
    """Move units from hosts with more VMs than the mean to hosts with fewer, until the counts are even.

    No move lets the imbalance of load exceed `most_imbalance`.
    """
    mean = field.cost.bowl.middle[:, 2]
    while len(field) and field.cost.count_spread(field.ledger) > target:
        count = field.ledger.load[:, COUNT]
        entry = np.where((count < mean)[:, None], field.entry, np.inf)
        net = np.where((count > mean)[field.host], field.exit - entry.min(axis=0), -np.inf)
        net[_imbalance_then(field, np.argmin(entry, axis=0)) > most_imbalance] = -np.inf
        unit = int(np.argmax(net))
        if net[unit] <= LEAST_GAIN:
            return
        field.move(unit, int(np.argmin(entry[:, unit])))


def _imbalance_then(field: Field, target: Ints) -> Floats:
    """Return the imbalance of load after each unit's move to its target alone, (U,)."""
    load, size = (CPU, MEMORY), field.units.size[:, [CPU, MEMORY]]
    curve, off = field.cost.bowl.curve[:, load], field.ledger.load[:, load]
    off = off - field.cost.bowl.middle[:, load]
    grown = curve[target] * size * (2.0 * off[target] + size)
    shrunk = curve[field.host] * size * (2.0 * off[field.host] - size)
    then = field.cost.imbalance(field.ledger) ** 2 + (grown - shrunk).sum(axis=1)
    result: Floats = np.sqrt(np.maximum(then, 0.0))
    return result


def worthwhile(net: Floats) -> Floats:
    """Return the net gains that are more than rounding; minus infinity for the others."""
    return np.where(net > LEAST_GAIN, net, -np.inf)


def _descend(
    field: Field, exponent: float, score: Callable[[Floats], Floats], enough: Callable[[], bool]
) -> None:
    if not len(field):
        return
    worth = field.seconds**exponent
    for step in range(1, 2 * len(field) + 1):
        if enough():
            return
        merit = score(field.net())
        merit /= worth
        unit = int(np.argmax(merit))
        if not np.isfinite(merit[unit]):
            return
        field.move(unit, int(np.argmin(field.entry[:, unit])))
        if step % REBUILD_STEPS == 0:
            field.ledger = field.ledger.copy()
