"""Ruin and recreate: take back moves that hang together, find the way to the target anew, keep what is cheaper.

Works on plain arrays over the units of a field and looks at a few hosts at a time: after a ruin only the
hosts of the moves taken back are off, so that only units on these and targets among these are weighed.
A fixed number of rounds, so that the result does not depend on the speed of the machine; every choice is
made among units ordered by what they are, not by their names, so that other names change nothing.
What a round may choose from is the business of `plan.offers`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.field import Field
from balancer.plan.loadcost import EVENED, LEAST_GAIN
from balancer.plan.offers import Offers, Shop, State
from balancer.plan.product import product

MOST_TAKEN_BACK = 5
UNITS_PER_HOST = 20
"""The largest units of each host and all that have moved are weighed; small ones bring too little."""

EXPONENTS = (0.0, 0.15, 0.3, 0.5)
"""Gain is divided by seconds to one of these powers, drawn for each round."""

OVERLOOKED = 0.1
"""Share of units that a round does not see, so that the best one is not always taken."""

WORST_KEPT = 0.003
"""At first a result is gone on from though it is dearer than the best by this share; in the end by none."""

MOST_STEPS = 24

MOST_VAIN = 500
"""After so many rounds in a row without a cheaper result no more is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Rounds to go, the seed of every choice, and the moment at which to stop in any case."""

    rounds: int
    seed: int
    deadline: float


def refine(field: Field, target: float, trials: Trials) -> Field:
    """Return the field with cheaper moves to an imbalance of at most `target`, or as it is.

    Nothing is done where the target is not reached: then there is no price to beat.
    """
    is_short = field.cost.imbalance(field.ledger) > target or field.is_over.any()
    if not trials.rounds or is_short:
        return field
    search, found_in = _Search(field, target, np.random.default_rng(trials.seed)), 0
    for number in range(trials.rounds):
        moved = search.moved()
        is_vain = number - found_in > MOST_VAIN
        if is_vain or not len(moved) or time.perf_counter() > trials.deadline:
            break
        if search.round(moved, WORST_KEPT * (1.0 - number / trials.rounds)):
            found_in = number
    return search.carried_out(field)


class _Search:
    """One search; the arrays are over the units that take part, in the order of what they are."""

    def __init__(self, field: Field, target: float, rng: np.random.Generator) -> None:
        self._rows = rows = _taking_part(field)
        self._target, self._rng = target**2, rng
        self._shop = shop = _shop(field, rows)
        self._may_return = shop.open[shop.base, np.arange(len(rows))]
        self._weights = [field.seconds[rows] ** -exponent for exponent in EXPONENTS]
        self._mix = np.sqrt(shop.curve.max(axis=0))
        self._serving = np.flatnonzero(field.cost.serving)
        self._now = State(
            host=field.host[rows].copy(),
            load=field.ledger.load.copy(),
            paid=field.paid_by[rows].copy(),
            crowd=_crowd(field),
        )
        self._best, self._least = self._now.copy(), float(self._now.paid.sum())

    def moved(self) -> Ints:
        """Return the units that moved and may return; those that had to leave their host may not."""
        return np.flatnonzero((self._now.host != self._shop.base) & self._may_return)

    def carried_out(self, field: Field) -> Field:
        """Move the field's units to where the best state has them."""
        changed = np.flatnonzero(self._best.host != field.host[self._rows])
        for place in changed.tolist():
            field.move(int(self._rows[place]), int(self._best.host[place]))
        return field

    def round(self, moved: Ints, slack: float) -> bool:
        """Take some of the moves back, find the way anew, go on from the better state; True for the best so far."""
        before = self._now.copy()
        hosts = self._ruin(moved)
        is_there = self._recreate(hosts, self._least * (1.0 + slack))
        if not is_there or self._is_more_crowded(before):
            self._now = before
            return False
        paid = float(self._now.paid.sum())
        is_best = paid < self._least - LEAST_GAIN
        if is_best:
            self._least, self._best = paid, self._now.copy()
        return is_best

    def _is_more_crowded(self, before: State) -> bool:
        """Whether moves taken back have brought too many of a kept-apart group together."""
        crowd = self._now.crowd
        if len(crowd) == 1:
            return False
        return bool(((crowd > self._shop.most[:, None]) & (crowd > before.crowd)).any())

    def _ruin(self, moved: Ints) -> Ints:
        """Take back moves that share a host with one drawn by lot; return the hosts to look at."""
        shop, state, rng = self._shop, self._now, self._rng
        first = moved[rng.integers(len(moved))]
        at, base = state.host[moved], shop.base[moved]
        ends = self._marked((state.host[first], shop.base[first]))
        near = moved[ends[at] | ends[base]]
        taken = {int(first), *rng.permutation(near)[: rng.integers(1, MOST_TAKEN_BACK)].tolist()}
        hosts = self._extremes()
        for unit in sorted(taken):
            hosts += (int(state.host[unit]), int(shop.base[unit]))
            shop.put(state, unit, int(shop.base[unit]))
        return np.flatnonzero(self._marked(hosts))

    def _marked(self, hosts: Sequence[int] | Ints) -> Bools:
        """Return a table of all hosts in which these are marked."""
        marked = np.zeros(len(self._shop.curve), dtype=bool)
        marked[np.asarray(hosts)] = True
        return marked

    def _extremes(self) -> list[int]:
        """Return the hosts with the most and the least load."""
        serving = self._serving
        off = product((self._now.load[:, EVENED] - self._shop.middle)[serving], self._mix)
        return [int(serving[off.argmin()]), int(serving[off.argmax()])]

    def _recreate(self, hosts: Ints, most: float) -> bool:
        """Move units among the hosts until the target is reached; False where that costs more than `most`."""
        weight = self._weights[int(self._rng.integers(len(self._weights)))]
        units = np.flatnonzero(self._marked(hosts)[self._now.host])
        units = units[self._rng.random(len(units)) > OVERLOOKED]
        if not len(units):
            return False
        offers = Offers(self._shop, self._now, hosts, units)
        excess, paid, over = self._excess(), float(self._now.paid.sum()), self._over(hosts)
        for _ in range(MOST_STEPS):
            if (excess <= 0.0 and not len(over)) or paid > most:
                return paid <= most and self._excess() <= 0.0
            offer = offers.best(over, weight, excess)
            if offer is None:
                return False
            offers.take(offer)
            excess, paid = excess - offer.gain, paid + offer.price
            over = self._over(over) if len(over) else over
        return False

    def _over(self, hosts: Ints) -> Ints:
        """Return which of the hosts are above a contention threshold."""
        cost = self._shop.cost
        stress = cost.stress_of(hosts, self._now.load[hosts])
        result: Ints = hosts[(stress > cost.limit).any(axis=1) & cost.serving[hosts]]
        return result

    def _excess(self) -> float:
        """Return by how much the balance is above the target."""
        off = self._now.load[:, :2] - self._shop.middle[:, :2]
        return float((self._shop.curve[:, :2] * off * off).sum()) - self._target


