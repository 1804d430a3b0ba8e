"""Make room for what must move and fits nowhere: by pushing others aside, else by small exact models.

What `plan.eject` finds no way for is put to models over a few hosts, grown while they fail. Takes the
biggest stuck VMs first, lets the fewest others move, and gives up after a fixed number of solves. Never
touches a VM that may not move.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from balancer.model.plan import MoveReason
from balancer.model.rule import RuleType
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.conflict_question import Facts
from balancer.plan.conflict_set import is_hopeless
from balancer.plan.desk import Desk, Note
from balancer.plan.eject import push_aside
from balancer.plan.eject_board import HELD_PRICE
from balancer.plan.ledger import Ledger
from balancer.plan.price import instant_price
from balancer.plan.problem import FOOTPRINT, RESERVED
from balancer.plan.tasks import Task, is_open
from balancer.plan.window import Window, hint, seats_of, sits
from balancer.rules.exclusion import GOALS_OF, MANDATORY_GOALS
from balancer.solver import Answer, Effort, Solver

SMALLEST_WINDOW = 6
LARGEST_WINDOW = 14
WINDOW_GROWTH = 2
"""Hosts per window. Measured: windows of 6 mend nearly all, and none was seen to fail at 12."""

UNITS_PER_HOST = 30
SIZE_RATIO = 1.2
"""Only units up to this times the size of the stuck one are asked to make room, but for the last try."""

MOST_SOLVES = 120
LIMIT_PER_SOLVE = 0.25
"""In the solver's deterministic time, about seconds. Measured with 96 hosts of 2,880 VMs, 95 % full: four
times as much took 12 s instead of 4 and found 70 moves instead of 77."""

GOOD_ENOUGH = 0.15
"""Relative gap at which a window's answer is taken: the proof of the last moves costs most of the time."""


@dataclass(slots=True, kw_only=True)
class _Purse:
    """What may still be spent, and whom to ask."""

    solver: Solver
    seed: int
    deadline: float
    solves: int = MOST_SOLVES

    def spend(self) -> bool:
        """Whether one more solve may be made."""
        self.solves -= 1
        return self.solves >= 0 and time.perf_counter() < self.deadline

    def effort(self) -> Effort:
        """Return what one solve may cost."""
        return Effort(
            stage="repair",
            seed=self.seed,
            limit=LIMIT_PER_SOLVE,
            deadline=self.deadline,
            gap=GOOD_ENOUGH,
        )


def repair(
    desk: Desk, stuck: Sequence[Task], solver: Solver, *, seed: int, deadline: float
) -> list[Task]:
    """Try to mend each stuck task; return those that are still open.

    What plainly contradicts itself is not tried: that would cost the loading of the solver for nothing.
    """
    purse = _Purse(solver=solver, seed=seed, deadline=deadline)
    facts = Facts(desk)
    hopeful = [task for task in stuck if not is_hopeless(facts, task)]
    if hopeful:
        with desk.working_for(*MANDATORY_GOALS):
            push_aside(desk, hopeful, deadline=deadline)
    for task in hopeful:
        if is_open(desk, task):
            _mend(desk, task, purse)
    return [task for task in stuck if is_open(desk, task)]


def _mend(desk: Desk, task: Task, purse: _Purse) -> None:
    with desk.working_for(*GOALS_OF[task.note.reason]):
        may_enter = _may_enter(desk, task)
    if not may_enter.any():
        return
    takers = _ranked(desk, task, may_enter)
    size = SMALLEST_WINDOW
    while purse.spend():
        is_last = size >= min(len(takers), LARGEST_WINDOW)
        hosts = tuple(sorted(takers[:size]))
        if _has_room(desk, task, hosts):
            most = np.inf if is_last else SIZE_RATIO
            with desk.working_for(*MANDATORY_GOALS):
                window = _window(desk, task, hosts, may_enter, most=most)
            if window.reach[0].any() and _solve(desk, task, window, purse):
                return
        if is_last:
            return
        size += WINDOW_GROWTH


def _has_room(desk: Desk, task: Task, hosts: Sequence[int]) -> bool:
    """Whether the gaps of the hosts are together as large as what comes from outside of them."""
    problem = desk.problem
    coming = [vm for vm in task.movers if desk.ledger.at[vm] not in hosts]
    gaps = problem.limits[list(hosts), FOOTPRINT] - desk.ledger.held[list(hosts), FOOTPRINT]
    return bool(np.maximum(gaps, 0.0).sum() >= problem.size[coming, FOOTPRINT].sum())


def _may_enter(desk: Desk, task: Task) -> Bools:
    """Return the hosts that could take all the movers if they were empty, (H,)."""
    problem, rows = desk.problem, list(task.movers)
    allowed = desk.allowed(task.movers, is_mandatory=True)
    at = desk.ledger.at[rows]
    if task.rule is RuleType.AFFINITY:
        allowed[np.arange(len(rows)), at] = ~problem.leaving[at]
    else:
        allowed[:, at] = False
    size = problem.size[rows].sum(axis=0)
    result: Bools = np.all(allowed, axis=0) & np.all(size <= problem.limits, axis=1)
    return result


