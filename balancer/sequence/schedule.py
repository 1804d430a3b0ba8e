"""From a draft to a schedule: attempts, what is given up and why, and the finished list of moves.

The only place that decides to give something up. Every move that stays is legal in its wave, and no
prefix of waves is worse than the start, whatever was given up (while mandatory moves are still to come,
by the laws; from the last of them on, by the objective too).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.model.need import Need
from balancer.model.plan import Draft, MoveReason, Schedule
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import VmId
from balancer.policy.types import Policy
from balancer.sequence.dependencies import dependencies, entries_of
from balancer.sequence.dropping import refusals_of
from balancer.sequence.emptying import half_emptied
from balancer.sequence.origin import Origin
from balancer.sequence.prospect import Prospect
from balancer.sequence.timetable import make_timetable
from balancer.sequence.units import Unit, units_of
from balancer.sequence.waves import Manner, Stuck, WaveBuilder
from balancer.sequence.yard import Yard
from balancer.solver import Runner

MOST_ATTEMPTS = 6
"""Attempts with parking. One more without it ends the matter: then nobody is left on a parking host."""

MANNERS = (
    Manner(),
    Manner(largest_first=True),
    Manner(mandatory_alone=True),
    Manner(mandatory_alone=True, largest_first=True),
    Manner(mandatory_alone=True, cost_waits=True),
)
"""Tried in this order while something is given up that another order might reach; the best one wins."""

IDLE = Refusal.of(Reason.UNREACHABLE, "it only makes room for a move that cannot be reached")

_ORDER_MATTERS = frozenset(
    {
        Reason.MEMORY_CEILING,
        Reason.CPU_CEILING,
        Reason.VCPU_CEILING,
        Reason.MEMORY_RESERVATION,
        Reason.CPU_RESERVATION,
        Reason.HOST_VM_LIMIT,
        Reason.ANTI_AFFINITY,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Waves, and what could not be reached."""

    waves: list[tuple[Unit, ...]]
    given_up: Mapping[VmId, Stuck]
    manner: Manner

    @property
    def loss(self) -> tuple[int, int, int]:
        """Return mandatory moves given up, all moves given up, and moves to be made; less is better."""
        lost = [stuck.unit for stuck in self.given_up.values()]
        mandatory = sum(len(unit.steps) for unit in lost if unit.is_mandatory)
        made = sum(len(unit.steps) for wave in self.waves for unit in wave)
        return mandatory, sum(len(unit.steps) for unit in lost), made

    @property
    def is_for_want_of_order(self) -> bool:
        """Whether something was given up for want of room or of distance, which depend on the order."""
        return any(stuck.refusal.reason in _ORDER_MATTERS for stuck in self.given_up.values())


def make_schedule(
    need: Need, policy: Policy, draft: Draft, *, certify: Callable[[], Runner] | None = None
) -> Schedule:
    """Return the draft's moves in waves, with order, times and parking hops, and what was dropped.

    Pure and deterministic. Waves obey every law at every instant and the limits on simultaneous
    migrations (an affinity group larger than a limit has a wave of its own); after no wave is the
    cluster worse than at the start. Moves are listed wave by wave, within a wave by expected start; one
    of a later wave may be expected to start before one of an earlier wave that it does not wait for.
    With `certify`, which opens it, a solver tries to prove that the moves cannot be over sooner, or to
    make them so; where it fails, that is among the schedule's incidents.

    Raises:
        ValueError: the draft moves a VM twice, or one that does not run where the move begins.
    """
    if not draft.moves:
        return Schedule(moves=())
    origin = Origin(need, policy)
    units = units_of(origin.ground, draft.moves)
    best = _settle(origin, units, MANNERS[0])
    for manner in MANNERS[1:]:
        if _may_help(manner, best):
            best = _better(origin, best, _settle(origin, units, manner))
    if best.loss[0]:
        best = _without_idle_helpers(origin, units, best)
    best = _without_half_emptied(origin, units, best)
    timetable = make_timetable(origin, best.waves, certify=certify)
    return Schedule(
        moves=timetable.moves,
        dropped=refusals_of(need.snapshot, tuple(best.given_up.values())),
        makespan_seconds=timetable.makespan_seconds,
        makespan_bound_seconds=timetable.bound_seconds,
        makespan_ideal_seconds=timetable.ideal_seconds,
        incidents=timetable.incidents,
    )


