"""The order of a draft's moves: what is mandatory first, then the best gain for its price.

Replays the moves on a ledger of its own, so that gain and explanation of each are those of the moment at
which it happens. A move that does not fit yet waits for one that makes room, where there is one.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from balancer.model.plan import MoveReason
from balancer.plan.codes import Floats, Ints
from balancer.plan.crowding import crowded
from balancer.plan.desk import Desk, Note
from balancer.plan.encode import affinity
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LoadCost, load_cost
from balancer.plan.price import price
from balancer.plan.problem import FOOTPRINT, RESERVED
from balancer.plan.units import Units, make_units
from balancer.rules.exclusion import MANDATORY_GOALS

_RANK = {
    MoveReason.RULE: 0,
    MoveReason.EVACUATE: 1,
    MoveReason.REQUESTED: 1,
    MoveReason.MAKE_ROOM: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """VMs that move together from one placement to another. `price` is in units of the objective."""

    movers: tuple[int, ...]
    target: int
    reason: MoveReason
    price: float


def shifts_of(desk: Desk) -> list[Shift]:
    """Return what moved between the snapshot and the desk's placement; families that moved as one together."""
    problem, found = desk.problem, []
    seen: set[int] = set()
    for vm in desk.ledger.moved().tolist():
        if vm in seen:
            continue
        target = int(desk.ledger.at[vm])
        family = desk.family_of.get(vm, (vm,))
        movers = tuple(v for v in family if desk.ledger.at[v] == target != problem.at[v])
        seen.update(movers)
        rows = np.array(movers, dtype=np.int64)
        cost = price(problem, rows, problem.at[rows], np.full_like(rows, target))
        reasons = [desk.notes[v].reason for v in movers]
        reason = min(reasons, key=lambda r: (_RANK.get(r, 9), r))
        found.append(Shift(movers=movers, target=target, reason=reason, price=float(cost.sum())))
    return found


def in_order(desk: Desk) -> Iterator[tuple[int, int, Ledger]]:
    """Yield VM and target, best first, with the ledger as it is just before (valid until the next).

    A load move that makes the room which a mandatory one waits for comes before that one and is noted as
    such: to the sequencing it is as urgent.
    """
    shifts = shifts_of(desk)
    ledger = Ledger(desk.problem)
    mandatory = [shift for shift in shifts if shift.reason.is_mandatory]
    optional = [shift for shift in shifts if not shift.reason.is_mandatory]
    mandatory.sort(key=lambda s: (_RANK.get(s.reason, 9), s.price, s.movers))
    optional.sort(key=lambda s: (s.price, s.movers))
    yield from _mandatory_order(desk, ledger, mandatory, optional)
    emptying = [s for s in optional if s.reason is MoveReason.CONSOLIDATE]
    levelling = [s for s in optional if s.reason is not MoveReason.CONSOLIDATE]
    yield from _load_order(ledger, sorted(levelling, key=lambda s: s.movers))
    yield from _host_by_host(ledger, emptying)


def _mandatory_order(
    desk: Desk, ledger: Ledger, shifts: list[Shift], optional: list[Shift]
) -> Iterator[tuple[int, int, Ledger]]:
    """Yield the mandatory moves; takes those that make room for them out of `optional`."""
    ready, waiting = deque(shifts), dict[int, list[Shift]]()
    while ready:
        shift = ready.popleft()
        if not _fits(ledger, shift):
            waiting.setdefault(shift.target, []).append(shift)
            ready.extend([] if ready else _room_makers(desk, ledger, waiting, optional))
            continue
        freed = {int(ledger.at[vm]) for vm in shift.movers}
        yield from _carry_out(ledger, shift)
        for host in sorted(freed):
            ready.extendleft(reversed(waiting.pop(host, [])))
        ready.extend([] if ready else _room_makers(desk, ledger, waiting, optional))
    for host in sorted(waiting):
        for shift in waiting[host]:
            yield from _carry_out(ledger, shift)


