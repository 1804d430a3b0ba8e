"""Relief of contended hosts: for each, the cheapest units whose leaving brings it under its thresholds.

A covering problem for each host: while one or two more units are enough, the cheapest one or pair is
found exactly; before that, the one that relieves most for its seconds. Where units go is the field's
business; what no move relieves is left, for exchanges.
"""

import numpy as np

from balancer.plan.codes import Bools, Ints
from balancer.plan.field import Field
from balancer.plan.loadcost import LEAST_GAIN

RELIEF_EXPONENTS = (0.1, 0.25, 0.5, 0.8)
"""Relief is divided by seconds to this power; near 0 it takes few moves, near 1 cheap ones. All are tried."""

PAIRED = 64
"""So many of a host's units, those that relieve most, are looked at in pairs."""


def relieve(field: Field, exponent: float) -> None:
    """Move units off hosts above a contention threshold until there is none, or no move helps."""
    hopeless = np.zeros(len(field.is_over), dtype=bool)
    while (field.is_over & ~hopeless).any():
        strain = field.cost.contention_of(slice(None), field.ledger.load)
        host = int(np.argmax(np.where(field.is_over & ~hopeless, strain, -1.0)))
        units = _leavers(field, host)
        chosen = _completing(field, host, units) if len(units) else []
        if not chosen and len(units):
            merit = field.relief[units] / field.seconds[units] ** exponent
            chosen = [int(units[np.argmax(merit)])]
        if not _carry_out(field, chosen):
            hopeless[host] = True


def _leavers(field: Field, host: int) -> Ints:
    """Return the units on a host whose leaving relieves it, for a gain."""
    on_host = field.host == host
    result: Ints = np.flatnonzero(
        on_host & (field.relief > LEAST_GAIN) & (field.net() > LEAST_GAIN)
    )
    return result


def _completing(field: Field, host: int, units: Ints) -> list[int]:
    """Return the cheapest one or two units after whose leaving the host is calm; none where more are needed."""
    load, cost = field.ledger.load[host], field.cost
    price = field.exit_price(units)
    alone: Bools = np.all(
        cost.stress_of(host, load - field.units.size[units]) <= cost.limit, axis=1
    )
    best = int(np.argmin(np.where(alone, price, np.inf)))
    least = float(price[best]) if alone[best] else np.inf
    few = np.argsort(-field.relief[units], kind="stable")[:PAIRED]
    size = field.units.size[units[few]]
    left = load - (size[:, None, :] + size[None, :, :])
    both = (cost.stress_of(host, left) <= cost.limit).all(axis=-1)
    together = price[few][:, None] + price[few][None, :]
    together[~both | np.eye(len(few), dtype=bool)] = np.inf
    first, second = divmod(int(together.argmin()), len(few))
    if together[first, second] < least:
        return [int(units[few[first]]), int(units[few[second]])]
    return [int(units[best])] if np.isfinite(least) else []


def _carry_out(field: Field, units: list[int]) -> bool:
    """Move the units to where each is best; False where none may go."""
    has_moved = False
    for unit in units:
        target = int(np.argmin(field.entry[:, unit]))
        if field.exit[unit] - field.entry[target, unit] > LEAST_GAIN:
            field.move(unit, target)
            has_moved = True
    return has_moved
