"""Make room by pushing smaller units aside, and still smaller ones for these: chains and trees of moves.

For each stuck unit the hosts are ranked by what the cheapest set of units costs that would have to leave;
the best few are tried in full. Each step is legal when it is made, so that the moves have an order. May
fail where an exact search would not, and leaves the desk as it was then.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from balancer.model.plan import MoveReason
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.cover import Asked, Cover, cheapest_covers
from balancer.plan.desk import Desk, Note
from balancer.plan.eject_board import ROOM, Board, set_up
from balancer.plan.tasks import Task, is_open

TRIED = (12, 3, 1)
"""Hosts that are tried in full: for the stuck unit, for what it pushes aside, for what that pushes aside.
Measured: twice as many hosts save one move in sixty for twice the time, and longer chains save none."""

LOOKS_PER_TASK = 150
MOST_LOOKS = 600
"""How often hosts are ranked, for one task and for all. Measured: 150 to 300 for the eleven to thirteen
stuck VMs of 96 hosts with 2,880, 95 % full, at 3 ms each."""

PASSES = 4
"""How often the sets are made anew without units for which no place was found, where no set could be used."""

TIGHT = 0.5
"""What a gap left wholly empty counts against one that is filled, in instant moves."""

GOOD_GAP = 0.75
"""Rank among the gaps, as a share: what fits into such a gap is taken to find a place at once."""

LEAST_COST = 1e-3
"""What to move a unit again that moves anyway counts at least, in instant moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Units and hosts in the order of their moves, the board after them, and their price in instant moves."""

    steps: tuple[tuple[int, int], ...]
    board: Board
    cost: float


def push_aside(desk: Desk, stuck: Sequence[Task], *, deadline: float) -> None:
    """Make room for stuck tasks, in their order; what no room was found for stays open."""
    board, looks = set_up(desk), MOST_LOOKS
    for task in stuck:
        unit = board.pieces.row_of.get(task.movers)
        if unit is None or not is_open(desk, task) or time.perf_counter() > deadline:
            continue
        if not board.has_room(unit):
            continue
        search = _Search(board, min(looks, LOOKS_PER_TASK))
        looks -= search.looks
        way = search.place(board, unit, ())
        looks += search.looks
        if way is not None and _carry_out(desk, task, way):
            board = way.board


def _carry_out(desk: Desk, task: Task, way: Way) -> bool:
    """Make the moves; False, and nothing is changed, where a law of the judges is against one."""
    at, notes = desk.ledger.at.copy(), dict(desk.notes)
    names = ", ".join(desk.problem.vms[vm].name for vm in task.movers[:3])
    room = Note(reason=MoveReason.MAKE_ROOM, cause=names)
    for unit, host in way.steps:
        members = way.board.pieces.members[unit]
        if desk.codes(members, is_mandatory=True)[host]:
            desk.restore(at, notes)
            return False
        desk.move(members, host, task.note if members == task.movers else room)
    return True


class _Search:
    """The search for one stuck unit. `looks` is how often it may still rank hosts."""

    def __init__(self, board: Board, looks: int) -> None:
        pieces = board.pieces
        self.looks = looks
        self.away: Floats = np.median(pieces.price, axis=1)
        self.receives: Bools = np.any(pieces.reach, axis=0)
        size = pieces.size[:, ROOM]
        self.may_go: Bools = np.any(pieces.reach, axis=1)
        self.rate = self._rate(size, self._gap(board))

    def _rate(self, size: Floats, gap: float) -> float:
        """Return the least price of a move per MiB, of units that find a place at once where there are such."""
        rows = np.flatnonzero(self.may_go & (size > 0))
        small = rows[size[rows] <= gap]
        rows = small if len(small) else rows
        return float((self.away[rows] / size[rows]).min()) if len(rows) else 0.0

    def place(self, board: Board, unit: int, path: tuple[int, ...]) -> Way | None:
        """Return the cheapest way found to place a unit on none of the hosts of `path`."""
        host = _tightest(board, unit, path)
        if host is not None:
            cost, then = float(board.extra(unit)[host]), board.copy()
            then.put(unit, host)
            return Way(steps=((unit, host),), board=then, cost=cost)
        barred: set[int] = set()
        for _ in range(1 if path else PASSES):
            before = len(barred)
            way = self._best_way(board, unit, path, barred)
            if way is not None or len(barred) == before:
                return way
        return None

    def _best_way(
        self, board: Board, unit: int, path: tuple[int, ...], barred: set[int]
    ) -> Way | None:
        """Return the cheapest way with the best sets of units; those that found no place are barred afterwards."""
        best: Way | None = None
        for cover in self._covers(board, unit, path, barred):
            if best is not None and cover.cost >= best.cost:
                break
            way = self._try(board, unit, cover, path, barred)
            if way is not None and (best is None or way.cost < best.cost):
                best = way
        return best

    def _try(
        self, board: Board, unit: int, cover: Cover, path: tuple[int, ...], barred: set[int]
    ) -> Way | None:
        cost = float(board.extra(unit)[cover.host])
        then, steps = board.copy(), list[tuple[int, int]]()
        then.put(unit, cover.host)
        for other in cover.units:
            way = self.place(then, other, (*path, cover.host))
            if way is None:
                barred.add(other)
                return None
            then, cost = way.board, cost + way.cost
            steps += way.steps
        if not then.is_within(unit):
            return None
        return Way(steps=(*steps, (unit, cover.host)), board=then, cost=cost)

    def _covers(
        self, board: Board, unit: int, path: tuple[int, ...], barred: set[int]
    ) -> list[Cover]:
        """Return what could be pushed aside for a unit on the best hosts, cheapest first."""
        if len(path) >= len(TRIED) or not self.looks:
            return []
        self.looks -= 1
        pieces, worth, may_go = board.pieces, self._worth(board), self.may_go.copy()
        may_go[list(barred)] = False
        entry = np.where(pieces.reach[unit], board.extra(unit), np.inf)
        entry[[int(board.at[unit]), *path]] = np.inf
        column = _scarcest(board, unit, np.isfinite(entry))
        size = pieces.size[:, column]
        lack = size[unit] - board.spare[:, column]
        mates, is_barred = board.mates(unit)
        entry[is_barred] = np.inf
        np.add.at(entry, board.at[mates], np.where(may_go[mates], worth[mates], np.inf))
        np.subtract.at(lack, board.at[mates], size[mates])
        chosen = may_go & (size > 0) & np.isfinite(entry)[board.at]
        chosen[mates] = False
        rows = np.flatnonzero(chosen)
        asked = Asked(lack=np.maximum(lack, 0.0), entry=entry, host=board.at[rows], size=size[rows])
        covers = cheapest_covers(asked, worth[rows], most=TRIED[len(path)])
        return [_with_mates(board, cover, rows, mates) for cover in covers]

    def _worth(self, board: Board) -> Floats:
        """Return what sending each unit away will cost, as far as that can be told without trying, (U,)."""
        pieces = board.pieces
        now = pieces.price[np.arange(len(board.at)), board.at]
        over = np.maximum(pieces.size[:, ROOM] - self._gap(board), 0.0)
        result: Floats = np.maximum(self.away - now, LEAST_COST) + over * self.rate
        return result

    def _gap(self, board: Board) -> float:
        spare = np.sort(np.maximum(board.spare[self.receives, ROOM], 0.0))
        return float(spare[int(GOOD_GAP * (len(spare) - 1))])


def _with_mates(board: Board, cover: Cover, rows: Ints, mates: Ints) -> Cover:
    """Return a cover in units of the board, largest first, with the group mates that must leave as well."""
    here = mates[board.at[mates] == cover.host].tolist()
    units = sorted({*here, *rows[list(cover.units)].tolist()})
    return Cover(host=cover.host, units=tuple(units), cost=cover.cost)


def _tightest(board: Board, unit: int, path: tuple[int, ...]) -> int | None:
    """Return the host on which a unit fits as things are: cheap, and with little room left over."""
    fits = board.fits(unit)
    fits[list(path)] = False
    if not fits.any():
        return None
    spare = np.maximum(board.spare[:, ROOM], 1e-9)
    left = (spare - board.pieces.size[unit, ROOM]) / spare
    return int(np.argmin(np.where(fits, board.extra(unit) + TIGHT * left, np.inf)))


def _scarcest(board: Board, unit: int, open_hosts: Bools) -> int:
    """Return the column of which most hosts lack room for a unit."""
    lacks = board.pieces.size[unit] > board.spare[open_hosts]
    return int(np.argmax(lacks.sum(axis=0)))
