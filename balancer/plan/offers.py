"""What a round of refinement may choose from: units on a few hosts, and what bringing each to each of these costs.

Plain arrays over the units that take part in a search. Owns the arithmetic of single moves among few hosts;
which moves are taken back, and what is kept, is the business of `plan.refine`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.loadcost import EVENED, LEAST_GAIN, LoadCost
from balancer.plan.product import product

SAME_PRICE = 1e-12
"""Prices that differ by less are rounding."""


@dataclass(slots=True, kw_only=True)
class State:
    """Where the units are, what every host holds, what each unit's move has cost, and members of groups by host.

    `crowd` counts as `plan.ledger` does: by domain where a rule has domains.
    """

    host: Ints  # (U,)
    load: Floats  # (H, columns)
    paid: Floats  # (U,)
    crowd: Ints  # (groups + 1, H)

    def copy(self) -> "State":
        """Return a state of its own."""
        crowd = self.crowd.copy() if len(self.crowd) > 1 else self.crowd
        return State(
            host=self.host.copy(), load=self.load.copy(), paid=self.paid.copy(), crowd=crowd
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What does not change during a search, for U units and H hosts."""

    cost: LoadCost
    size: Floats  # (U, columns)
    base: Ints  # (U,) where the units were before the plan
    even: Floats  # (3, U) the part of the size of which an even share is sought
    curve: Floats  # (H, 3)
    middle: Floats  # (H, 3)
    spread: Floats  # (H, U) what the square of a unit's size adds to the unevenness of a host
    price: Floats  # (H, U) 0 where the unit was
    open: Bools  # (H, U) static laws and holds allow it
    bounded: Ints  # columns with a ceiling that concerns any unit
    held: Floats  # (bounded, U) the size in these
    limits: Floats  # (H, bounded)
    apart: Ints  # (U,) the kept-apart group, -1 for none
    most: Ints  # (groups + 1,) how many members may share a host; the last is for units in no group
    domain: (
        Ints  # (groups + 1, H) the number of each host's domain; (0, 0) where no rule has domains
    )
    wide: frozenset[int]  # the groups that have domains

    def put(self, state: State, unit: int, target: int) -> None:
        """Move a unit."""
        source, group = int(state.host[unit]), self.apart[unit]
        state.load[source] -= self.size[unit]
        state.load[target] += self.size[unit]
        state.host[unit] = target
        state.paid[unit] = self.price[target, unit]
        if group >= 0:
            state.crowd[group, self.beside(group, source)] -= 1
            state.crowd[group, self.beside(group, target)] += 1

    def beside(self, group: int, host: int) -> int | Bools:
        """Return the hosts that count as one with a host, as an index into arrays over hosts."""
        if group not in self.wide:
            return host
        result: Bools = self.domain[group] == self.domain[group, host]
        return result


class Offer(NamedTuple):
    """A move: the places of its target and unit, by how much the unevenness falls, and what it costs."""

    place: int
    column: int
    gain: float
    price: float


