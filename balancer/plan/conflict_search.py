"""Answer a question without a solver: by counting, by matching, and by a search that gives up early.

Most conflicts are plain (a VM that may go nowhere, a group larger than its hosts, rules that contradict
each other), and loading the solver takes longer than all of this. Answers None where it cannot tell.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from balancer.plan.codes import Bools, Ints
from balancer.plan.conflict_board import Board, bounded_rooms, could_be, joined_rows, set_up
from balancer.plan.conflict_member import ROOMS, Member
from balancer.plan.conflict_question import UNBOUNDED, Question

MOST_STEPS = 2000
"""Steps after which the search gives up, beside one for each unit. Plain conflicts take a few hundred."""

MOST_UNITS = 2000
"""With more units than this only counting and matching are tried."""


def placing(
    question: Question, active: Sequence[Member], *, most_steps: int = MOST_STEPS
) -> Ints | bool | None:
    """Return hosts by VM, (V,), that obey the active members; False where there are none, None if unknown."""
    each = question.allowed(active)
    if not each.any(axis=1).all():
        return False
    near = _beside_the_draft(question, active, each)
    if near is not None:
        return near
    board = set_up(question, active, each)
    if board is None or not could_be(board):
        return False
    return _Search(board).run(most_steps) if len(board.first) <= MOST_UNITS else None


def is_refuted(question: Question) -> bool:
    """Whether counting and matching alone show that no placement obeys all members."""
    each = question.allowed(question.members)
    if not each.any(axis=1).all():
        return True
    board = set_up(question, question.members, each)
    return board is None or not could_be(board)


def obeys(question: Question, active: Sequence[Member], at: Ints) -> bool:
    """Whether a placement (V,) obeys all active members."""
    is_allowed = question.allowed(active)[np.arange(len(at)), at].all()
    return bool(is_allowed) and _groups_and_rooms(question, active, at)


def _groups_and_rooms(question: Question, active: Sequence[Member], at: Ints) -> bool:
    chosen = set(active)
    for member, team in question.apart.items():
        if member in chosen and (team.counts(at) > np.array(team.most)).any():
            return False
    for member, team in question.together.items():
        if member in chosen and len(set(at[list(team.rows)].tolist())) > team.most[0]:
            return False
    return not (_overfilled(question, at) & bounded_rooms(question, active)).any()


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


def _beside_the_draft(question: Question, active: Sequence[Member], each: Bools) -> Ints | None:
    """Try to leave all where the draft has them but the stuck VMs, one host for them after the other."""
    at = question.draft.copy()
    is_allowed = each[np.arange(len(at)), at]
    if is_allowed.all() and _groups_and_rooms(question, active, at):
        return at
    joined = joined_rows(question, active)
    rows = sorted({row for m in question.movers.tolist() for row in joined.get(m, (m,))})
    hosts = np.logical_and.reduce(each[rows])
    rest = np.ones(len(at), dtype=bool)
    rest[rows] = False
    if not hosts.any() or not is_allowed[rest].all():
        return None
    held = question.fixed.copy()
    np.add.at(held, at[rest], question.size[rest])
    over = held + question.size[rows].sum(axis=0) > question.room
    enters = ~np.isin(np.arange(len(question.room)), question.start[rows])
    hosts &= ~(over & bounded_rooms(question, active)).any(axis=1) | ~enters
    for host in np.flatnonzero(hosts).tolist():
        at[rows] = host
        if _groups_and_rooms(question, active, at):
            return at
    return None


class _Search:
    """Depth first, the unit with the fewest hosts first, of these the largest; its place in the draft first.

    The units that are bound most come first, so that a contradiction among them is found whatever else
    there is.
    """

    def __init__(self, board: Board) -> None:
        self.board, self.question = board, board.question
        choices, size = board.allowed.sum(axis=1).tolist(), board.size[:, 0].tolist()
        self.order = sorted(range(len(board.first)), key=lambda u: (choices[u], -size[u], u))
        # Plain lists: a step costs a few numbers, and an array operation on four of them costs ten times more.
        self.size: list[list[int]] = board.size.tolist()
        self.load: list[list[int]] = self.question.fixed.tolist()
        self.room: list[list[int]] = np.where(board.bounded, self.question.room, UNBOUNDED).tolist()
        self.at = [-1] * len(board.first)
        self.counts = [[0] * len(team.most) for team in board.teams]
        self.teams_of: dict[int, list[int]] = {}
        for number, team in enumerate(board.teams):
            for unit in team.rows:
                self.teams_of.setdefault(unit, []).append(number)

    def run(self, most_steps: int) -> Ints | bool | None:
        """Return a placement by VM, False where there is none, None where the search gave up."""
        open_hosts = [self._hosts(0)]
        for _ in range(most_steps + len(self.order)):
            depth = len(open_hosts) - 1
            unit = self.order[depth]
            if self.at[unit] >= 0:
                self._put(unit, self.at[unit], -1)
            host = next(open_hosts[depth], None)
            if host is None:
                open_hosts.pop()
                if not open_hosts:
                    return False
                continue
            self._put(unit, host, +1)
            if not self._holds(unit, host):
                continue
            if depth + 1 < len(self.order):
                open_hosts.append(self._hosts(depth + 1))
            elif obeys(self.question, self.board.active, at := self._placement()):
                return at
        return None

    def _placement(self) -> Ints:
        result: Ints = np.array(self.at, dtype=np.int64)[self.board.unit_of]
        return result

    def _hosts(self, depth: int) -> Iterator[int]:
        unit = self.order[depth]
        home = int(self.question.draft[self.board.first[unit]])
        hosts = np.flatnonzero(self.board.allowed[unit]).tolist()
        if home in hosts:
            hosts.remove(home)
            hosts.insert(0, home)
        return iter(hosts)

    def _put(self, unit: int, host: int, sign: int) -> None:
        self.at[unit] = host if sign > 0 else -1
        self.load[host] = [
            held + sign * size for held, size in zip(self.load[host], self.size[unit], strict=True)
        ]
        for team in self.teams_of.get(unit, ()):
            self.counts[team][self.board.teams[team].domain[host]] += sign

    def _holds(self, unit: int, host: int) -> bool:
        """Whether what has been placed so far breaks nothing on a host."""
        for number in self.teams_of.get(unit, ()):
            team = self.board.teams[number]
            domain = team.domain[host]
            if self.counts[number][domain] > team.most[domain]:
                return False
        held = zip(self.load[host], self.room[host], strict=True)
        over = [room for room, (load, most) in enumerate(held) if load > most]
        return not over or not self._binds(host, over)

    def _binds(self, host: int, over: Sequence[int]) -> bool:
        """Whether a ceiling that is passed on a host counts: not for VMs that have all been there before."""
        if self.question.is_entered[host]:
            return True
        comes = (self._placement() == host) & (self.question.start != host)
        return any(self.question.arrives(room)[comes].any() for room in over)
