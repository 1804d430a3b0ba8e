"""A question under some of its members: what may be where, what counts as one, and what counting rules out.

Owns the checks that need no search: a VM without a host, a group without a host for each, hosts that are
too small for all that may be nowhere else. They only ever say "no" where there is no placement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from balancer.plan.codes import Bools, Ints
from balancer.plan.conflict_member import ROOMS, Kind, Member
from balancer.plan.conflict_question import Question, Team


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """U units: VMs that strict rules keep together count as one."""

    question: Question
    active: tuple[Member, ...]
    each: Bools  # (V, H) what bans leave to each VM
    unit_of: Ints  # (V,)
    first: Ints  # (U,) the first row of each unit
    joined: Mapping[int, tuple[int, ...]]  # all rows of units with more than one
    allowed: Bools  # (U, H) what bans and rooms leave to each unit
    size: Ints  # (U, R)
    teams: tuple[Team, ...]  # kept apart, rows are units
    bounded: Bools  # (H, R) where the ceiling is active

    @property
    def movers(self) -> list[int]:
        """Return the units of the stuck VMs."""
        return sorted(set(self.unit_of[self.question.movers].tolist()))


def joined_rows(question: Question, active: Sequence[Member]) -> dict[int, tuple[int, ...]]:
    """Return, for each row that a strict active rule keeps with others, all rows of its unit."""
    chosen, joined = set(active), dict[int, tuple[int, ...]]()
    for member, team in question.together.items():
        if member in chosen and team.is_whole:
            whole = tuple(sorted({row for r in team.rows for row in joined.get(r, (r,))}))
            joined.update((row, whole) for row in whole)
    return joined


def set_up(question: Question, active: Sequence[Member], each: Bools) -> Board | None:
    """Return the board; None where one unit has more VMs of a kept-apart group than may share a host."""
    chosen, joined = set(active), joined_rows(question, active)
    root = np.arange(len(question.vms))
    for row, whole in joined.items():
        root[row] = whole[0]
    first, unit_of = np.unique(root, return_inverse=True)
    teams: list[Team] = []
    for member, team in question.apart.items():
        if member in chosen:
            inside = tuple(unit_of[list(team.rows)].tolist())
            if max(map(inside.count, set(inside))) > max(team.most):
                return None
            teams.append(replace(team, rows=inside))
    size, allowed, bounded = question.size[first], each[first], bounded_rooms(question, active)
    units = {int(unit_of[whole[0]]): whole for whole in joined.values()}
    for unit, whole in units.items():
        size[unit] = question.size[list(whole)].sum(axis=0)
        allowed[unit] = each[list(whole)].all(axis=0)
    board = Board(
        question=question,
        active=tuple(active),
        each=each,
        unit_of=unit_of.reshape(-1),
        first=first,
        joined=units,
        allowed=allowed,
        size=size,
        teams=tuple(teams),
        bounded=bounded,
    )
    allowed &= _fits_alone(board)
    return board


def bounded_rooms(question: Question, active: Sequence[Member]) -> Bools:
    """Return the ceilings that are active, (H, R)."""
    bounded = np.zeros(question.room.shape, dtype=bool)
    for member in active:
        if member.kind is Kind.ROOM:
            bounded[member.at, member.what] = True
    return bounded


def _fits_alone(board: Board) -> Bools:
    """Return the hosts that could take each unit if no other unit of the question were there, (U, H)."""
    question = board.question
    result = np.ones(board.allowed.shape, dtype=bool)
    hosts = np.arange(len(question.room))
    for room in range(len(ROOMS)):
        if not board.bounded[:, room].any():
            continue
        over = question.fixed[:, room] + board.size[:, None, room] > question.room[:, room]
        arrives = question.arrives(room)
        enters = question.start[board.first][:, None] != hosts
        enters &= arrives[board.first][:, None]
        for unit, rows in board.joined.items():
            starts = {int(question.start[row]) for row in rows if arrives[row]}
            enters[unit] = [bool(starts - {host}) for host in hosts.tolist()]
        result &= ~(over & board.bounded[:, room] & (enters | question.is_entered))
    return result


def could_be(board: Board) -> bool:
    """Whether each unit has a host, each kept-apart group places for all, and no set of hosts overflows."""
    if not board.allowed.any(axis=1).all() or _overflows(board):
        return False
    return all(_matches(board.allowed[list(team.rows)], team) for team in board.teams)


def _overflows(board: Board) -> bool:
    """Whether units that may be nowhere but on some hosts are too large for these together.

    Tried for the hosts that each stuck unit may go to. A host that is above a ceiling from the start may
    keep what it has, so that counts as its room.
    """
    question = board.question
    here = np.zeros_like(question.room)
    stays = board.each[np.arange(len(question.start)), question.start]
    np.add.at(here, question.start[stays], question.size[stays])
    room = np.maximum(question.room - question.fixed, np.where(board.bounded, here, 0))
    for unit in board.movers:
        hosts = board.allowed[unit]
        inside = ~(board.allowed & ~hosts).any(axis=1)
        total, most = board.size[inside].sum(axis=0), room[hosts].sum(axis=0)
        if ((total > most) & board.bounded[hosts].all(axis=0)).any():
            return True
    return False


def _matches(allowed: Bools, team: Team) -> bool:
    """Whether every row can have a place in a domain that it may go to (augmenting paths)."""
    reach = np.zeros((len(allowed), len(team.most)), dtype=bool)
    rows, hosts = np.nonzero(allowed)
    reach[rows, np.array(team.domain)[hosts]] = True
    if len(reach) > np.array(team.most)[reach.any(axis=0)].sum():
        return False
    owners: list[list[int]] = [[] for _ in team.most]

    def seat(row: int, tried: set[int]) -> bool:
        for domain in np.flatnonzero(reach[row]).tolist():
            if domain in tried:
                continue
            tried.add(domain)
            if len(owners[domain]) < team.most[domain]:
                owners[domain].append(row)
                return True
            for place, owner in enumerate(owners[domain]):
                if seat(owner, tried):
                    owners[domain][place] = row
                    return True
        return False

    return all(seat(row, set()) for row in range(len(allowed)))
