"""How good a schedule is: bounds that hold, and the solver's certificate against an exhaustive search."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from random import Random
from typing import Any

import pytest

from balancer.model.duration import SETUP_SECONDS, vmotion_seconds
from balancer.model.plan import Draft, IncidentKind, MoveReason, ProposedMove, Schedule
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Limits, Policy
from balancer.sequence import make_schedule
from balancer.sequence.arrangement import arrange
from balancer.sequence.bound import eager_bound, ideal_bound, least_for
from balancer.sequence.jobs import Running, Shop
from balancer.sequence.origin import Origin
from balancer.sequence.timing import list_schedule
from balancer.sequence.units import units_of
from balancer.solver import Failure, InProcess, Reply, Task
from tests.support.builders import host, snapshot, vm
from tests.support.solvers import Scripted
from tests.unit.sequence.support import go, need_of, scheduled

IDLE: dict[str, Any] = {"cpu_demand_mhz": 0.0, "memory_active_mib": 0.0}
ROOM_MIB = 96_000.0


def alone_s(memory_mib: float) -> float:
    return vmotion_seconds(host(1), host(2), memory_mib)


def to_the_tick(seconds: float) -> Any:
    return pytest.approx(seconds, abs=0.01)


def test_one_move_takes_as_long_as_its_copy_and_that_is_proven() -> None:
    snap = snapshot([host(1), host(2)], [vm(1, 1, **IDLE)])
    schedule = scheduled(snap, [go(snap, 1, 2)])
    assert schedule.makespan_bound_seconds == to_the_tick(alone_s(4096.0))
    assert (schedule.is_proven, schedule.makespan_ratio) == (True, 1.0)


def test_all_copies_of_a_host_have_to_go_through_its_link_however_many_run_at_once() -> None:
    snap = snapshot([host(n) for n in range(4)], [vm(n, 0, **IDLE) for n in (1, 2, 3)])
    schedule = scheduled(snap, [go(snap, n, n) for n in (1, 2, 3)])
    link_s = 3 * (alone_s(4096.0) - SETUP_SECONDS)
    assert schedule.makespan_ideal_seconds == to_the_tick(SETUP_SECONDS + link_s)
    assert schedule.is_proven


def test_copies_that_are_set_up_hold_their_share_of_the_link_already() -> None:
    snap = snapshot([host(n) for n in range(5)], [vm(n, 0, **IDLE) for n in (1, 2, 3, 4)])
    limits = Limits(migrations_per_host=2)
    schedule = scheduled(snap, [go(snap, n, n) for n in (1, 2, 3, 4)], limits)
    link_s = 4 * (alone_s(4096.0) - SETUP_SECONDS)
    assert schedule.makespan_ideal_seconds == to_the_tick(2 * SETUP_SECONDS + link_s)
    assert schedule.makespan_seconds == to_the_tick(schedule.makespan_ideal_seconds)


def test_a_host_with_one_slot_does_its_work_one_by_one() -> None:
    snap = snapshot([host(n) for n in range(4)], [vm(n, 0, **IDLE) for n in (1, 2, 3)])
    limits = Limits(migrations_per_host=1)
    schedule = scheduled(snap, [go(snap, n, n) for n in (1, 2, 3)], limits)
    assert schedule.makespan_ideal_seconds == to_the_tick(3 * alone_s(4096.0))
    assert schedule.is_proven


def test_an_arrival_without_room_cannot_begin_before_enough_has_left() -> None:
    sizes = {1: 90_000.0, 2: 60_000.0, 3: 60_000.0}
    vms = [vm(n, n, **IDLE, memory_mib=size) for n, size in sizes.items()]
    snap = snapshot([host(n) for n in (1, 2, 3, 4)], vms)
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 3), go(snap, 3, 4)])
    chain_s = 2 * alone_s(60_000.0) + alone_s(90_000.0)
    assert schedule.makespan_ideal_seconds == to_the_tick(chain_s)
    assert schedule.is_proven


def test_a_parked_vm_goes_there_before_it_goes_on() -> None:
    big = IDLE | {"memory_mib": 60_000.0}
    snap = snapshot([host(n) for n in (1, 2, 3)], [vm(n, n, **big) for n in (1, 2)])
    schedule = scheduled(snap, [go(snap, 1, 2), go(snap, 2, 1)])
    assert len(schedule.moves) == 3
    assert schedule.makespan_bound_seconds == to_the_tick(3 * alone_s(60_000.0))
    assert schedule.is_proven


@pytest.mark.parametrize(
    ("tasks", "slots", "running", "least"),
    [
        pytest.param([(0, 5, 0), (0, 3, 0)], 1, [], 8, id="the work over its slots"),
        pytest.param([(0, 4, 0), (0, 4, 0), (0, 4, 0)], 2, [], 8, id="two of three share a slot"),
        pytest.param([(0, 3, 0), (0, 3, 0)], 1, [2], 8, id="what runs already goes first"),
        pytest.param([(0, 3, 0), (0, 3, 0)], 2, [100], 6, id="but only on its own slot"),
        pytest.param([(9, 2, 0), (9, 2, 0)], 1, [], 13, id="nothing before the earliest start"),
        pytest.param([(0, 2, 7), (0, 2, 9)], 1, [], 11, id="and what must come after"),
    ],
)
def test_the_least_time_of_one_resource(
    tasks: list[tuple[int, int, int]], slots: int, running: list[int], least: int
) -> None:
    flights = [Running(ticks=ticks, claims=(0,)) for ticks in running]
    assert least_for(tasks, slots, flights) == least


@pytest.mark.parametrize("seed", range(4))
def test_no_order_that_starts_whatever_it_can_is_over_before_its_bound(seed: int) -> None:
    shop, _ = shop_of_one_link(seed)
    least = min(list_schedule(shop, order=order).makespan for order in permutations(range(6)))
    assert eager_bound(shop) <= least


def test_the_bound_of_such_orders_is_often_above_that_of_all_orders() -> None:
    found = [shop_of_one_link(seed) for seed in range(8)]
    assert sum(eager_bound(shop) > ideal for shop, ideal in found) >= 5


def test_nothing_is_said_of_such_orders_where_the_slots_of_the_cluster_bind() -> None:
    shop, _ = shop_of_one_link(0, Limits(migrations_per_host=3, migrations_per_cluster=5))
    assert eager_bound(shop) == 0


def shop_of_one_link(seed: int, limits: Limits | None = None) -> tuple[Shop, int]:
    """Return six copies of busy guests to one host or from it, and the bound that holds for all orders."""
    dice = Random(seed)
    facts = [(dice.uniform(4e3, 4e4), dice.uniform(0.0, 1200.0)) for _ in range(6)]
    ways = [(n, 0) if dice.random() < 0.7 else (0, n) for n in range(1, 7)]
    vms = [
        vm(n, at, **IDLE, memory_mib=size / 2, dirty_rate_mbps=rate)
        for n, ((size, rate), (at, _)) in enumerate(zip(facts, ways, strict=True))
    ]
    snap = snapshot([host(n) for n in range(7)], vms)
    slots = dice.choice((2, 3, 4))
    wide = Limits(migrations_per_host=slots, migrations_per_cluster=99, migrations_per_vcenter=99)
    origin = Origin(need_of(snap), Policy(limits=limits or wide))
    moves = [go(snap, n, to) for n, (_, to) in enumerate(ways)]
    plan = arrange(origin, [units_of(origin.ground, moves)])
    return plan.shop, ideal_bound(plan.shop, plan.needs)


@dataclass(frozen=True)
class Step:
    """A move of the exhaustive search: how long, how large, from where to where."""

    seconds: float
    size: float
    source: str
    target: str


class Search:
    """Every way to start moves at the instants at which something ends; keeps the shortest."""

    def __init__(self, steps: list[Step], free: dict[str, float], limits: Limits) -> None:
        self.steps, self.limits = steps, limits
        self.best = float("inf")
        self._go(0.0, free, frozenset(range(len(steps))), {})

    def _go(
        self, now: float, free: dict[str, float], left: frozenset[int], ends: dict[int, float]
    ) -> None:
        if max([now, *ends.values()]) >= self.best:
            return
        if not left:
            self.best = max([now, *ends.values()])
            return
        for group in self._groups(free, left, ends):
            room = dict(free)
            for number in group:
                room[self.steps[number].target] -= self.steps[number].size
            running = ends | {number: now + self.steps[number].seconds for number in group}
            if not running:
                continue
            then = min(running.values())
            over = {number for number, end in running.items() if end <= then + 1e-9}
            for number in over:
                room[self.steps[number].source] += self.steps[number].size
            rest = {number: end for number, end in running.items() if number not in over}
            self._go(then, room, left - set(group), rest)

    def _groups(
        self, free: dict[str, float], left: frozenset[int], ends: dict[int, float]
    ) -> Iterator[tuple[int, ...]]:
        for count in range(len(left), -1, -1):
            for group in combinations(sorted(left), count):
                if self._fits(free, [*ends, *group], group):
                    yield group

    def _fits(self, free: dict[str, float], running: list[int], group: tuple[int, ...]) -> bool:
        if len(running) > self.limits.migrations_per_cluster:
            return False
        ends = [h for n in running for h in (self.steps[n].source, self.steps[n].target)]
        if any(ends.count(one) > self.limits.migrations_per_host for one in set(ends)):
            return False
        need: dict[str, float] = {}
        for number in group:
            step = self.steps[number]
            need[step.target] = need.get(step.target, 0.0) + step.size
        return all(size <= free[one] + 1e-6 for one, size in need.items())


def puzzle(seed: int) -> tuple[Snapshot, list[ProposedMove], Limits]:
    """Return four rather full hosts and up to five moves that are legal in the order of the list."""
    random = Random(seed)
    free = dict.fromkeys(range(4), ROOM_MIB)
    vms = []
    for number in range(9):
        at, size = random.randrange(4), random.choice((16_000.0, 24_000.0, 40_000.0))
        if free[at] >= size:
            free[at] -= size
            vms.append(vm(number, at, **IDLE, memory_mib=size))
    moves: list[tuple[int, int]] = []
    for one in random.sample(vms, len(vms)):
        number, at = int(one.id.removeprefix("vm-")), int(one.host.removeprefix("host-"))
        takers = [n for n in free if n != at and free[n] >= one.memory_mib]
        if takers and len(moves) < 5:
            to = random.choice(takers)
            free[at], free[to] = free[at] + one.memory_mib, free[to] - one.memory_mib
            moves.append((number, to))
    snap = snapshot([host(n) for n in range(4)], vms)
    limits = Limits(migrations_per_host=random.choice((1, 2, 8)), migrations_per_cluster=3)
    return snap, [go(snap, n, to, MoveReason.RULE) for n, to in moves], limits


def shortest(snap: Snapshot, schedule: Schedule, limits: Limits) -> float:
    """Return the least makespan of the schedule's moves, each as long as it is predicted."""
    free = {one.id: ROOM_MIB for one in snap.hosts}
    for one in snap.vms:
        free[one.host] -= one.memory_mib
    steps = [Step(m.expected_seconds, m.memory_mib, m.source, m.target) for m in schedule.moves]
    return Search(steps, free, limits).best


