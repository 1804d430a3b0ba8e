"""Exchange of two units between a costly host and its opposite, for where single moves no longer help.

Tight memory or opposite loads leave a descent stuck although an exchange would level. Tries the
costliest hosts against the hosts that lie the other way; one swap at a time, the best first.
"""

from dataclasses import dataclass

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.field import Field
from balancer.plan.loadcost import LEAST_GAIN

HOT_HOSTS = 6
OPPOSITE_HOSTS = 12
MOST_SWAPS = 40
"""Measured: all pairs of 96 hosts cost 0.7 s a swap, 6 against 12 some hundredths."""

EXPONENT = 0.5


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
        likeness = np.where(serving, deviation @ deviation[row], np.inf)
        likeness[row] = np.inf
        opposite = np.argsort(likeness, kind="stable")[:OPPOSITE_HOSTS].tolist()
        pairs += [(row, other) for other in opposite if np.isfinite(likeness[other])]
    return pairs


def _best_of(field: Field, a: int, b: int, dip: float) -> _Swap | None:
    """Return the best exchange between two hosts, or None."""
    here, there = (np.flatnonzero(field.host == host) for host in (a, b))
    if not len(here) or not len(there):
        return None
    size_here, size_there = field.units.size[here], field.units.size[there]
    shift = size_here[:, None, :] - size_there[None, :, :]
    load = field.ledger.load
    now = field.cost.of(a, load[a]) + field.cost.of(b, load[b])
    gain = now - field.cost.of(a, load[a] - shift) - field.cost.of(b, load[b] + shift)
    gain -= field.entry_price(b, here)[:, None] + field.entry_price(a, there)[None, :]
    gain[~_is_lawful(field, (a, here), (b, there), shift)] = -np.inf
    first_here = _leg(field, here, b, dip)[:, None] | np.zeros(gain.shape, dtype=bool)
    first_there = _leg(field, there, a, dip)[None, :] | np.zeros(gain.shape, dtype=bool)
    gain[~(first_here | first_there)] = -np.inf
    worth = (field.seconds[here][:, None] + field.seconds[there][None, :]) ** EXPONENT
    merit = np.where(gain > LEAST_GAIN, gain / worth, -np.inf)
    row, column = np.unravel_index(int(np.argmax(merit)), merit.shape)
    if not np.isfinite(merit[row, column]):
        return None
    legs = [(int(here[row]), b), (int(there[column]), a)]
    if not first_here[row, column]:
        legs.reverse()
    return _Swap(merit=float(merit[row, column]), first=legs[0], second=legs[1])


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


def _is_lawful(
    field: Field, left: tuple[int, Ints], right: tuple[int, Ints], shift: Floats
) -> Bools:
    """Return which exchanges keep every law on both hosts, (units of left, units of right)."""
    (a, here), (b, there) = left, right
    lawful = ~field.shut(b, here)[:, None] & ~field.shut(a, there)[None, :]
    lawful &= (shift <= field.room(b)).all(axis=-1) & (-shift <= field.room(a)).all(axis=-1)
    load, cost = field.ledger.load, field.cost
    for host, sign in ((a, -1.0), (b, 1.0)):
        bound = np.maximum(cost.limit, cost.stress_of(host, load[host]))
        lawful &= (cost.stress_of(host, load[host] + sign * shift) <= bound).all(axis=-1)
    result: Bools = lawful
    return result