class Offers:
    """All moves of the given units, which are on the given hosts, to these.

    `_entry` (hosts, units) is what entering a host adds to its unevenness, infinite where that is forbidden;
    kept true by renewing the rows of the two hosts of a move.
    """

    def __init__(self, shop: Shop, state: State, hosts: Ints, units: Ints) -> None:
        """Look at the hosts, in ascending order."""
        self._shop, self._state, self._hosts, self._units = shop, state, hosts, units
        rows = hosts[:, None]
        self._even, self._held = shop.even[:, units], shop.held[:, units]
        self._spread, self._price = shop.spread[rows, units], shop.price[rows, units]
        self._shut = ~shop.open[rows, units]
        self._groups = shop.apart[units] if len(state.crowd) > 1 else None
        self._place = np.searchsorted(hosts, state.host[units])
        self._here = self._spread[self._place, np.arange(len(units))]
        self._slope = np.empty((len(hosts), len(EVENED)))
        self._entry = np.empty(self._price.shape)
        self._look_at(np.arange(len(hosts)))

    def take(self, offer: Offer) -> None:
        """Make a move."""
        place, column = offer.place, offer.column
        source = int(self._place[column])
        self._shop.put(self._state, int(self._units[column]), int(self._hosts[place]))
        self._place[column], self._here[column] = place, self._spread[place, column]
        self._look_at(self._changed(int(self._units[column]), source, place))

    def _changed(self, unit: int, source: int, place: int) -> Ints:
        """Return the places of the hosts to look at anew after a move: its ends, with their domains."""
        group = int(self._shop.apart[unit])
        if group not in self._shop.wide:
            return np.array((source, place))
        inside = self._shop.domain[group, self._hosts]
        return np.flatnonzero((inside == inside[source]) | (inside == inside[place]))

    def best(self, over: Ints, weight: Floats, excess: float) -> Offer | None:
        """Return the next move: the cheapest that is enough, else the best for its price; None where none pays.

        Of equally cheap ones that with the most gain: which host has the lower number must not matter.
        Enough is what reaches the target; while hosts are contended only units on these are asked, and
        enough is what calms its host. `weight` is by all units of the search.
        """
        uneven = np.einsum("ij,ji->i", self._slope[self._place], self._even) - self._here
        leaving, calms = uneven, None
        if len(over):
            relief, calms = self._relieving(over)
            leaving = uneven + relief
        gain = leaving - self._entry
        price = self._price - self._state.paid[self._units]
        net = gain - price
        merit = net * weight[self._units]
        enough = gain >= excess if calms is None else np.broadcast_to(calms, gain.shape)
        if enough.any():
            enough = enough & (net > LEAST_GAIN)
            cheapest = price.min(where=enough, initial=np.inf) + SAME_PRICE
            if cheapest < np.inf:
                merit = np.where(enough & (price <= cheapest), gain, -np.inf)
        place, column = divmod(int(merit.argmax()), len(self._units))
        if not net[place, column] > LEAST_GAIN:
            return None
        fall = float(uneven[column] - self._entry[place, column])
        return Offer(place, column, fall, float(price[place, column]))

    def _look_at(self, rows: Ints) -> None:
        """Renew what entering these of the hosts costs."""
        shop, state, hosts = self._shop, self._state, self._hosts[rows]
        load = state.load[hosts]
        slope = 2.0 * shop.curve[hosts] * (load[:, EVENED] - shop.middle[hosts])
        self._slope[rows] = slope
        entry = product(slope, self._even) + self._spread[rows]
        room = shop.limits[hosts] - load[:, shop.bounded]
        shut = self._shut[rows] | (self._place == rows[:, None])
        shut |= (self._held > room[:, :, None]).any(axis=1)
        if self._groups is not None:
            crowded = state.crowd[self._groups, hosts[:, None]] >= shop.most[self._groups]
            if shop.wide:
                crowded &= self._crosses(hosts)
            shut |= crowded
        if shop.cost.slots or shop.cost.varies:
            grown = load[:, None, :] + shop.size[self._units]
            shut |= (shop.cost.stress_of(hosts[:, None], grown) > shop.cost.limit).any(axis=-1)
        entry[shut] = np.inf
        self._entry[rows] = entry

    def _crosses(self, hosts: Ints) -> Bools:
        """Return which moves to the hosts leave the domain of where a unit is, (hosts, units)."""
        domain, groups = self._shop.domain, self._groups
        here = domain[groups, self._hosts[self._place]]
        result: Bools = domain[groups, hosts[:, None]] != here
        return result

    def _relieving(self, over: Ints) -> tuple[Floats, Bools]:
        """Return what leaving a contended host relieves, minus infinity for others, and whether that calms it."""
        cost, load = self._shop.cost, self._state.load
        contended = np.zeros(len(self._hosts), dtype=bool)
        contended[np.searchsorted(self._hosts, over)] = True
        here = np.flatnonzero(contended[self._place])
        host = self._hosts[self._place[here]]
        relief = np.full(len(self._units), -np.inf)
        calms = np.zeros(len(self._units), dtype=bool)
        left = load[host] - self._shop.size[self._units[here]]
        relief[here] = cost.contention_of(host, load[host]) - cost.contention_of(host, left)
        calms[here] = (cost.stress_of(host, left) <= cost.limit).all(axis=1)
        return relief, calms
