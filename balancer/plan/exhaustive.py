"""Small clusters: look at every placement, where few large VMs leave the other searches stuck or too dear.

Builds placements unit by unit, largest first, and gives up those that can no longer come to the aim: a
host's load only grows while units are added, so that what is above a limit stays above it. Exact unless
more than `MOST_STATES` beginnings are alive at once; then the most promising go on. Arrays and no solver.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from balancer.model.plan import MoveReason
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.desk import Desk, Note
from balancer.plan.field import movable
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LEAST_GAIN, LoadCost, load_cost
from balancer.plan.problem import COLUMNS
from balancer.plan.units import make_units

MOST_HOSTS = 5
MOST_UNITS = 20
"""Measured on 60 drawn clusters each: with 3 hosts the descents miss a target of 2.5 points in 53 with 8 VMs,
in 19 with 12, 3 with 16 and none with 24; with 4 hosts in 52 with 12, 1 with 20 and none with 30."""

MOST_STATES = 5_000
"""Beginnings of placements at once; fewer where the horizon makes each of them larger."""


def look_at_all(desk: Desk, target: float, reason: MoveReason) -> None:
    """Go to the cheapest placement that is calm and has at most `target` imbalance, if there is one to find.

    Otherwise to the one whose cost and price are least together. No calm host gets contended, and no move
    of the round is touched that a rule or an evacuation called for. Only where few hosts serve few units.
    A target of infinity asks for calm hosts alone: then unevenness does not count.
    """
    board = _board(desk)
    if board is None:
        return
    found = _search(board, _calm_aim(desk, board, target))
    if found is None and not _is_met(desk, board.cost, target):
        found = _search(board, _next_aim(desk, board, is_even=target < np.inf))
    for row, host in enumerate([] if found is None else found.tolist()):
        desk.move(board.units[row], host, Note(reason=reason))
    desk.forget_the_unmoved()


def _is_met(desk: Desk, cost: LoadCost, target: float) -> bool:
    return cost.imbalance(desk.ledger) <= target and not cost.is_over(desk.ledger).any()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Board:
    """U units, largest first, and all hosts H; what takes no part is in `rest`."""

    cost: LoadCost
    units: tuple[tuple[int, ...], ...]
    size: Floats  # (U, columns)
    base: Ints  # (U,)
    reach: Bools  # (U, H)
    price: Floats  # (U, H)
    mates: tuple[
        tuple["_Mates", ...], ...
    ]  # by unit, for each of the rules that keep it apart from others
    rest: Floats  # (H, columns)
    gained: Bools  # (H,) where others than the units arrived in this round
    limits: Floats  # (H, columns)
    stress: Floats  # (H, 2) at the base of the round

    def paid(self, at: Ints) -> float:
        """Return the price of where the units stand."""
        host = at[[unit[0] for unit in self.units]]
        return float(self.price[np.arange(len(self.units)), host].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mates:
    """The units before one that a rule keeps apart from it, each once for each of its members."""

    units: tuple[int, ...]
    domain: Ints  # (H,) the number of each host's domain
    room: Ints  # (H,) how many of them may be there beside it

    def are_too_many(self, where: Ints, host: int, moved: Bools) -> Bools:
        """Return where too many are in the domain of a host, (S,), and one of them or the unit has moved.

        `where` is (S, units placed), `moved` is (S, units placed) and says who moved.
        """
        units = list(self.units)
        here = self.domain[where[:, units]] == self.domain[host]
        result: Bools = (here.sum(axis=1) > self.room[host]) & (here & moved[:, units]).any(axis=1)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aim:
    """What a placement may come to at most, and by what the best is told: contention and price, the least.

    `most` bounds cost and price together, `most_merit` that by which placements are compared; unevenness is
    a part of it where `is_even` says so.
    """

    is_even: bool
    level: float
    stress: Floats  # (H, 2)
    most: float
    most_merit: float


def _calm_aim(desk: Desk, board: _Board, target: float) -> _Aim:
    """Return the aim of the policy; worth its price as a whole, and cheaper than what meets it already."""
    cost = board.cost
    paid = board.paid(desk.ledger.at) if _is_met(desk, cost, target) else np.inf
    return _Aim(
        is_even=False,
        level=target**2,
        stress=np.broadcast_to(cost.limit, board.stress.shape),
        most=cost.total(Ledger(desk.problem, desk.base)) - LEAST_GAIN,
        most_merit=paid - LEAST_GAIN / 10,
    )


def _next_aim(desk: Desk, board: _Board, *, is_even: bool) -> _Aim:
    """Return the aim where that one is out of reach: better than now by its own measure, no calm host contended."""
    cost, ledger = board.cost, desk.ledger
    now = cost.total(ledger) if is_even else cost.contention(ledger)
    return _Aim(
        is_even=is_even,
        level=np.inf,
        stress=np.maximum(cost.limit, board.stress),
        most=cost.total(Ledger(desk.problem, desk.base)) - LEAST_GAIN,
        most_merit=now + board.paid(ledger.at) - LEAST_GAIN,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _States:
    """S beginnings: where the units placed so far are, and what that comes to."""

    where: Ints  # (S, units placed)
    load: Floats  # (S, H, columns)
    gained: Bools  # (S, H)
    above: Floats  # (S, H) balance cost of what is above the mean already
    paid: Floats  # (S,)

    def __len__(self) -> int:
        return len(self.paid)

    def of(self, rows: Bools | Ints) -> Self:
        """Return the chosen ones."""
        return type(self)(
            where=self.where[rows],
            load=self.load[rows],
            gained=self.gained[rows],
            above=self.above[rows],
            paid=self.paid[rows],
        )


def _board(desk: Desk) -> _Board | None:
    """Return the board of a small cluster, None for any other."""
    problem, ledger = desk.problem, desk.ledger
    if not 1 < int(ledger.serving.sum()) <= MOST_HOSTS:
        return None
    some = _units(desk)
    if not 1 <= len(some) <= MOST_UNITS:
        return None
    cost = load_cost(ledger)
    units, size = _largest_first(ledger, cost, some)
    part = {vm for unit in units for vm in unit}
    rest, gained = _rest(desk, part)
    limits = problem.load_limits - problem.transit
    start = Ledger(problem, desk.base).load
    return _Board(
        cost=cost,
        units=units,
        size=size,
        base=desk.base[[unit[0] for unit in units]],
        reach=np.array([_reach(desk, unit, part) for unit in units], dtype=bool),
        price=np.array([desk.price(unit) for unit in units]),
        mates=_mates(desk, units, part),
        rest=rest,
        gained=gained,
        limits=np.where(gained[:, None], np.maximum(limits, ledger.load), limits),
        stress=cost.stress_of(slice(None), start),
    )


def _units(desk: Desk) -> list[tuple[int, ...]]:
    """Return what may move: not under should-rules, and not moved by a duty in this round."""
    at, base = desk.ledger.at, desk.base
    bound = {vm for vm, note in desk.notes.items() if at[vm] != base[vm] and _is_duty(note)}
    return [
        unit
        for unit in movable(desk)
        if bound.isdisjoint(unit)
        and not desk.should.rules_of(unit)
        and len(set(base[list(unit)].tolist())) == 1
        and desk.ledger.serving[base[unit[0]]]
    ]


def _is_duty(note: Note) -> bool:
    return note.reason.is_mandatory or note.reason is MoveReason.SHOULD_RULE


def _largest_first(
    ledger: Ledger, cost: LoadCost, units: list[tuple[int, ...]]
) -> tuple[tuple[tuple[int, ...], ...], Floats]:
    made = make_units(ledger, units)
    whole = cost.capacity[cost.serving].sum(axis=0)
    order = np.argsort(-(made.size[:, :2] / whole).sum(axis=1), kind="stable")
    return tuple(units[row] for row in order.tolist()), made.size[order]


def _rest(desk: Desk, part: set[int]) -> tuple[Floats, Bools]:
    """Return the load of all VMs that take no part, (H, columns), and the hosts to which any of them came."""
    others = np.setdiff1d(np.arange(len(desk.problem.vms)), sorted(part))
    at = desk.ledger.at[others]
    rest = np.zeros_like(desk.ledger.load)
    np.add.at(rest, at, desk.problem.size[others])
    gained = np.zeros(len(rest), dtype=bool)
    gained[at[at != desk.base[others]]] = True
    return rest, gained


def _reach(desk: Desk, unit: tuple[int, ...], part: set[int]) -> Bools:
    """Return the serving hosts on which a unit may be as far as all that takes no part allows; its base always."""
    problem = desk.problem
    reach: Bools = np.all(desk.allowed(unit, is_mandatory=False), axis=0) & desk.ledger.serving
    for number in _groups(desk, unit):
        group = problem.apart[number]
        own = sum(vm in group.members for vm in unit)
        open_to = _room(desk, number, part) >= own
        if group.domain is not None:
            open_to[group.beside(int(desk.base[unit[0]]))] = True
        reach &= open_to
    reach[desk.base[unit[0]]] = True
    return reach


def _groups(desk: Desk, unit: tuple[int, ...]) -> list[int]:
    return sorted({number for vm in unit for number in desk.problem.apart_of.get(vm, ())})


def _room(desk: Desk, number: int, part: set[int]) -> Ints:
    """Return how many members of a group each host or its domain may take beside those that take no part, (H,)."""
    group, ledger = desk.problem.apart[number], desk.ledger
    inside = [vm for vm in group.members if vm in part]
    fixed = ledger.crowd[number] - group.spread(ledger.at[inside], len(ledger.load))
    result: Ints = group.rule.most - fixed
    return result


def _mates(
    desk: Desk, units: tuple[tuple[int, ...], ...], part: set[int]
) -> tuple[tuple[_Mates, ...], ...]:
    found: list[tuple[_Mates, ...]] = []
    before: dict[int, list[int]] = {}
    for row, unit in enumerate(units):
        mates = []
        for number in _groups(desk, unit):
            group = desk.problem.apart[number]
            own = sum(vm in group.members for vm in unit)
            if number in before:
                domain = group.numbers(len(desk.problem.hosts))
                room = _room(desk, number, part) - own
                mates.append(_Mates(units=tuple(before[number]), domain=domain, room=room))
            before.setdefault(number, []).extend([row] * own)
        found.append(tuple(mates))
    return tuple(found)


def _search(board: _Board, aim: _Aim) -> Ints | None:
    """Return the hosts of the units in the best placement that comes to the aim, or None."""
    states = _beginning(board)
    room = max(MOST_STATES * COLUMNS // board.size.shape[1], 1)
    for unit in range(len(board.units)):
        hosts = np.flatnonzero(board.reach[unit]).tolist()
        states = _joined([_put(board, aim, states, unit, host) for host in hosts])
        if len(states) > room:
            order = np.argsort(_promise(board, states), kind="stable")
            states = states.of(np.sort(order[:room]))
    if not len(states):
        return None
    return _best(board, aim, states)


def _beginning(board: _Board) -> _States:
    return _States(
        where=np.zeros((1, 0), dtype=np.int64),
        load=board.rest[None],
        gained=board.gained[None],
        above=_above(board, slice(None), board.rest)[None],
        paid=np.zeros(1),
    )


def _above(board: _Board, hosts: int | slice, load: Floats) -> Floats:
    """Return the least balance cost of hosts that will hold at least this load, (..., H) or (...)."""
    curve, middle = board.cost.bowl
    off = np.maximum(load[..., :2] - middle[hosts, :2], 0.0)
    result: Floats = (curve[hosts, :2] * off * off).sum(axis=-1)
    return result


def _put(board: _Board, aim: _Aim, states: _States, unit: int, host: int) -> _States:
    """Return the beginnings with a unit on a host, less those that cannot come to the aim any more."""
    moves = host != int(board.base[unit])
    row = states.load[:, host] + board.size[unit]
    gained = states.gained[:, host] | moves
    paid = states.paid + board.price[unit, host]
    above = states.above.sum(axis=1) - states.above[:, host] + _above(board, host, row)
    keep = ~(gained & (row > board.limits[host]).any(axis=1))
    keep &= (board.cost.stress_of(host, row) <= aim.stress[host]).all(axis=1)
    keep &= (above <= aim.level) & (above + paid <= aim.most)
    keep &= paid + above * aim.is_even <= aim.most_merit
    for mates in board.mates[unit]:
        moved = moves | (states.where != board.base[:unit])
        keep &= ~mates.are_too_many(states.where, host, moved)
    child = states.of(keep)
    child.load[:, host] = row[keep]
    child.gained[:, host] |= moves
    child.above[:, host] = _above(board, host, row[keep])
    here = np.full((len(child), 1), host, dtype=np.int64)
    return replace(child, where=np.concatenate((child.where, here), axis=1), paid=paid[keep])


def _joined(parts: list[_States]) -> _States:
    return _States(
        where=np.concatenate([part.where for part in parts]),
        load=np.concatenate([part.load for part in parts]),
        gained=np.concatenate([part.gained for part in parts]),
        above=np.concatenate([part.above for part in parts]),
        paid=np.concatenate([part.paid for part in parts]),
    )


def _promise(board: _Board, states: _States) -> Floats:
    """Return what a placement that begins so costs at least, (S,)."""
    contention = board.cost.contention_of(slice(None), states.load).sum(axis=1)
    result: Floats = states.paid + states.above.sum(axis=1) + contention
    return result


def _best(board: _Board, aim: _Aim, states: _States) -> Ints | None:
    """Return the hosts in the best of the finished placements, None where none comes to the aim."""
    cost, load = board.cost, states.load
    curve, middle = cost.bowl
    off = load[..., :2] - middle[:, :2]
    level = (curve[:, :2] * off * off).sum(axis=(1, 2))
    whole = cost.of(slice(None), load).sum(axis=1)
    stress = cost.stress_of(slice(None), load)
    merit = states.paid + (
        whole if aim.is_even else cost.contention_of(slice(None), load).sum(axis=1)
    )
    fits = (level <= aim.level) & (whole + states.paid <= aim.most) & (merit <= aim.most_merit)
    fits &= ((stress <= aim.stress) | ~cost.serving[:, None]).all(axis=(1, 2))
    if not fits.any():
        return None
    rows = np.flatnonzero(fits)
    best: Ints = states.where[rows[np.lexsort((whole[rows], merit[rows]))[0]]]
    return best
