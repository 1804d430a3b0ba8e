"""From waves to the finished list of moves: what each waits for, when it starts, how good that is.

Tries several rules of the list schedule and keeps the one that is over first; the solver is asked only
where the caller wants a certificate. Changes neither waves nor what a move waits for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from balancer.model.plan import Move
from balancer.model.units import MoveId, Seconds
from balancer.rules.placement import Ground
from balancer.sequence.bound import makespan_bound
from balancer.sequence.dependencies import Entry, dependencies, entries_of
from balancer.sequence.jobs import TICKS_PER_SECOND, Shop, make_shop
from balancer.sequence.necessity import Necessity, necessity
from balancer.sequence.origin import Origin
from balancer.sequence.proof import prove
from balancer.sequence.timing import Press, list_schedule, makespan
from balancer.sequence.units import Unit

GOOD_ENOUGH = 1.01
"""Makespan over bound at which no further rule is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """The moves in order, when the last one is expected to have ended, and how soon it could be."""

    moves: tuple[Move, ...]
    makespan_seconds: Seconds
    bound_seconds: Seconds


def make_timetable(
    origin: Origin, waves: Sequence[Sequence[Unit]], *, certify: bool = False
) -> Timetable:
    """Return the moves of the waves with their times. `certify` asks the solver, see `proof`."""
    entries, after = entries_of(waves), dependencies(origin, waves)
    shop = make_shop(origin, entries, after)
    needs = necessity(origin, entries)
    bound = makespan_bound(shop, needs)
    starts = _best_starts(shop, bound)
    if certify and makespan(shop, starts) > bound:
        starts, bound = _certified(shop, needs, starts, bound)
    ticks = makespan(shop, starts)
    start_of = {
        entry.number: start / TICKS_PER_SECOND
        for job, start in zip(shop.jobs, starts, strict=True)
        for entry in job.entries
    }
    return Timetable(
        moves=_moves(origin.ground, entries, after, [start_of[e.number] for e in entries], shop),
        makespan_seconds=ticks / TICKS_PER_SECOND,
        bound_seconds=bound / TICKS_PER_SECOND,
    )


def _best_starts(shop: Shop, bound: int) -> tuple[int, ...]:
    """Return the starts by the rule that is over first; by the first of them where several are."""
    best: tuple[int, ...] | None = None
    for press in Press:
        starts = list_schedule(shop, press)
        if best is None or makespan(shop, starts) < makespan(shop, best):
            best = starts
        if makespan(shop, best) <= bound * GOOD_ENOUGH:
            break
    return best or ()


def _certified(
    shop: Shop, needs: Necessity, starts: tuple[int, ...], bound: int
) -> tuple[tuple[int, ...], int]:
    """Return the starts, or those in the order of the solver where these are over sooner, and the bound."""
    proof = prove(shop, needs, starts, bound)
    if proof.starts:
        other = list_schedule(shop, order=proof.starts)
        starts = min(starts, other, key=lambda found: makespan(shop, found))
    return starts, proof.bound


def _moves(
    ground: Ground,
    entries: Sequence[Entry],
    after: Sequence[Sequence[int]],
    starts: Sequence[Seconds],
    shop: Shop,
) -> tuple[Move, ...]:
    ordered = sorted(entries, key=lambda e: (e.wave, starts[e.number], e.number))
    place = {entry.number: place for place, entry in enumerate(ordered, start=1)}
    moves = []
    for entry in ordered:
        waits = sorted(place[number] for number in after[entry.number])
        move = _move(ground, entry, starts[entry.number], shop.seconds[entry.number])
        names = tuple(MoveId(f"m{number}") for number in waits)
        moves.append(replace(move, id=MoveId(f"m{place[entry.number]}"), after=names))
    return tuple(moves)


def _move(ground: Ground, entry: Entry, start_s: Seconds, expected_s: Seconds) -> Move:
    """Return the entry as a move of the plan, still without its id and without what it waits for."""
    step, vm = entry.step, ground.snapshot.vm_by_id[entry.step.vm]
    return Move(
        id=MoveId(""),
        vm=step.vm,
        vm_name=vm.name,
        source=step.source,
        target=step.target,
        reason=step.reason,
        why=step.why,
        priority=ground.policy.priorities[step.reason],
        wave=entry.wave,
        after=(),
        start_seconds=start_s,
        expected_seconds=expected_s,
        memory_mib=ground.demand[step.vm].footprint_mib,
        gain=step.gain,
    )
