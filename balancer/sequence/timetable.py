"""From waves to the finished list of moves: what each waits for, when it starts, how good that is.

Tries several manners of the list schedule and keeps the one that is over first; the solver is asked only
where the caller wants a certificate. Then other orders are tried as well, in other waves if need be.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from balancer.model.plan import Incident, Move
from balancer.model.units import MoveId, Seconds
from balancer.rules.placement import Ground
from balancer.sequence.arrangement import Arrangement, arrange, rearranged
from balancer.sequence.bound import eager_bound, ideal_bound, makespan_bound
from balancer.sequence.dependencies import Entry
from balancer.sequence.jobs import TICKS_PER_SECOND, Shop
from balancer.sequence.orders import in_better_order
from balancer.sequence.origin import Origin
from balancer.sequence.proof import MOST_JOBS, prove
from balancer.sequence.timing import (
    APART,
    CALM_APART,
    CALM_TOGETHER,
    TOGETHER,
    Manner,
    Timing,
    list_schedule,
)
from balancer.sequence.units import Unit
from balancer.solver import Runner, Solver

GOOD_ENOUGH = 1.02
"""Makespan over the ideal at which no other manner is tried."""

FEW = 250
"""Moves up to which all manners are tried: of so many, another one is seldom better by a hundredth."""

MOST_PROOFS = 2
"""How often the solver is asked: its order is another schedule, to be proven anew. Where no move has
to wait for another, an order that is no better is the last."""

MANY = 1_000
"""Moves above which one manner has to do where the cluster's slots bind: each takes a second or two there."""

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
    plan = arrange(origin, waves)
    ideal = ideal_bound(plan.shop, plan.needs)
    timed = _Timed(plan=plan, timing=_best_timing(plan.shop, ideal))
    if certify is not None:
        timed = replace(timed, timing=in_better_order(plan.shop, timed.timing, ideal))
    bound = max(ideal, timed.bound())
    incidents: tuple[Incident, ...] = ()
    if certify is not None and timed.makespan > bound and len(plan.shop.jobs) <= MOST_JOBS:
        with closing(certify()) as runner:
            solver = Solver(runner)
            timed, bound = _certified(origin, timed, solver, ideal)
            incidents = solver.incidents
    return Timetable(
        moves=_moves(origin.ground, timed.plan, _spans(timed.plan.shop, timed.timing)),
        makespan_seconds=timed.makespan / TICKS_PER_SECOND,
        bound_seconds=bound / TICKS_PER_SECOND,
        ideal_seconds=ideal / TICKS_PER_SECOND,
        incidents=incidents,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    """An arrangement and its times."""

    plan: Arrangement
    timing: Timing

    @property
    def makespan(self) -> int:
        return self.timing.makespan

    def bound(self) -> int:
        """Return what no order takes less than, if each entry takes as long as it does here.

        Nor does one that starts whatever it can, however long each entry takes then.
        """
        shop = self.plan.shop
        lengths = self.timing.lengths(shop)
        return max(makespan_bound(shop, self.plan.needs, lengths), eager_bound(shop))


def _best_timing(shop: Shop, ideal: int) -> Timing:
    """Return the timing in the manner that is over first, the earlier manner of equals.

    None is tried after one that comes near the ideal. Where the cluster's slots are enough for all,
    manners differ in what goes first on one host only.
    """
    best: Timing | None = None
    for manner in _manners(shop):
        timing = list_schedule(shop, manner)
        best = timing if best is None or timing.makespan < best.makespan else best
        if best.makespan <= ideal * GOOD_ENOUGH:
            break
    assert best is not None
    return best


def _manners(shop: Shop) -> tuple[Manner, ...]:
    moves = sum(len(job.entries) for job in shop.jobs)
    if moves <= shop.capacity[-1]:
        return WITHIN_HOSTS
    if moves > MANY:
        return WITHIN_HOSTS[:1]
    return ALL_MANNERS if moves <= FEW else WITHIN_HOSTS


def _certified(origin: Origin, timed: _Timed, solver: Solver, ideal: int) -> tuple[_Timed, int]:
    """Return what was given or something that is over sooner, and the bound that was proven of it."""
    best, bound = timed, max(ideal, timed.bound())
    for seed in range(MOST_PROOFS):
        shop, needs = best.plan.shop, best.plan.needs
        proof = prove(shop, needs, best.timing, solver, bound=bound, seed=seed)
        bound = proof.bound
        if best.makespan <= bound or not proof.starts:
            break
        other = min(_in_order(origin, best.plan, proof.starts), key=lambda o: o.makespan)
        if other.makespan < best.makespan:
            best, bound = other, max(ideal, other.bound())
        elif not needs.has_chains:
            break
    return best, bound


def _in_order(origin: Origin, plan: Arrangement, starts: Sequence[int]) -> Iterator[_Timed]:
    """Yield what becomes of the order of a relaxed solution: in the waves as they are, and in new ones."""
    yield _Timed(plan=plan, timing=list_schedule(plan.shop, order=starts))
    anew = rearranged(origin, plan, starts) if plan.needs.has_chains else None
    if anew is not None:
        yield _Timed(plan=anew, timing=list_schedule(anew.shop))


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
    ground: Ground, plan: Arrangement, spans: Mapping[int, tuple[Seconds, Seconds]]
) -> tuple[Move, ...]:
    ordered = sorted(plan.entries, key=lambda e: (e.wave, spans[e.number][0], e.number))
    place = {entry.number: place for place, entry in enumerate(ordered, start=1)}
    moves = []
    for entry in ordered:
        waits = sorted(place[number] for number in plan.after[entry.number])
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
        pace=ground.paces.of(step.source, step.target),
        vm_uuid=vm.uuid or "",
    )
