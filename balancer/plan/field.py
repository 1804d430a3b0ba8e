"""All single moves at once: for every unit and host, what the move would cost; kept true while moves are made.

The inner arrays of the load search. Owns the incremental update (two hosts' rows per move, and the units
that share a rule with what moved); which move is taken is the business of `plan.descent`. Works on a
ledger of its own; `outcome` tells what changed.
"""

from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.desk import Desk
from balancer.plan.encode import anti_affinity
from balancer.plan.loadcost import load_cost
from balancer.plan.price import price, seconds
from balancer.plan.problem import (
    COUNT,
    CPU,
    CPU_RESERVED,
    FOOTPRINT,
    MEMORY,
    MEMORY_RESERVED,
)
from balancer.plan.units import Units, make_units


class Field:
    """U units that may move for load's sake, and H hosts.

    `entry` (H, U) is what entering a host costs: load, price of the migration, should-rules; infinite
    where a law, a hold or a contention threshold forbids it. `exit` (U,) is what leaving the present
    host saves, with the price already paid. A move's net gain is `exit[u] - entry[h, u]`.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk, self.problem = desk, desk.problem
        self.ledger = desk.ledger.copy()
        self.cost = load_cost(self.ledger)
        self.units: Units = make_units(self.ledger, movable(desk))
        self.host: Ints = self.units.source.copy()
        self.origin: Ints = self.units.source.copy()
        self.closed: Bools = _closed(desk, self.units)
        self.seconds: Floats = _seconds(desk, self.units)
        self._link_of, self._price = _prices(desk, self.units)
        self._base: Ints = desk.base[[unit[0] for unit in self.units.members]]
        self._columns: Floats = self.units.size.T.copy()
        self._reserves = bool((self._columns[[CPU_RESERVED, MEMORY_RESERVED]] > 0).any())
        self._unit_of = {vm: row for row, unit in enumerate(self.units.members) for vm in unit}
        self._in_apart = self._rows(vm for group in self.problem.apart for vm in group.members)
        self._in_should = self._rows(vm for group in self.problem.should for vm in group.members)
        hosts = len(self.problem.hosts)
        self._blocked: Bools = np.zeros((hosts, len(self.units)), dtype=bool)
        self._should: Floats = np.zeros((hosts, len(self.units)))
        self._look_at_rules(self._in_apart, self._in_should)
        self.entry: Floats = np.empty((hosts, len(self.units)))
        self.exit: Floats = np.empty(len(self.units))
        for host in range(hosts):
            self._look_at_host(host)

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.units)

    def copy(self) -> "Field":
        """Return a field of its own in the same state."""
        twin = copy(self)
        twin.ledger = self.ledger.copy()
        for name in ("host", "entry", "exit", "_blocked", "_should"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def move(self, unit: int, target: int) -> None:
        """Move one unit and bring the arrays up to date."""
        source, members = int(self.host[unit]), self.units.members[unit]
        self.ledger.move(members, target)
        self.host[unit] = target
        apart = self._rows(
            vm
            for mover in members
            for group in self.problem.apart_of.get(mover, ())
            for vm in self.problem.apart[group].members
        )
        should = self._rows(
            vm
            for number in self.desk.should.rules_of(members)
            for vm in self.desk.should.groups[number].members
        )
        self._look_at_rules(apart, should)
        for host in (source, target):
            self._look_at_host(host)
        related = sorted({*apart, *should})
        if related:
            self.entry[:, related] = self._entries(slice(None), related)

    def paid(self) -> float:
        """Return the price of all moves made so far."""
        return float(self._paid(np.arange(len(self))).sum())

    def outcome(self) -> list[tuple[tuple[int, ...], int]]:
        """Return the units that stand elsewhere than when the field was made, and where."""
        changed = np.flatnonzero(self.host != self.origin)
        return [(self.units.members[row], int(self.host[row])) for row in changed]

    def shut(self, host: int, units: Ints) -> Bools:
        """Return which units a host may not take whatever its load: static laws, holds, kept-apart groups."""
        result: Bools = self.closed[host, units] | self._blocked[host, units]
        return result

    def entry_price(self, host: int, units: Ints) -> Floats:
        """Return the price of bringing units to a host, should-rules included, less what is paid."""
        price = self._price[self._link_of[host], units] + self._should[host, units]
        result: Floats = price - self._paid(units)
        return result

    def room(self, host: int) -> Floats:
        """Return how much more a host may hold, by column: all ceilings, no contention threshold."""
        room: Floats = self.problem.limits[host] - self.ledger.held_on(host)
        room[CPU] = self.problem.cpu_ceiling[host] - self.ledger.held_on(host)[CPU]
        return room

    def _rows(self, vms: Iterable[int]) -> list[int]:
        return sorted({self._unit_of[vm] for vm in vms if vm in self._unit_of})

    def _look_at_rules(self, apart: Sequence[int], should: Sequence[int]) -> None:
        if apart:
            units = make_units(self.ledger, [self.units.members[row] for row in apart])
            self._blocked[:, apart] = anti_affinity.encode(self.ledger, units, False).T != 0
        for row in should:
            change = self.desk.should.change(self.ledger, self.units.members[row])
            self._should[:, row] = change * self.problem.policy.prices.soft_rule

    def _look_at_host(self, host: int) -> None:
        here = np.flatnonzero(self.host == host)
        load = self.ledger.load[host, :2]
        left = load - self.units.size[here, :2]
        self.exit[here] = self.cost.of(host, load) - self.cost.of(host, left) + self._paid(here)
        self.entry[host] = self._entries(slice(host, host + 1), slice(None))[0]

    def _paid(self, units: Ints) -> Floats:
        price = self._price[self._link_of[self.host[units]], units]
        result: Floats = np.where(self.host[units] == self._base[units], 0.0, price)
        return result

    def _entries(self, hosts: slice, units: slice | list[int]) -> Floats:
        """Return a block of `entry`, made from the ledger, (hosts, units)."""
        number = np.arange(len(self.problem.hosts))[hosts, None]
        load = self.ledger.load[hosts]
        cost = self._price[self._link_of[hosts]][:, units] + self._should[hosts][:, units]
        for column in (CPU, MEMORY):
            now, size = load[:, column, None], self._columns[column, units]
            cost += self.cost.part_of(column, number, now + size)
            cost -= self.cost.part_of(column, number, now)
        shut = self.closed[hosts][:, units] | self._blocked[hosts][:, units]
        shut |= self.host[units] == number
        shut |= self._overfilled(hosts, units)
        cost[shut] = np.inf
        return cost

    def _overfilled(self, hosts: slice, units: slice | list[int]) -> Bools:
        """Return where a ceiling, a reservation or a contention threshold forbids to enter.

        Only a host that is below a contention threshold is kept from coming above it.
        """
        room = self.problem.limits[hosts] - self.ledger.load[hosts] - self.problem.transit[hosts]
        held_cpu = self.ledger.load[hosts, CPU] + self.problem.transit[hosts, CPU]
        room[:, CPU] = self.problem.cpu_ceiling[hosts] - held_cpu
        calm = self.cost.limit * self.cost.capacity[hosts] - self.ledger.load[hosts, :2]
        calm[calm < 0] = np.inf
        room[:, :2] = np.minimum(room[:, :2], calm)
        size = self._columns[:, units]
        full: Bools = size[CPU] > room[:, CPU, None]
        for column in (MEMORY, FOOTPRINT, COUNT):
            full |= size[column] > room[:, column, None]
        if self._reserves:
            for column in (CPU_RESERVED, MEMORY_RESERVED):
                full |= (size[column] > 0) & (size[column] > room[:, column, None])
        return full


def movable(desk: Desk) -> list[tuple[int, ...]]:
    """Return what may move for load's sake: whole families and single VMs on serving hosts, not held."""
    problem = desk.problem
    free = ~problem.pinned & ~problem.held & problem.serving[desk.ledger.at]
    alone = [(vm,) for vm in np.flatnonzero(free).tolist() if vm not in desk.family_of]
    whole = [f for f in desk.families if free[list(f)].all() and desk.home(f) is not None]
    return sorted(alone + whole)