def _ranked(desk: Desk, task: Task, may_enter: Bools) -> list[int]:
    """Return hosts in the order in which windows take them in: targets and emptiest hosts in turn."""
    problem = desk.problem
    spare = problem.limits[:, FOOTPRINT] - desk.ledger.held[:, FOOTPRINT]
    usable = [
        row
        for row, host in enumerate(problem.hosts)
        if (host.takes and not problem.leaving[row]) or may_enter[row]
    ]
    emptiest = sorted(usable, key=lambda row: (-spare[row], row))
    targets = [row for row in emptiest if may_enter[row]]
    ranked: list[int] = []
    for first, second in zip(targets + emptiest, emptiest + emptiest, strict=False):
        ranked.extend(row for row in dict.fromkeys((first, second)) if row not in ranked)
    return ranked


def _window(
    desk: Desk, task: Task, chosen: tuple[int, ...], may_enter: Bools, *, most: float
) -> Window:
    """Return the window; its first unit is what is stuck, none is larger than `most` times that."""
    units = [task.movers]
    reach = [may_enter[list(chosen)]]
    for members in _neighbours(desk, task, chosen, most):
        allowed = np.all(desk.allowed(members, is_mandatory=True), axis=0)[list(chosen)]
        if allowed.any():
            here = np.array([sits(desk, members, host) for host in chosen], dtype=bool)
            units.append(members)
            reach.append(allowed | here)
    return Window(hosts=chosen, units=tuple(units), reach=np.array(reach), is_mandatory=True)


def _neighbours(desk: Desk, task: Task, hosts: Sequence[int], most: float) -> list[tuple[int, ...]]:
    """Return the units on the hosts that may make room: small enough, or of a group of the stuck VMs."""
    problem = desk.problem
    largest = most * problem.size[list(task.movers), FOOTPRINT].sum()
    groups = {group for vm in task.movers for group in problem.apart_of.get(vm, ())}
    mates = {vm for group in groups for vm in problem.apart[group].members}
    found: list[tuple[int, ...]] = []
    for host in hosts:
        here = np.flatnonzero((desk.ledger.at == host) & ~desk.stays).tolist()
        units = {desk.together(vm) for vm in here if vm not in task.movers}
        whole = [u for u in units if len(u) > 1 or u[0] not in desk.family_of]
        size = {unit: float(problem.size[list(unit), FOOTPRINT].sum()) for unit in whole}
        close = [unit for unit in whole if mates & set(unit)]
        small = [u for u in whole if size[u] <= largest and u not in close]
        small.sort(key=lambda unit: (-size[unit], unit))
        found += sorted(close) + small[:UNITS_PER_HOST]
    return found


def _solve(desk: Desk, task: Task, window: Window, purse: _Purse) -> bool:
    """Solve one window and carry the solution out; False where there is none."""
    from balancer.solver.model import Model  # noqa: PLC0415

    model = Model()
    seats = seats_of(model, desk, window)
    hint(model, desk, window, seats)
    prices = [_prices(desk, unit) for unit in window.units]
    moves = [
        seat * int(prices[unit][window.hosts[place]])
        for (unit, place), seat in seats.items()
        if not sits(desk, window.units[unit], window.hosts[place])
    ]
    model.minimize(sum(moves))
    solved = purse.solver.solve(model, purse.effort())
    if solved.answer is not Answer.FOUND:
        return False
    at, notes = desk.ledger.at.copy(), dict(desk.notes)
    room = Note(reason=MoveReason.MAKE_ROOM, cause=_listed(desk, task))
    for (unit, place), seat in seats.items():
        if solved.holds(seat):
            note = task.note if unit == 0 else room
            desk.move(window.units[unit], window.hosts[place], note)
    if _is_unlawful(desk, at):
        desk.restore(at, notes)
        return False
    return True


def _is_unlawful(desk: Desk, before: Ints) -> bool:
    """Whether exact sums contradict the rounded ones, or a group kept together stands on more hosts."""
    problem, ledger = desk.problem, desk.ledger
    entered = np.unique(ledger.at[ledger.at != before])
    over = ledger.held[entered] > problem.limits[entered]
    reserved = list(RESERVED)
    over[:, reserved] &= (
        ledger.held[entered][:, reserved] > Ledger(problem, before).held[entered][:, reserved]
    )
    groups = [list(group.members) for group in problem.together]
    torn = any(len(set(ledger.at[g])) > len(set(before[g])) for g in groups)
    return bool(over.any()) or torn


def _prices(desk: Desk, unit: tuple[int, ...]) -> Floats:
    """Return the price of the unit on each host in hundredths of the price of an instant move, (H,)."""
    scale = 100 / max(instant_price(desk.problem), 1e-15)
    held = HELD_PRICE if desk.problem.held[list(unit)].any() else 1
    result: Floats = np.minimum(np.round(desk.price(unit) * scale * held), 1e9)
    return result


def _listed(desk: Desk, task: Task) -> str:
    return ", ".join(desk.problem.vms[vm].name for vm in task.movers[:3])
