"""The board of a search that makes room: who may be pushed where, at which price, and what is free now.

Arrays over U units (VMs, or families that stand as one) and H hosts, compiled once per search; only the
placement changes. Harsher than the judges: a ceiling holds for every host that is entered, and no
member of a kept-apart group joins as many others as may share a host. Only where each host counts by
itself and holds one such is that one pushed aside. Never touches the desk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from balancer.model.host import HostState
from balancer.model.plan import MoveReason
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.desk import Desk
from balancer.plan.price import instant_price, price
from balancer.plan.problem import FOOTPRINT, LIMITED, RESERVED, Group
from balancer.plan.units import flattened

HELD_PRICE = 10
"""Moving a VM that is held (it moved lately) to make room counts as much as this many others."""

QUARANTINE_PRICE = 100
"""A host in quarantine is entered only where that saves so many moves."""

ROOM = LIMITED.index(FOOTPRINT)
_RESERVED = [LIMITED.index(column) for column in RESERVED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """What never changes: units largest first, their sizes and prices, and where each may be.

    `price` is in instant moves, and counted from where a unit stood when the round began, so that to
    move again what moves anyway costs little, and to send it home saves.
    """

    members: tuple[tuple[int, ...], ...]
    row_of: Mapping[tuple[int, ...], int]
    size: Floats  # (U, columns of LIMITED)
    reach: Bools  # (U, H)
    price: Floats  # (U, H)
    groups: tuple[tuple[int, ...], ...]  # kept-apart groups of each unit's members
    mates: tuple[tuple[int, ...], ...]  # units that have members in each group
    rules: tuple[Group, ...]  # the groups


@dataclass(slots=True)
class Board:
    """One placement of the units; `copy` it to try something."""

    pieces: Pieces
    at: Ints  # (U,)
    spare: Floats  # (H, columns of LIMITED)
    crowd: Ints  # (groups, H) as in the ledger

    def copy(self) -> "Board":
        """Return a board of its own."""
        return replace(self, at=self.at.copy(), spare=self.spare.copy(), crowd=self.crowd.copy())

    def put(self, unit: int, host: int) -> None:
        """Move a unit."""
        source, size = int(self.at[unit]), self.pieces.size[unit]
        self.spare[source] += size
        self.spare[host] -= size
        for number in self.pieces.groups[unit]:
            group = self.pieces.rules[number]
            self.crowd[number, group.beside(source)] -= 1
            self.crowd[number, group.beside(host)] += 1
        self.at[unit] = host

    def has_room(self, unit: int) -> bool:
        """Whether all gaps together are as large as a unit, of hosts that anyone may enter."""
        receives = self.pieces.reach.any(axis=0)
        total = np.maximum(self.spare[receives, ROOM], 0.0).sum()
        return bool(total >= self.pieces.size[unit, ROOM])

    def fits(self, unit: int) -> Bools:
        """Return the hosts that may take a unit as they are, (H,)."""
        pieces = self.pieces
        lacks = pieces.size[unit] > self.spare
        lacks[:, _RESERVED] &= pieces.size[unit, _RESERVED] > 0
        result: Bools = pieces.reach[unit] & ~lacks.any(axis=1)
        result[self.at[unit]] = False
        for number in pieces.groups[unit]:
            result &= self._takes_more(unit, number)
        return result

    def _takes_more(self, unit: int, number: int) -> Bools:
        """Return the hosts on which a unit would not be too many of a group, (H,)."""
        group = self.pieces.rules[number]
        coming = self.pieces.groups[unit].count(number)
        open_to: Bools = self.crowd[number] + coming <= group.rule.most
        if group.domain is not None:
            open_to[group.beside(int(self.at[unit]))] = True
        return open_to

    def mates(self, unit: int) -> tuple[Ints, Bools]:
        """Return the units kept apart from one, and the hosts on which others such are in the way for good, (H,).

        Where several may share a host, or hosts count as one, that is wherever there are as many as may be.
        """
        pieces, found = self.pieces, set[int]()
        fixed = np.zeros(len(self.spare), dtype=bool)
        for number in pieces.groups[unit]:
            group = pieces.rules[number]
            if group.rule.most > 1 or group.domain is not None:
                fixed |= ~self._takes_more(unit, number)
                continue
            found.update(pieces.mates[number])
            inside = self.at[list(pieces.mates[number])]
            fixed |= self.crowd[number] > np.bincount(inside, minlength=len(fixed))
        return np.array(sorted(found - {unit}), dtype=np.int64), fixed

    def is_within(self, unit: int) -> bool:
        """Whether the host of a unit keeps its ceilings and the unit has not too many group mates there."""
        host, pieces = int(self.at[unit]), self.pieces
        lacks = self.spare[host] < 0
        lacks[_RESERVED] &= pieces.size[unit, _RESERVED] > 0
        return not lacks.any() and all(
            self.crowd[number, host] <= pieces.rules[number].rule.most
            for number in pieces.groups[unit]
        )

    def extra(self, unit: int) -> Floats:
        """Return what moving a unit on to each host costs, (H,); negative where it goes home."""
        row = self.pieces.price[unit]
        result: Floats = row - row[self.at[unit]]
        return result


def set_up(desk: Desk) -> Board:
    """Return the board of a desk's placement."""
    problem = desk.problem
    members = _movable(desk)
    flat, starts = flattened(members)
    size = np.add.reduceat(problem.size[flat], starts, axis=0)[:, LIMITED]
    apart = [
        tuple(group for vm in unit for group in problem.apart_of.get(vm, ())) for unit in members
    ]
    mates: list[list[int]] = [[] for _ in problem.apart]
    for row, groups in enumerate(apart):
        for group in groups:
            mates[group].append(row)
    pieces = Pieces(
        members=tuple(members),
        row_of={unit: row for row, unit in enumerate(members)},
        size=size,
        reach=np.logical_and.reduceat(_reach(desk, flat), starts, axis=0),
        price=np.add.reduceat(_prices(desk, flat), starts, axis=0),
        groups=tuple(apart),
        mates=tuple(map(tuple, mates)),
        rules=problem.apart,
    )
    spare = problem.limits[:, LIMITED] - desk.ledger.held[:, LIMITED]
    return Board(pieces, desk.ledger.at[flat[starts]], spare, desk.ledger.crowd.copy())


