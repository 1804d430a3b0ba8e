"""Exchange of two units between a costly host and its opposite, for where single moves no longer help.

Tight memory or opposite loads leave a descent stuck although an exchange would level. Tries the
costliest hosts against the hosts that lie the other way; one swap at a time, the best first.
"""

from dataclasses import dataclass

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.field import Field
from balancer.plan.loadcost import EVENED, LEAST_GAIN
from balancer.plan.product import product

HOT_HOSTS = 6
OPPOSITE_HOSTS = 12
MOST_SWAPS = 40
"""Measured: all pairs of 96 hosts cost 0.7 s a swap, 6 against 12 some hundredths."""

EXPONENT = 0.5

LOOKED_AT = 64
"""So many exchanges between two hosts are held against the laws at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Swap:
    merit: float
    first: tuple[int, int]  # unit and its target; this leg can be made before the other
    second: tuple[int, int]


def swap_until(field: Field, target: float, ceiling: float) -> None:
    """Swap until the imbalance is at most `target` and nothing is contended, or no swap is worth it.

    `ceiling` is the cost above which not even the first leg of a swap may bring the cluster.
    """
    for _ in range(MOST_SWAPS):
        is_calm = not field.cost.is_over(field.ledger).any()
        if is_calm and field.cost.imbalance(field.ledger) <= target:
            return
        best = _best(field, ceiling)
        if best is None:
            return
        field.move(*best.first)
        field.move(*best.second)


def _best(field: Field, ceiling: float) -> _Swap | None:
    found: _Swap | None = None
    dip = ceiling - field.cost.total(field.ledger)
    for hot, opposite in _pairs(field):
        swap = _best_of(field, hot, opposite, dip)
        if swap is not None and (found is None or swap.merit > found.merit):
            found = swap
    return found


def _pairs(field: Field) -> list[tuple[int, int]]:
    """Return pairs of hosts to look at: the costliest, each with those that deviate the other way."""
    load, serving = field.ledger.load, field.cost.serving
    cost = np.where(serving, field.cost.of(slice(None), load), -np.inf)
    deviation = (load[:, :2] / field.cost.capacity - field.cost.mean) * np.sqrt(field.cost.weight)
    hot = [row for row in np.argsort(-cost, kind="stable")[:HOT_HOSTS].tolist() if serving[row]]
    pairs = []
    for row in hot:
        likeness = np.where(serving, product(deviation, deviation[row]), np.inf)
        likeness[row] = np.inf
        opposite = np.argsort(likeness, kind="stable")[:OPPOSITE_HOSTS].tolist()
        pairs += [(row, other) for other in opposite if np.isfinite(likeness[other])]
    return pairs


def _best_of(field: Field, a: int, b: int, dip: float) -> _Swap | None:
    """Return the best exchange between two hosts, or None.

    The best by their gain are looked at first, a few at a time: what the laws say to all pairs of units
    would take most of the time.
    """
    left, right = _side(field, a, b), _side(field, b, a)
    if not len(left.units) or not len(right.units):
        return None
    gain = _falls(field, left, right) - (left.price[:, None] + right.price[None, :])
    seconds = field.seconds[left.units][:, None] + field.seconds[right.units][None, :]
    merit = np.where(gain > LEAST_GAIN, gain / seconds**EXPONENT, -np.inf).ravel()
    order = np.argsort(-merit, kind="stable")[: int(np.isfinite(merit).sum())]
    for start in range(0, len(order), LOOKED_AT):
        few = order[start : start + LOOKED_AT]
        here, there = np.divmod(few, len(right.units))
        legs = _first_legs(field, left, left.units[here], right, right.units[there], dip)
        if legs.any():
            place = int(np.argmax(legs.any(axis=0)))
            forth = (int(left.units[here[place]]), b)
            back = (int(right.units[there[place]]), a)
            first, second = (forth, back) if legs[0, place] else (back, forth)
            return _Swap(merit=float(merit[few[place]]), first=first, second=second)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One host of an exchange and the units on it that the other may take, with the price of taking each."""

    host: int
    units: Ints
    price: Floats


def _side(field: Field, host: int, other: int) -> _Side:
    units = np.flatnonzero(field.host == host)
    units = units[~field.shut(other, units)]
    return _Side(host=host, units=units, price=field.entry_price(other, units))


def _falls(field: Field, left: _Side, right: _Side) -> Floats:
    """Return by how much the load's cost falls with each exchange, (units of left, units of right)."""
    cost, load, pair = field.cost, field.ledger.load, [left.host, right.host]
    here, there = field.units.size[left.units], field.units.size[right.units]
    if field.is_over[pair].any() or any(cost.is_short):
        shift = here[:, None, :] - there[None, :, :]
        now = cost.of(left.host, load[left.host]) + cost.of(right.host, load[right.host])
        then = cost.of(left.host, load[left.host] - shift)
        return now - then - cost.of(right.host, load[right.host] + shift)
    curve, off = cost.bowl.curve[pair], load[pair][:, EVENED] - cost.bowl.middle[pair]
    slope, bend = 2.0 * (curve[0] * off[0] - curve[1] * off[1]), curve.sum(axis=0)
    here, there = here[:, EVENED], there[:, EVENED]
    alone = (
        product(here, slope) - product(here**2, bend),
        product(there, slope) + product(there**2, bend),
    )
    result: Floats = alone[0][:, None] - alone[1][None, :] + 2.0 * product(here * bend, there.T)
    return result


def _first_legs(
    field: Field, left: _Side, here: Ints, right: _Side, there: Ints, dip: float
) -> Bools:
    """Return which of these exchanges are lawful and may begin with the unit of the left or the right, (2, K)."""
    shift = field.units.size[here] - field.units.size[there]
    lawful = _is_lawful(field, (left.host, -shift), (right.host, shift))
    forth, back = _leg(field, here, right.host, dip), _leg(field, there, left.host, dip)
    return np.array((lawful & forth, lawful & back))


def _leg(field: Field, units: Ints, target: int, dip: float) -> Bools:
    """Return which units may make the first leg: they fit as things are, and cost no more than `dip`."""
    load, size = field.ledger.load, field.units.size[units]
    source = field.host[units]
    before = field.cost.of(source, load[source]) + field.cost.of(target, load[target])
    after = field.cost.of(source, load[source] - size) + field.cost.of(target, load[target] + size)
    room = field.room(target)
    fits = (size <= room).all(axis=1)
    result: Bools = fits & (after - before <= dip)
    return result


def _is_lawful(field: Field, *ends: tuple[int, Floats]) -> Bools:
    """Return which exchanges keep every ceiling and add no contention on hosts, each with what it gains, (K,)."""
    load, cost = field.ledger.load, field.cost
    lawful = np.ones(len(ends[0][1]), dtype=bool)
    for host, gained in ends:
        lawful &= (gained <= field.room(host)).all(axis=1)
        bound = np.maximum(cost.limit, cost.stress_of(host, load[host]))
        lawful &= (cost.stress_of(host, load[host] + gained) <= bound).all(axis=1)
    return lawful
