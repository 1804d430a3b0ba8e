"""Answer a question without a solver: by counting, by matching, and by a search that gives up early.

Most conflicts are plain (a VM that may go nowhere, a group larger than its hosts, rules that contradict
each other), and loading the solver takes longer than all of this. Answers None where it cannot tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from balancer.plan.codes import Bools, Ints
from balancer.plan.conflict_member import ROOMS, Kind, Member
from balancer.plan.conflict_question import Question, Team

MOST_STEPS = 2000
"""Steps after which the search gives up. Plain conflicts take a few hundred."""

MOST_UNITS = 64
"""With more units than this only counting and matching are tried."""


def placing(question: Question, active: Sequence[Member]) -> Ints | bool | None:
    """Return hosts by VM, (V,), that obey the active members; False where there are none, None if unknown."""
    board = _set_up(question, active)
    if board is None or not _could_be(board):
        return False
    near = _beside_the_draft(board)
    if near is not None:
        return near
    if len(board.units) > MOST_UNITS:
        return None
    return _Search(board).run()


def obeys(question: Question, active: Sequence[Member], at: Ints) -> bool:
    """Whether a placement (V,) obeys all active members."""
    is_allowed = question.allowed(active)[np.arange(len(at)), at].all()
    return bool(is_allowed) and _groups_and_rooms(question, active, at)


def _groups_and_rooms(question: Question, active: Sequence[Member], at: Ints) -> bool:
    chosen = set(active)
    for member, team in question.apart.items():
        count = np.bincount(at[list(team.rows)], minlength=len(question.room))
        if member in chosen and (count > np.array(team.most)).any():
            return False
    for member, team in question.together.items():
        if member in chosen and len(set(at[list(team.rows)].tolist())) > team.most[0]:
            return False
    return not (_overfilled(question, at) & _bounded(question, active)).any()


def _overfilled(question: Question, at: Ints) -> Bools:
    """Return which hosts a VM has entered that they are too small for, (H, R)."""
    held = question.fixed.copy()
    np.add.at(held, at, question.size)
    entered = np.zeros(question.room.shape, dtype=bool)
    comes = np.stack([question.arrives(room) for room in range(len(ROOMS))], axis=1)
    moved = at != question.start
    np.logical_or.at(entered, at[moved], comes[moved])
    result: Bools = (held > question.room) & (entered | question.is_entered[:, None])
    return result


def _bounded(question: Question, active: Sequence[Member]) -> Bools:
    """Return the ceilings that are active, (H, R)."""
    bounded = np.zeros(question.room.shape, dtype=bool)
    for member in active:
        if member.kind is Kind.ROOM:
            bounded[member.at, member.what] = True
    return bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class _Board:
    """The question under its active members, VMs that strict rules keep together joined to units."""

    question: Question
    active: tuple[Member, ...]
    units: tuple[tuple[int, ...], ...]
    unit_of: Ints  # (V,)
    each: Bools  # (V, H) what bans leave to each VM
    allowed: Bools  # (U, H) what bans and rooms leave to each unit
    size: Ints  # (U, R)
    teams: tuple[Team, ...]  # kept apart, rows are units
    bounded: Bools  # (H, R) where the ceiling is active


def _set_up(question: Question, active: Sequence[Member]) -> _Board | None:
    """Return the board; None where two VMs of one unit are kept apart."""
    chosen = set(active)
    units = _units(question, [t for m, t in question.together.items() if m in chosen])
    unit_of = np.empty(len(question.vms), dtype=np.int64)
    for number, rows in enumerate(units):
        unit_of[list(rows)] = number
    each = question.allowed(active)
    teams: list[Team] = []
    for member, team in question.apart.items():
        if member not in chosen:
            continue
        inside = tuple(unit_of[list(team.rows)].tolist())
        if len(set(inside)) < len(inside) and team.is_strict:
            return None
        teams.append(Team(rows=inside, most=team.most))
    bounded = _bounded(question, active)
    first = np.array([rows[0] for rows in units])
    size, allowed = question.size[first].copy(), each[first].copy()
    for number, rows in enumerate(units):
        for row in rows[1:]:
            size[number] += question.size[row]
            allowed[number] &= each[row]
    return _Board(
        question=question,
        active=tuple(active),
        units=units,
        unit_of=unit_of,
        each=each,
        allowed=allowed & _fits_alone(question, units, size, bounded),
        size=size,
        teams=tuple(teams),
        bounded=bounded,
    )


def _units(question: Question, teams: Sequence[Team]) -> tuple[tuple[int, ...], ...]:
    """Return the rows that must be on one host, in ascending order."""
    joined: dict[int, list[int]] = {}
    for team in teams:
        if team.is_strict:
            rows = {row for r in team.rows for row in joined.get(r, [r])}
            whole = sorted(rows)
            joined.update((row, whole) for row in whole)
    units = [tuple(joined.get(row, [row])) for row in range(len(question.vms))]
    return tuple(unit for row, unit in enumerate(units) if unit[0] == row)


def _fits_alone(
    question: Question, units: Sequence[tuple[int, ...]], size: Ints, bounded: Bools
) -> Bools:
    """Return the hosts that could take each unit if no other unit of the question were there, (U, H)."""
    result = np.ones((len(units), len(question.room)), dtype=bool)
    first = np.array([rows[0] for rows in units])
    many = [number for number, rows in enumerate(units) if len(rows) > 1]
    for room in range(len(ROOMS)):
        over = question.fixed[None, :, room] + size[:, None, room] > question.room[None, :, room]
        arrives = question.arrives(room)
        enters = question.start[first][:, None] != np.arange(len(question.room))
        enters &= arrives[first][:, None]
        for unit in many:
            starts = [question.start[row] for row in units[unit] if arrives[row]]
            enters[unit] = len(set(starts)) > 0
            if len(set(starts)) == 1:
                enters[unit, starts[0]] = False
        result &= ~(over & bounded[:, room] & (enters | question.is_entered))
    return result


def _could_be(board: _Board) -> bool:
    """Whether each unit has a host, each strict group one for every member, and no set of hosts overflows."""
    if not board.allowed.any(axis=1).all() or _overflows(board):
        return False
    return all(_matches(board.allowed[list(t.rows)]) for t in board.teams if t.is_strict)


def _overflows(board: _Board) -> bool:
    """Whether units that may be nowhere but on some hosts are too large for these together.

    Tried for the hosts that each stuck unit may go to. A host that is above a ceiling from the start may
    keep what it has, so that counts as its room.
    """
    question = board.question
    here = np.zeros_like(question.room)
    stays = board.each[np.arange(len(question.start)), question.start]
    np.add.at(here, question.start[stays], question.size[stays])
    room = np.maximum(question.room - question.fixed, np.where(board.bounded, here, 0))
    for unit in sorted(set(board.unit_of[question.movers].tolist())):
        hosts = board.allowed[unit]
        inside = ~(board.allowed & ~hosts).any(axis=1)
        total, most = board.size[inside].sum(axis=0), room[hosts].sum(axis=0)
        if ((total > most) & board.bounded[hosts].all(axis=0)).any():
            return True
    return False


def _matches(allowed: Bools) -> bool:
    """Whether every row can have a column of its own (augmenting paths)."""
    if len(allowed) > int(allowed.any(axis=0).sum()):
        return False
    owner: dict[int, int] = {}

    def seat(row: int, tried: set[int]) -> bool:
        for column in np.flatnonzero(allowed[row]).tolist():
            if column in tried:
                continue
            tried.add(column)
            if column not in owner or seat(owner[column], tried):
                owner[column] = row
                return True
        return False

    return all(seat(row, set()) for row in range(len(allowed)))


def _beside_the_draft(board: _Board) -> Ints | None:
    """Try to leave all where the draft has them but the stuck VMs, one host for them after the other."""
    question = board.question
    at = question.draft.copy()
    everybody = np.ones(len(at), dtype=bool)
    if _rest_is_allowed(board, at, everybody) and _groups_and_rooms(question, board.active, at):
        return at
    moving = sorted(set(board.unit_of[question.movers].tolist()))
    rows = [row for unit in moving for row in board.units[unit]]
    hosts: Bools = np.logical_and.reduce(board.allowed[moving])
    rest = np.ones(len(at), dtype=bool)
    rest[rows] = False
    if not hosts.any() or not _rest_is_allowed(board, at, rest):
        return None
    held = question.fixed.copy()
    np.add.at(held, at[rest], question.size[rest])
    over = held + question.size[rows].sum(axis=0) > question.room
    enters = ~np.isin(np.arange(len(question.room)), question.start[rows])
    hosts &= ~(over & board.bounded).any(axis=1) | ~enters
    for host in np.flatnonzero(hosts).tolist():
        at[rows] = host
        if _groups_and_rooms(question, board.active, at):
            return at
    return None


def _rest_is_allowed(board: _Board, at: Ints, rest: Bools) -> bool:
    return bool(board.each[np.arange(len(at)), at][rest].all())


class _Search:
    """Depth first, the unit with the fewest hosts first, each at its place in the draft first."""

    def __init__(self, board: _Board) -> None:
        self.board, self.question = board, board.question
        self.order = sorted(range(len(board.units)), key=lambda u: (int(board.allowed[u].sum()), u))
        self.at = np.full(len(board.units), -1, dtype=np.int64)
        self.load = self.question.fixed.copy()
        self.counts = [np.zeros(len(self.load), dtype=np.int64) for _ in board.teams]
        self.teams_of: dict[int, list[int]] = {}
        for number, team in enumerate(board.teams):
            for unit in team.rows:
                self.teams_of.setdefault(unit, []).append(number)
        self.steps = 0

    def run(self) -> Ints | bool | None:
        """Return a placement by VM, False where there is none, None where the search gave up."""
        found = self._descend(0)
        if not found:
            return found
        at: Ints = self.at[self.board.unit_of]
        return at

    def _descend(self, depth: int) -> bool | None:
        if depth == len(self.order):
            return obeys(self.question, self.board.active, self.at[self.board.unit_of])
        unit = self.order[depth]
        home = int(self.question.draft[self.board.units[unit][0]])
        hosts = np.flatnonzero(self.board.allowed[unit]).tolist()
        for host in sorted(hosts, key=lambda h: (h != home, h)):
            self.steps += 1
            if self.steps > MOST_STEPS:
                return None
            self._put(unit, host, +1)
            answer = self._descend(depth + 1) if self._holds(unit, host) else False
            if answer is not False:
                return answer
            self._put(unit, host, -1)
        return False

    def _put(self, unit: int, host: int, sign: int) -> None:
        self.at[unit] = host if sign > 0 else -1
        self.load[host] += sign * self.board.size[unit]
        for team in self.teams_of.get(unit, ()):
            self.counts[team][host] += sign

    def _holds(self, unit: int, host: int) -> bool:
        """Whether what has been placed so far breaks nothing on a host."""
        for team in self.teams_of.get(unit, ()):
            if self.counts[team][host] > self.board.teams[team].most[host]:
                return False
        over = self.board.bounded[host] & (self.load[host] > self.question.room[host])
        return not over.any() or not self._binds(host, over)

    def _binds(self, host: int, over: Bools) -> bool:
        """Whether a ceiling that is passed on a host counts: not for VMs that have all been there before."""
        if self.question.is_entered[host]:
            return True
        rows = [row for u in np.flatnonzero(self.at == host) for row in self.board.units[u]]
        comes = [row for row in rows if self.question.start[row] != host]
        return any(
            self.question.arrives(room)[comes].any() for room in np.flatnonzero(over).tolist()
        )