def _may_help(manner: Manner, best: _Attempt) -> bool:
    if manner.cost_waits:
        return best.loss[0] > 0
    is_of_use = best.loss[0] > 0 or not manner.mandatory_alone
    return best.is_for_want_of_order and is_of_use


def _better(origin: Origin, best: _Attempt, other: _Attempt) -> _Attempt:
    """Return the attempt that gives less up.

    One in which cost waits counts only where it gives up nothing mandatory and ends no worse: otherwise
    the room that it makes would be a loss for nothing.
    """
    if other.manner.cost_waits and (other.loss[0] or _ends_worse(origin, other.waves)):
        return best
    return min(best, other, key=lambda attempt: attempt.loss)


def _ends_worse(origin: Origin, waves: Sequence[Sequence[Unit]]) -> bool:
    """Whether the cluster is worse than at the start after the last mandatory move, or later."""
    prospect = Prospect(origin)
    numbers = [n for n, wave in enumerate(waves) if any(unit.is_mandatory for unit in wave)]
    last_mandatory = max(numbers, default=0)
    for number, wave in enumerate(waves):
        for unit in wave:
            prospect.apply(unit)
        if number >= last_mandatory and prospect.is_worse():
            return True
    return False


def _settle(origin: Origin, units: Sequence[Unit], manner: Manner) -> _Attempt:
    """Repeat the attempt without the units that would be left on a parking host, until none is."""
    given_up: dict[VmId, Stuck] = {}
    for attempt in range(MOST_ATTEMPTS + 1):
        left = [unit for unit in units if unit.key not in given_up]
        how = replace(manner, may_park=attempt < MOST_ATTEMPTS)
        waves, stuck = WaveBuilder(Yard(origin, cost_waits=how.cost_waits), left, how).build()
        stranded = {found.unit.key: found for found in stuck if found.unit.is_parked}
        if not stranded:
            break
        given_up |= stranded
    given_up |= {found.unit.key: found for found in stuck}
    return _Attempt(waves=waves, given_up=given_up, manner=manner)


def _without_idle_helpers(origin: Origin, units: Sequence[Unit], best: _Attempt) -> _Attempt:
    """Give up moves that only make room for something that was given up; keep all else as it is."""
    idle = _idle_helpers(origin, best.waves)
    if not idle:
        return best
    rest = [unit for unit in units if unit.key not in idle]
    other = _settle(origin, rest, best.manner)
    if not other.given_up.keys() <= best.given_up.keys():
        return best
    given_up = {**other.given_up, **idle}
    leaner = replace(other, given_up=given_up)
    return _without_idle_helpers(origin, rest, leaner)


def _without_half_emptied(origin: Origin, units: Sequence[Unit], best: _Attempt) -> _Attempt:
    """Give up moves that were to empty a host and do not, until there is none."""
    removed: dict[VmId, Stuck] = {}
    while halves := half_emptied(origin, units, best.waves):
        removed |= halves
        units = [unit for unit in units if unit.key not in removed]
        again = _settle(origin, units, best.manner)
        best = replace(again, given_up={**again.given_up, **removed})
    return best


def _idle_helpers(origin: Origin, waves: Sequence[Sequence[Unit]]) -> dict[VmId, Stuck]:
    """Return the units that make room and that no other move waits for."""
    entries, after = entries_of(waves), dependencies(origin, waves)
    used = {entries[number].unit.key for numbers in after for number in numbers}
    idle = {}
    for entry in entries:
        is_helper = all(step.reason is MoveReason.MAKE_ROOM for step in entry.unit.steps)
        if is_helper and entry.unit.key not in used:
            idle[entry.unit.key] = Stuck(unit=entry.unit, refusal=IDLE)
    return idle