def _room_makers(
    desk: Desk, ledger: Ledger, waiting: dict[int, list[Shift]], optional: list[Shift]
) -> list[Shift]:
    """Return the cheapest load move that leaves a host on which a mandatory one waits, if any."""
    for shift in optional:
        source = int(ledger.at[shift.movers[0]])
        if source in waiting and _fits(ledger, shift) and not _makes_no_room(desk, shift):
            optional.remove(shift)
            names = [desk.problem.vms[vm].name for vm in waiting[source][0].movers[:3]]
            note = Note(reason=MoveReason.MAKE_ROOM, cause=f"for {', '.join(names)}")
            desk.notes.update(dict.fromkeys(shift.movers, note))
            return [shift]
    return []


def _makes_no_room(desk: Desk, shift: Shift) -> bool:
    """Whether a mandatory goal leaves a VM alone: then it moves for its own reason alone."""
    with desk.working_for(*MANDATORY_GOALS):
        return desk.leaves_alone(shift.movers)


def _load_order(ledger: Ledger, shifts: list[Shift]) -> Iterator[tuple[int, int, Ledger]]:
    cost = load_cost(ledger)
    units = make_units(ledger, [shift.movers for shift in shifts])
    target = np.array([shift.target for shift in shifts], dtype=np.int64)
    price = np.array([shift.price for shift in shifts])
    is_left = np.ones(len(shifts), dtype=bool)
    gains = _gains(ledger, cost, units, target)
    while is_left.any():
        merit = np.where(is_left, gains / price, -np.inf)
        ranking = np.argsort(-merit, kind="stable")[: int(is_left.sum())].tolist()
        chosen = next((row for row in ranking if _fits(ledger, shifts[row])), ranking[0])
        is_left[chosen] = False
        yield from _carry_out(ledger, shifts[chosen])
        ends = (units.source[chosen], target[chosen])
        near = np.flatnonzero(is_left & (np.isin(units.source, ends) | np.isin(target, ends)))
        gains[near] = _gains(ledger, cost, units.of(near), target[near])


def _host_by_host(ledger: Ledger, shifts: list[Shift]) -> Iterator[tuple[int, int, Ledger]]:
    """Yield the moves that empty hosts, the host with the least to copy first: a prefix empties some wholly."""
    host_of = {shift.movers: int(ledger.at[shift.movers[0]]) for shift in shifts}
    size = dict.fromkeys(host_of.values(), 0.0)
    for shift in shifts:
        size[host_of[shift.movers]] += float(
            ledger.problem.size[list(shift.movers), FOOTPRINT].sum()
        )
    waiting = sorted(shifts, key=lambda s: (size[host_of[s.movers]], host_of[s.movers], s.movers))
    while waiting:
        chosen = next((shift for shift in waiting if _fits(ledger, shift)), waiting[0])
        waiting.remove(chosen)
        yield from _carry_out(ledger, chosen)


def _gains(ledger: Ledger, cost: LoadCost, units: Units, target: Ints) -> Floats:
    """Return by how much the load cost falls with each unit's move alone."""
    load, source = ledger.load, units.source
    now = cost.of(slice(None), load)
    then = cost.of(source, load[source] - units.size) + cost.of(target, load[target] + units.size)
    result: Floats = now[source] + now[target] - then
    return result


def _fits(ledger: Ledger, shift: Shift) -> bool:
    """Whether the laws that look at other VMs allow the move as things are."""
    problem, members = ledger.problem, [shift.movers]
    unit = make_units(ledger, members)
    size, is_mandatory = unit.size[0], shift.reason.is_mandatory
    ceiling = problem.ceilings(is_mandatory=is_mandatory)[shift.target]
    over = ledger.held_on(shift.target) + size > ceiling
    over[list(RESERVED)] &= size[list(RESERVED)] > 0
    if over.any() or crowded(ledger, members)[0, shift.target]:
        return False
    return not affinity.encode(ledger, unit, is_mandatory)[0, shift.target]


def _carry_out(ledger: Ledger, shift: Shift) -> Iterator[tuple[int, int, Ledger]]:
    for vm in shift.movers:
        yield vm, shift.target, ledger
        ledger.move([vm], shift.target)