def _closed(desk: Desk, units: Units) -> Bools:
    """Return where static laws and holds forbid a unit, (H, U)."""
    if not len(units):
        return np.zeros((len(desk.problem.hosts), 0), dtype=bool)
    starts = np.cumsum([0] + [len(unit) for unit in units.members[:-1]])
    shut = ~desk.allowed(_flat(units), is_mandatory=False)
    result: Bools = np.logical_or.reduceat(shut, starts, axis=0).T.copy()
    return result


def _seconds(desk: Desk, units: Units) -> Floats:
    """Return the seconds of each unit's migration over its source's own link, (U,)."""
    vms = _flat(units)
    sources = desk.base[vms]
    return _summed(units, seconds(desk.problem, vms, sources, sources))


def _prices(desk: Desk, units: Units) -> tuple[Ints, Floats]:
    """Return the class of each host's link, (H,), and the price of each unit by class, (classes, U)."""
    _, first, link_of = np.unique(desk.problem.link_mbps, return_index=True, return_inverse=True)
    vms = _flat(units)
    sources = desk.base[vms]
    rows = [_summed(units, price(desk.problem, vms, sources, np.full_like(vms, h))) for h in first]
    return link_of.reshape(-1), np.array(rows).reshape(len(first), len(units))


def _flat(units: Units) -> Ints:
    return np.array([vm for unit in units.members for vm in unit], dtype=np.int64)


def _summed(units: Units, each: Floats) -> Floats:
    """Return the sum over each unit's members of a figure per member, (U,)."""
    if not len(units):
        return np.zeros(0)
    starts = np.cumsum([0] + [len(unit) for unit in units.members[:-1]])
    return np.add.reduceat(each, starts)
