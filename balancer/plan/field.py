"""All single moves at once: for every unit and host, what the move would cost; kept true while moves are made.

The inner arrays of the load search. Owns the incremental update (two hosts' rows per move, and the units
that share a rule with what moved); which move is taken is the business of `plan.descent`. Works on a
ledger of its own; `outcome` tells what changed.
"""

from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.crowding import crowded
from balancer.plan.desk import Desk
from balancer.plan.loadcost import EVENED, load_cost
from balancer.plan.minima import Minima
from balancer.plan.price import price, seconds
from balancer.plan.product import product
from balancer.plan.room import Room
from balancer.plan.units import Units, flattened, make_units

NEW_CONTENTION = 1.05
"""Contention on a host that had none counts a little more, so that it does not wander to mend something else."""


class Field:
    """U units that may move for load's sake, and H hosts.

    `entry` (H, U) is what entering a host costs: load, price of the migration, should-rules; infinite
    where a law, a hold or a contention threshold forbids it. `exit` (U,) is what leaving the present
    host saves, with the price already paid; `relief` (U,) the part of it that is contention. A move's net
    gain is `exit[u] - entry[h, u]`.

    `entry` is the sum of two parts: `_load`, which changes with the two hosts of a move, and `_terms`,
    which changes with the rules of what moved. The load part is a product: for a host that is calm it is
    a quadratic in the unit's size, so that a row is six numbers times the units' features.
    """

    def __init__(self, desk: Desk, *, on: Bools | None = None) -> None:
        """Look at the units on the hosts `on` (H,), or at all."""
        self.desk, self.problem = desk, desk.problem
        self.ledger = desk.ledger.copy()
        self.cost = load_cost(self.ledger)
        self.units: Units = make_units(self.ledger, movable(desk, on=on))
        self.host: Ints = self.units.source.copy()
        self.origin: Ints = self.units.source.copy()
        self.closed: Bools = _closed(desk, self.units)
        self.seconds: Floats = _seconds(desk, self.units)
        self.link_of, self.prices = _prices(desk, self.units)
        self.base: Ints = desk.base[[unit[0] for unit in self.units.members]]
        may_return = np.flatnonzero(_may_return(desk, self.units, self.base))
        self.closed[self.base[may_return], may_return] = False
        price = self.prices[self.link_of[self.host], np.arange(len(self.units))]
        self.paid_by: Floats = np.where(self.host == self.base, 0.0, price)
        even = self.units.size[:, EVENED].T
        self._features: Floats = np.concatenate((even, even**2))
        self._terms: Floats = self.prices[self.link_of] + _wide(desk, self.units)
        self._blocked: Bools = np.zeros(self._terms.shape, dtype=bool)
        self._wishes: Floats = np.zeros(self._terms.shape if desk.should.groups else (0, 0))
        self._index()
        self._look_at_rules(self._in_apart, self._in_should)
        self._terms[self.closed | self._blocked] = np.inf
        self._fill()

    def _fill(self) -> None:
        self.is_over: Bools = self.cost.is_over(self.ledger)
        self.exit: Floats = np.zeros(len(self))
        self.relief: Floats = np.zeros(len(self))
        self._load: Floats = np.empty(self._terms.shape)
        for host in range(len(self._load)):
            self._look_at_leaving(host)
            self._look_at_entering(host)
        self.entry: Floats = self._load + self._terms
        self.minima = Minima(self.entry)

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.units)

    def copy(self) -> "Field":
        """Return a field of its own in the same state."""
        twin = copy(self)
        twin.ledger = self.ledger.copy()
        for name in (*_PER_UNIT, *_PER_PAIR, "is_over"):
            setattr(twin, name, getattr(self, name).copy())
        twin.minima = self.minima.copy_for(twin.entry)
        return twin

    def of(self, chosen: Bools) -> "Field":
        """Return a field of its own with the chosen units only, (U,), in the same state."""
        twin, rows = copy(self), np.flatnonzero(chosen)
        twin.ledger, twin.is_over = self.ledger.copy(), self.is_over.copy()
        twin.units = self.units.of(rows)
        for name in _PER_UNIT:
            setattr(twin, name, getattr(self, name)[rows])
        for name in (*_PER_PAIR, "closed", "prices", "_features"):
            held = getattr(self, name)
            setattr(twin, name, np.ascontiguousarray(held[:, rows]) if held.size else held)
        twin._index()
        twin.minima = Minima(twin.entry)
        return twin

    def move(self, unit: int, target: int) -> None:
        """Move one unit and bring the arrays up to date."""
        source, members = int(self.host[unit]), self.units.members[unit]
        self.ledger.move(members, target)
        self.host[unit] = target
        is_home = target == self.base[unit]
        self.paid_by[unit] = 0.0 if is_home else self.prices[self.link_of[target], unit]
        related = self._look_at_mates(members)
        for host in (source, target):
            self.is_over[host] = self.cost.is_over_on(host, self.ledger.load[host])
            self._look_at_leaving(host)
            self._look_at_entering(host)
            np.add(self._load[host], self._terms[host], out=self.entry[host])
            self.minima.look_at_row(host)
        if related:
            self.entry[:, related] = self._load[:, related] + self._terms[:, related]
            self.minima.look_at_columns(related)

    def net(self) -> Floats:
        """Return the net gain of each unit's best move, (U,); minus infinity where none is allowed."""
        result: Floats = self.exit - self.minima.best()
        return result

    def paid(self) -> float:
        """Return the price of all moves made so far."""
        return float(self.paid_by.sum())

    def outcome(self) -> list[tuple[tuple[int, ...], int]]:
        """Return the units that stand elsewhere than when the field was made, and where."""
        changed = np.flatnonzero(self.host != self.origin)
        return [(self.units.members[row], int(self.host[row])) for row in changed]

    def shut(self, host: int, units: Ints) -> Bools:
        """Return which units a host may not take whatever its load: static laws, holds, kept-apart groups."""
        result: Bools = np.isinf(self._terms[host, units])
        return result

    def entry_price(self, host: int, units: Ints) -> Floats:
        """Return the price of bringing units to a host, should-rules included, less what is paid."""
        returns = self.base[units] == host
        price = np.where(returns, self.prices[self.link_of[host], units], 0.0)
        result: Floats = self._terms[host, units] - price - self.paid_by[units]
        return result

    def exit_price(self, units: Ints) -> Floats:
        """Return what moving units from where they are costs, over their hosts' own links, less what is paid."""
        result: Floats = self.prices[self.link_of[self.host[units]], units] - self.paid_by[units]
        return result

    def room(self, host: int) -> Floats:
        """Return how much more a host may hold, by column: all ceilings, no contention threshold."""
        result: Floats = self.problem.load_limits[host] - self.ledger.held_on(host)
        return result

    def _index(self) -> None:
        self._unit_of = {vm: row for row, unit in enumerate(self.units.members) for vm in unit}
        self._in_apart = self._rows(vm for group in self.problem.apart for vm in group.members)
        self._in_should = self._rows(vm for group in self.problem.should for vm in group.members)
        self._room = Room(self.problem, self.cost, self.units.size.T.copy())

    def _rows(self, vms: Iterable[int]) -> list[int]:
        return sorted({self._unit_of[vm] for vm in vms if vm in self._unit_of})

    def _look_at_mates(self, members: Sequence[int]) -> list[int]:
        """Bring up to date what rules say to the units that share one with the VMs, and return these."""
        problem, should = self.problem, self.desk.should
        groups = (group for vm in members for group in problem.apart_of.get(vm, ()))
        apart = self._rows(vm for group in groups for vm in problem.apart[group].members)
        numbers = should.rules_of(members)
        wishing = self._rows(vm for number in numbers for vm in should.groups[number].members)
        self._look_at_rules(apart, wishing)
        related = sorted({*apart, *wishing})
        if related:
            self._terms[:, related] = self._rule_terms(related)
        return related

    def _look_at_rules(self, apart: Sequence[int], should: Sequence[int]) -> None:
        if apart:
            units = [self.units.members[row] for row in apart]
            self._blocked[:, apart] = crowded(self.ledger, units).T
        for row in should:
            change = self.desk.should.change(self.ledger, self.units.members[row])
            wish = self.desk.should.price * change
            self._terms[:, row] += wish - self._wishes[:, row]
            self._wishes[:, row] = wish

    def _rule_terms(self, units: list[int]) -> Floats:
        """Return the columns of `_terms` of some units anew, (H, units)."""
        terms = self.prices[self.link_of[:, None], units]
        for place, unit in enumerate(units):
            terms[:, place] += self.desk.wide(self.units.members[unit])
        if self._wishes.size:
            terms += self._wishes[:, units]
        terms[self.closed[:, units] | self._blocked[:, units]] = np.inf
        return terms

    def _look_at_leaving(self, host: int) -> None:
        """Bring `exit` and `relief` of the units on a host up to date."""
        here = np.flatnonzero(self.host == host)
        gain = -product(self.cost.slopes(self.ledger, host, sign=-1.0), self._features[:, here])
        self.relief[here] = 0.0
        if self.is_over[host]:
            load = self.ledger.load[host]
            left = load - self.units.size[here]
            relief = self.cost.contention_of(host, load) - self.cost.contention_of(host, left)
            self.relief[here] = relief
            gain += relief
        self.exit[here] = gain + self.paid_by[here]

    def _look_at_entering(self, host: int) -> None:
        """Bring the row of `_load` of a host up to date."""
        row, load = self._load[host], self.ledger.load[host]
        product(self.cost.slopes(self.ledger, host, sign=1.0), self._features, out=row)
        if self.is_over[host] or any(self.cost.is_short):
            grown = self.cost.contention_of(host, load + self.units.size)
            grown -= self.cost.contention_of(host, load)
            row += grown if self.is_over[host] else grown * NEW_CONTENTION
        returning = np.flatnonzero((self.base == host) & (self.host != host))
        row[returning] -= self.prices[self.link_of[host], returning]
        row[self.host == host] = np.inf
        self._room.forbid(row, host, load)