def certified(snap: Snapshot, moves: list[ProposedMove], limits: Limits) -> Schedule:
    return make_schedule(
        need_of(snap), Policy(limits=limits), Draft(moves=tuple(moves)), certify=InProcess
    )


SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bound_and_the_certificate_agree_with_an_exhaustive_search(seed: int) -> None:
    snap, moves, limits = puzzle(seed)
    schedule = scheduled(snap, moves, limits)
    least = shortest(snap, schedule, limits)
    assert schedule.makespan_bound_seconds <= least + 0.01
    proof = certified(snap, moves, limits)
    assert proof.makespan_seconds <= schedule.makespan_seconds
    assert proof.makespan_bound_seconds <= shortest(snap, proof, limits) + 0.01
    if proof.makespan_seconds == schedule.makespan_seconds:
        assert proof.makespan_bound_seconds == pytest.approx(least, abs=0.01)
        assert proof.is_proven == (least >= schedule.makespan_seconds - 0.0005)


def test_the_exhaustive_search_meets_proofs_that_only_the_solver_gives() -> None:
    won = 0
    for seed in SEEDS:
        snap, moves, limits = puzzle(seed)
        quick, proof = scheduled(snap, moves, limits), certified(snap, moves, limits)
        won += proof.makespan_bound_seconds > quick.makespan_bound_seconds + 0.01
    assert won >= 5