def _taking_part(field: Field) -> Ints:
    """Return the units that are weighed: the moved ones and the largest of each host, by what they are.

    Those under should-rules stay out, and those under several rules that keep apart.
    """
    problem = field.problem
    whole = field.cost.capacity.sum(axis=0)
    largeness = (field.units.size[:, :2] / whole).sum(axis=1)
    order = np.lexsort((np.arange(len(field)), field.seconds, -largeness))
    by_host = order[np.argsort(field.host[order], kind="stable")]
    first = np.searchsorted(field.host[by_host], np.arange(len(field.cost.capacity)))
    rank = np.empty(len(field), dtype=np.int64)
    rank[by_host] = np.arange(len(field)) - first[field.host[by_host]]
    chosen = (rank < UNITS_PER_HOST) | (field.host != field.base)
    for unit in np.flatnonzero(chosen).tolist():
        members = field.units.members[unit]
        groups = [group for vm in members for group in problem.apart_of.get(vm, ())]
        if len(groups) > 1 or field.desk.should.rules_of(members):
            chosen[unit] = False
    result: Ints = order[chosen[order]]
    return result


def _shop(field: Field, rows: Ints) -> Shop:
    """Return what does not change during a search, for the units that take part."""
    size, base = field.units.size[rows], field.base[rows]
    limits = _limits(field)
    bounded = np.flatnonzero(np.isfinite(limits).any(axis=0) & (size > 0.0).any(axis=0))
    curve, middle = field.cost.bowl
    price = field.prices[field.link_of[:, None], rows]
    price[base, np.arange(len(rows))] = 0.0
    return Shop(
        cost=field.cost,
        size=size,
        base=base,
        even=np.ascontiguousarray(size[:, EVENED].T),
        curve=curve,
        middle=middle,
        spread=product(curve, size[:, EVENED].T ** 2),
        price=price,
        open=~field.closed[:, rows],
        bounded=bounded,
        held=np.ascontiguousarray(size[:, bounded].T),
        limits=limits[:, bounded],
        apart=_groups(field, rows),
        most=np.append(field.problem.apart_most, len(field.problem.vms) + 1),
        domain=_domains(field),
        wide=frozenset(number for number, _domain in field.problem.apart_wide),
    )


def _limits(field: Field) -> Floats:
    """Return what each host may hold at most, thresholds of contention included, (H, columns)."""
    problem = field.problem
    limits = problem.load_limits - problem.transit
    limits[:, :2] = np.minimum(limits[:, :2], field.cost.limit * field.cost.capacity)
    return limits


def _groups(field: Field, rows: Ints) -> Ints:
    """Return the one kept-apart group of each unit, -1 for none."""
    groups = np.full(len(rows), -1, dtype=np.int64)
    for place, row in enumerate(rows.tolist()):
        for vm in field.units.members[row]:
            groups[place] = max([groups[place], *field.problem.apart_of.get(vm, ())])
    return groups


def _domains(field: Field) -> Ints:
    """Return the number of each host's domain by group, the last row for units in none; (0, 0) without domains."""
    if not field.problem.apart_wide:
        return np.zeros((0, 0), dtype=np.int64)
    hosts = len(field.cost.capacity)
    rows = [group.numbers(hosts) for group in field.problem.apart]
    return np.array([*rows, np.arange(hosts)])


def _crowd(field: Field) -> Ints:
    """Return the members of each kept-apart group by host; the last row is for units in none."""
    none = np.zeros((1, len(field.cost.capacity)), dtype=np.int64)
    return np.concatenate((field.ledger.crowd, none))