_PER_UNIT = ("host", "origin", "seconds", "exit", "relief", "base", "paid_by")
_PER_PAIR = ("entry", "_load", "_terms", "_blocked", "_wishes")


def movable(desk: Desk, *, on: Bools | None = None) -> list[tuple[int, ...]]:
    """Return what may move for load's sake: whole families and single VMs on serving hosts, not held."""
    problem = desk.problem
    free = ~desk.stays & ~problem.held & desk.ledger.serving[desk.ledger.at]
    free &= desk.has_target
    if on is not None:
        free &= on[desk.ledger.at]
    alone: list[tuple[int, ...]] = [
        (vm,) for vm in np.flatnonzero(free).tolist() if vm not in desk.family_of
    ]
    whole = [f for f in desk.families if free[list(f)].all() and desk.home(f) is not None]
    return sorted(alone + whole) if whole else alone


def _may_return(desk: Desk, units: Units, base: Ints) -> Bools:
    """Return which units may go back to where the round found them: no rule and no evacuation drove them off."""
    driven = {vm for vm, note in desk.notes.items() if note.reason.is_mandatory}
    result: Bools = (desk.problem.serving & desk.open)[base]
    if driven:
        result &= np.array([driven.isdisjoint(unit) for unit in units.members], dtype=bool)
    return result