def test_the_certificate_is_the_same_every_time() -> None:
    snap, moves, limits = puzzle(3)
    assert certified(snap, moves, limits) == certified(snap, moves, limits)


def puzzle_for_the_solver() -> tuple[Snapshot, list[ProposedMove], Limits]:
    """Return a puzzle whose proof takes the solver."""
    for seed in SEEDS:
        found = puzzle(seed)
        if not scheduled(*found).is_proven:
            return found
    raise AssertionError("no puzzle needs the solver")


def crashes(task: Task) -> Failure:
    return Failure(kind=IncidentKind.CRASHED, detail="gone")


def exaggerates(task: Task) -> Reply | Failure:
    """Solve, and claim that nothing could be better than ten times what was found."""
    (reply,) = InProcess().run_all([task])
    return reply if isinstance(reply, Failure) else replace(reply, bound=reply.bound * 10)


def test_a_solver_that_crashes_leaves_the_schedule_as_it_was_and_is_an_incident() -> None:
    snap, moves, limits = puzzle_for_the_solver()
    plain, draft = scheduled(snap, moves, limits), Draft(moves=tuple(moves))
    schedule = make_schedule(
        need_of(snap), Policy(limits=limits), draft, certify=lambda: Scripted(crashes)
    )
    assert replace(schedule, incidents=()) == plain
    assert [incident.stage for incident in schedule.incidents] == ["sequence"]


def test_no_more_is_believed_than_the_solvers_own_solution_comes_to() -> None:
    snap, moves, limits = puzzle_for_the_solver()
    schedule = make_schedule(
        need_of(snap),
        Policy(limits=limits),
        Draft(moves=tuple(moves)),
        certify=lambda: Scripted(exaggerates),
    )
    assert schedule.makespan_bound_seconds <= schedule.makespan_seconds
    assert schedule.makespan_bound_seconds <= certified(snap, moves, limits).makespan_seconds
