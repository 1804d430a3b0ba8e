"""From waves to the finished list of moves: what each waits for, when it starts, how good that is.

Tries several manners of the list schedule and keeps the one that is over first; the solver is asked only
where the caller wants a certificate. Changes neither waves nor what a move waits for.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from balancer.model.plan import Incident, Move
from balancer.model.units import MoveId, Seconds
from balancer.rules.placement import Ground
from balancer.sequence.bound import ideal_bound, makespan_bound
from balancer.sequence.dependencies import Entry, dependencies, entries_of
from balancer.sequence.jobs import TICKS_PER_SECOND, Shop, make_shop
from balancer.sequence.necessity import Necessity, necessity
from balancer.sequence.origin import Origin
from balancer.sequence.proof import prove
from balancer.sequence.timing import (
    APART,
    CALM_APART,
    CALM_TOGETHER,
    TOGETHER,
    Timing,
    list_schedule,
)
from balancer.sequence.units import Unit
from balancer.solver import Runner, Solver

GOOD_ENOUGH = 1.02
"""Makespan over the ideal at which no other manner is tried."""

FEW = 250
"""Moves up to which all manners are tried: of so many, another one is seldom better by a hundredth."""

WITHIN_HOSTS = (APART, CALM_APART)
ALL_MANNERS = (*WITHIN_HOSTS, TOGETHER, CALM_TOGETHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """The moves in order, when the last one is expected to have ended, and how soon it could be.

    `incidents` are failures of the solver: what it was asked to prove is then left as it was.
    """

    moves: tuple[Move, ...]
    makespan_seconds: Seconds
    bound_seconds: Seconds
    ideal_seconds: Seconds
    incidents: tuple[Incident, ...] = ()


def make_timetable(
    origin: Origin,
    waves: Sequence[Sequence[Unit]],
    *,
    certify: Callable[[], Runner] | None = None,
) -> Timetable:
    """Return the moves of the waves with their times. `certify` opens the solver to ask, see `proof`."""
    if not waves:
        return Timetable(moves=(), makespan_seconds=0.0, bound_seconds=0.0, ideal_seconds=0.0)
    entries, after = entries_of(waves), dependencies(origin, waves)
    shop = make_shop(origin, entries, after)
    needs = necessity(origin, entries)
    ideal = ideal_bound(shop, needs)
    timing = _best_timing(shop, ideal)
    bound = max(ideal, makespan_bound(shop, needs, timing.lengths(shop)))
    incidents: tuple[Incident, ...] = ()
    if certify is not None and timing.makespan > bound:
        with closing(certify()) as runner:
            solver = Solver(runner)
            timing, bound = _certified(shop, needs, timing, solver, bound=bound)
            incidents, bound = solver.incidents, max(ideal, bound)
    return Timetable(
        moves=_moves(origin.ground, entries, after, _spans(shop, timing)),
        makespan_seconds=timing.makespan / TICKS_PER_SECOND,
        bound_seconds=bound / TICKS_PER_SECOND,
        ideal_seconds=ideal / TICKS_PER_SECOND,
        incidents=incidents,
    )


def _best_timing(shop: Shop, ideal: int) -> Timing:
    """Return the timing in the manner that is over first, the earlier manner of equals.

    None is tried after one that comes near the ideal. Where the cluster's slots are enough for all,
    manners differ in what goes first on one host only.
    """
    moves = sum(len(job.entries) for job in shop.jobs)
    best: Timing | None = None
    for manner in ALL_MANNERS if shop.capacity[-1] < moves <= FEW else WITHIN_HOSTS:
        timing = list_schedule(shop, manner)
        best = timing if best is None or timing.makespan < best.makespan else best
        if best.makespan <= ideal * GOOD_ENOUGH:
            break
    assert best is not None
    return best


def _certified(
    shop: Shop, needs: Necessity, timing: Timing, solver: Solver, *, bound: int
) -> tuple[Timing, int]:
    """Return the timing, or that in the order of the solver where it is over sooner, and the bound."""
    proof = prove(shop, needs, timing, solver, bound=bound)
    if not proof.starts:
        return timing, bound
    other = list_schedule(shop, order=proof.starts)
    if other.makespan >= timing.makespan:
        return timing, proof.bound
    return other, makespan_bound(shop, needs, other.lengths(shop))


def _spans(shop: Shop, timing: Timing) -> dict[int, tuple[Seconds, Seconds]]:
    """Return start and length of each entry, in seconds, by its number."""
    return {
        entry.number: (
            start / TICKS_PER_SECOND,
            (timing.ends[entry.number] - start) / TICKS_PER_SECOND,
        )
        for job, start in zip(shop.jobs, timing.starts, strict=True)
        for entry in job.entries
    }


def _moves(
    ground: Ground,
    entries: Sequence[Entry],
    after: Sequence[Sequence[int]],
    spans: Mapping[int, tuple[Seconds, Seconds]],
) -> tuple[Move, ...]:
    ordered = sorted(entries, key=lambda e: (e.wave, spans[e.number][0], e.number))
    place = {entry.number: place for place, entry in enumerate(ordered, start=1)}
    moves = []
    for entry in ordered:
        waits = sorted(place[number] for number in after[entry.number])
        move = _move(ground, entry, spans[entry.number])
        names = tuple(MoveId(f"m{number}") for number in waits)
        moves.append(replace(move, id=MoveId(f"m{place[entry.number]}"), after=names))
    return tuple(moves)


def _move(ground: Ground, entry: Entry, span: tuple[Seconds, Seconds]) -> Move:
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
        start_seconds=span[0],
        expected_seconds=span[1],
        memory_mib=ground.demand[step.vm].footprint_mib,
        gain=step.gain,
    )