def _movable(desk: Desk) -> list[tuple[int, ...]]:
    """Return the units that may move, largest first; families that are scattered are left out."""
    problem = desk.problem
    units = {desk.together(vm) for vm in np.flatnonzero(~desk.stays).tolist()}
    whole = [u for u in units if len(u) > 1 or u[0] not in desk.family_of]
    return sorted(whole, key=lambda u: (-float(problem.size[list(u), FOOTPRINT].sum()), u))


def _reach(desk: Desk, vms: Ints) -> Bools:
    """Return where VMs may go, (VMs, H). What moved to make room may go back to where it was."""
    reach = desk.allowed(vms, is_mandatory=True)
    for row, vm in enumerate(vms.tolist()):
        note = desk.notes.get(vm)
        if note is not None and note.reason is MoveReason.MAKE_ROOM:
            reach[row, desk.base[vm]] = True
    return reach


def _prices(desk: Desk, vms: Ints) -> Floats:
    """Return the price of each VM on each host in instant moves, (VMs, H)."""
    problem, base = desk.problem, desk.base[vms]
    each = price(problem, vms[:, None], base[:, None], np.arange(len(problem.hosts)))
    if desk.wide_costs is not None:
        each = each + desk.wide_costs[vms]
    held = np.where(problem.held[vms], HELD_PRICE, 1)
    result: Floats = each * held[:, None] / max(instant_price(problem), 1e-15)
    result[:, [host.state is HostState.QUARANTINE for host in problem.hosts]] += QUARANTINE_PRICE
    result[np.arange(len(vms)), base] = 0.0
    return result
