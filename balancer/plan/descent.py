"""Descents over single moves: relief of contended hosts, then balance. Each step takes the best move there is.

Owns the choice of the next move (gain over seconds to a power) and when to stop. The arrays are those of
`plan.field`; ties go to the unit and the host with the lower id.
"""

from collections.abc import Callable

import numpy as np

from balancer.plan.codes import Floats
from balancer.plan.field import Field
from balancer.plan.loadcost import LEAST_GAIN

RELIEF_EXPONENT = 0.5
BALANCE_EXPONENTS = (0.0, 0.5, 0.8)
"""Gain is divided by seconds to this power: 0 finds the fewest moves, 1 the cheapest.

Measured: 0.5 relieves with 57 % of the memory that a climb on the standard deviation copies; for
balance none is best everywhere, so that all are tried.
"""

REBUILD_STEPS = 256
"""The running sums are made anew after so many steps, so that rounding does not add up."""


def relieve(field: Field) -> None:
    """Move units off hosts above a contention threshold until there is none, or no move helps."""

    def score(net: Floats) -> Floats:
        over = field.cost.is_over(field.ledger)[field.host]
        relief = np.where(over, _relief(field), 0.0)
        return np.where((net > LEAST_GAIN) & (relief > LEAST_GAIN), relief, -np.inf)

    _descend(field, RELIEF_EXPONENT, score, lambda: not field.cost.is_over(field.ledger).any())


def level(field: Field, exponent: float, target: float, *, most_price: float = np.inf) -> None:
    """Move units until the imbalance is at most `target`, or no move is worth its price.

    Stops early once the moves have cost more than `most_price`: another descent was cheaper.
    """

    def score(net: Floats) -> Floats:
        return np.where(net > LEAST_GAIN, net, -np.inf)

    def enough() -> bool:
        return field.cost.imbalance(field.ledger) <= target or field.paid() > most_price

    _descend(field, exponent, score, enough)


def _descend(
    field: Field, exponent: float, score: Callable[[Floats], Floats], enough: Callable[[], bool]
) -> None:
    if not len(field):
        return
    worth = field.seconds**exponent
    for step in range(1, 2 * len(field) + 1):
        if enough():
            return
        merit = score(field.exit - field.entry.min(axis=0)) / worth
        unit = int(np.argmax(merit))
        if not np.isfinite(merit[unit]):
            return
        field.move(unit, int(np.argmin(field.entry[:, unit])))
        if step % REBUILD_STEPS == 0:
            field.ledger = field.ledger.copy()


def _relief(field: Field) -> Floats:
    """Return by how much contention falls where each unit leaves its host, (U,)."""
    load = field.ledger.load[field.host, :2]
    left = load - field.units.size[:, :2]
    result: Floats = field.cost.contention_of(field.host, load) - field.cost.contention_of(
        field.host, left
    )
    return result