def _closed(desk: Desk, units: Units) -> Bools:
    """Return where static laws and holds forbid a unit, (H, U)."""
    flat, starts = flattened(units.members)
    shut = ~desk.allowed(flat, is_mandatory=False)
    if len(flat) > len(units):
        shut = np.logical_or.reduceat(shut, starts, axis=0)
    return np.ascontiguousarray(shut.T)


def _seconds(desk: Desk, units: Units) -> Floats:
    """Return the seconds of each unit's migration over its source's own link, (U,)."""
    vms, _ = flattened(units.members)
    sources = desk.base[vms]
    return _summed(units, seconds(desk.problem, vms, sources, sources))


def _prices(desk: Desk, units: Units) -> tuple[Ints, Floats]:
    """Return the class of each host as a target, (H,), and the price of each unit by class, (classes, U).

    Hosts with links of one speed are one class, as long as nothing was learnt that tells hosts apart.
    """
    problem = desk.problem
    kinds = problem.link_mbps if (problem.pace == 1.0).all() else np.arange(len(problem.hosts))
    _, first, link_of = np.unique(kinds, return_index=True, return_inverse=True)
    vms, _ = flattened(units.members)
    sources = desk.base[vms]
    rows = [_summed(units, price(problem, vms, sources, np.full_like(vms, h))) for h in first]
    return link_of.reshape(-1), np.array(rows).reshape(len(first), len(units))


def _wide(desk: Desk, units: Units) -> Floats:
    """Return what each unit costs on each host for being wider than a NUMA node, (H, U) or 0."""
    if desk.wide_costs is None:
        return np.zeros(1)
    flat, _ = flattened(units.members)
    return _summed(units, desk.wide_costs[flat]).T


def _summed(units: Units, each: Floats) -> Floats:
    """Return the sum over each unit's members of figures per member, (U, ...)."""
    _, starts = flattened(units.members)
    if len(each) == len(units):
        return each.astype(np.float64)
    result: Floats = np.add.reduceat(each, starts, axis=0)
    return result
