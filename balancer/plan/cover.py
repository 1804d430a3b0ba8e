"""Which units of a host are the cheapest to send away so that something else fits: a knapsack turned round.

Works on many hosts at once: a bound for all of them, then the exact answer, up to the rounding of sizes
to a fine grid, for the most promising.
"""

from dataclasses import dataclass

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints

CELLS = 512
"""Steps into which what is lacking on a host is divided. Sizes are rounded down: no set is ever too small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What must go from each host, and the units that could, given by their host and size."""

    lack: Floats  # (H,) at least 0
    entry: Floats  # (H,) what using a host costs by itself; infinite where it must not be used
    host: Ints  # (U,)
    size: Floats  # (U,) above 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """Units of one host to send away, and what that and the use of the host costs."""

    host: int
    units: tuple[int, ...]
    cost: float


def cheapest_covers(asked: Asked, cost: Floats, *, most: int) -> list[Cover]:
    """Return the cheapest set of each of the `most` best hosts, cheapest first; hosts without one are left out.

    `cost` (U,) is above 0. Linear in units, and in units of a host x `CELLS` for each of the best hosts.
    """
    size, price, unit = _by_host(asked, cost)
    bounds = _bounds(asked.lack, size, price) + asked.entry
    best = np.argsort(bounds, kind="stable")[:most]
    best = best[np.isfinite(bounds[best])]
    chosen, spent = _exact(asked.lack[best], size[best], price[best])
    covers = [
        Cover(
            host=host,
            units=tuple(unit[host][chosen[row]].tolist()),
            cost=float(spent[row] + asked.entry[host]),
        )
        for row, host in enumerate(best.tolist())
        if np.isfinite(spent[row])
    ]
    return sorted(covers, key=lambda cover: (cover.cost, cover.host))


def _by_host(asked: Asked, cost: Floats) -> tuple[Floats, Floats, Ints]:
    """Return size, cost and number of each host's units, best value first, (H, units); past the end at no size."""
    order = np.lexsort((-asked.size, cost / asked.size, asked.host))
    host, hosts = asked.host[order], len(asked.lack)
    count = np.bincount(host, minlength=hosts)
    place = np.arange(len(host)) - (np.cumsum(count) - count)[host]
    shape = (hosts, int(count.max(initial=0)))
    size, price, unit = np.zeros(shape), np.full(shape, np.inf), np.zeros(shape, dtype=np.int64)
    size[host, place], price[host, place], unit[host, place] = asked.size[order], cost[order], order
    return size, price, unit


def _bounds(lack: Floats, size: Floats, cost: Floats) -> Floats:
    """Return what a cover of each host costs at least: units in order of cost per size, the last in part, (H,)."""
    total = np.cumsum(size, axis=1)
    spent = np.where(np.isfinite(cost), cost, 0.0)
    before = np.maximum(lack[:, None] - (total - size), 0.0)
    share = np.minimum(np.divide(before, size, out=np.zeros_like(size), where=size > 0), 1.0)
    result: Floats = (spent * share).sum(axis=1)
    result[total[:, -1:].max(axis=1, initial=0.0) < lack] = np.inf
    return result


def _exact(lack: Floats, size: Floats, cost: Floats) -> tuple[Bools, Floats]:
    """Return which units the cheapest cover of each host has, (H, units), and its cost, infinite for none."""
    step = np.maximum(lack, 1e-9)[:, None] / CELLS
    cells = np.minimum(np.floor(size / step), CELLS).astype(np.int64)
    need = np.arange(CELLS + 1)
    least = np.zeros((len(lack), 1)) + np.where(need == 0, 0.0, np.inf)
    least[lack <= 0] = 0.0
    taken = np.zeros((size.shape[1], *least.shape), dtype=bool)
    for place in range(size.shape[1]):
        rest = np.maximum(need - cells[:, place, None], 0)
        then = np.take_along_axis(least, rest, axis=1) + cost[:, place, None]
        taken[place] = then < least
        least = np.minimum(least, then)
    return _walked_back(taken, cells), least[:, -1]


def _walked_back(taken: Bools, cells: Ints) -> Bools:
    """Return the units by which each host came to its last cell, (H, units)."""
    chosen, rows = np.zeros(cells.shape, dtype=bool), np.arange(len(cells))
    need = np.full(len(cells), CELLS)
    for place in range(cells.shape[1] - 1, -1, -1):
        chosen[:, place] = taken[place, rows, need]
        need = np.where(chosen[:, place], np.maximum(need - cells[:, place], 0), need)
    return chosen
