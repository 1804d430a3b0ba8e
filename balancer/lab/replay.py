"""One replay: the production cycle in virtual time on a world that lives through a trace.

Reads and plans as the daemon does, each `interval_s`; migrations run on while time goes on. Nothing of it is
known to the cycle, which takes the world for a vCenter.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

from balancer.adapters.simulated.migrations import Migration
from balancer.adapters.store.memory import MemoryStore
from balancer.assess.demand import demand_of
from balancer.cycle import CycleReport, run_cycle
from balancer.execute import Tools
from balancer.lab.contenders import Contender
from balancer.lab.result import MoveMark, Run
from balancer.lab.scene import Scene
from balancer.lab.score import score_of
from balancer.lab.world import CLUSTER, ReplayedVCenter
from balancer.model.events import Event
from balancer.model.units import Seconds
from balancer.policy.in_force import mode_in_force
from balancer.policy.mode import Mode
from balancer.site import Site

INTERVAL_S: Seconds = 300.0
Progress = Callable[[int, int], None]
"""Told how many slots are over, of how many."""

POLL_S: Seconds = 2.0
_KEPT = timedelta(days=2)
_DAY_S = 86_400.0


class _Deaf:
    """Implements `ports.Events`: nobody listens."""

    def tell(self, event: Event) -> None:
        """Do nothing."""


def replay(
    scene: Scene,
    contender: Contender,
    *,
    seed: int = 0,
    interval_s: Seconds = INTERVAL_S,
    progress: Progress = lambda over, of: None,
) -> Run:
    """Run a contender through a scene; the same seed gives the same run, except for `wall_s`.

    Raises:
        BalancerError: a cycle failed, which in a replay is a fault of the program.
    """
    begun = time.perf_counter()
    world = ReplayedVCenter(scene, seed)
    quiet: Counter[str] = Counter()
    cycles = 0
    if contender.search is not None:
        for report in _cycles(world, contender, interval_s, progress):
            cycles += 1
            quiet[report.plan.status.value] += 1
    moves = _marks(world)
    score, curves = score_of(scene, moves)
    return Run(
        contender=contender.name,
        start=scene.start,
        seed=seed,
        score=score,
        moves=moves,
        curves=curves,
        cycles=cycles,
        wall_s=time.perf_counter() - begun,
        quiet=dict(quiet),
    )


def _cycles(
    world: ReplayedVCenter, contender: Contender, interval_s: Seconds, progress: Progress
) -> Iterator[CycleReport]:
    clock, trace = world.clock, world.scene.trace
    store = MemoryStore()
    site = site_of(world, contender, store)
    end_s, number = trace.slots * trace.step_s, 0
    kept_s = 0.0
    while clock.monotonic() < end_s:
        next_s = clock.monotonic() + interval_s
        report = run_cycle(site, cycle_id=f"{number}")
        yield report
        number += 1
        progress(int(clock.monotonic() // trace.step_s), trace.slots)
        if clock.monotonic() - kept_s > _DAY_S:
            kept_s = clock.monotonic()
            store.forget(clock.now() - _KEPT)
        clock.sleep(max(next_s - clock.monotonic(), 0.0))


def site_of(world: ReplayedVCenter, contender: Contender, store: MemoryStore) -> Site:
    """Return the cluster of a world as its contender works on it."""
    tools = Tools(
        vcenter="replay",
        cluster_name=CLUSTER.name,
        holder="replay",
        inventory=world,
        migrator=world,
        store=store,
        clock=world.clock,
        events=_Deaf(),
        may_submit=lambda: None,
        demand_of=demand_of,
        poll_s=POLL_S,
    )
    policy = contender.policy
    return Site(
        cluster=world.ref,
        policy=policy,
        in_force=lambda _: mode_in_force(policy, Mode.AUTOMATIC, world.clock.now()),
        settings=contender.settings,
        tools=tools,
        foresight=contender.foresight(),
    )


def _marks(world: ReplayedVCenter) -> tuple[MoveMark, ...]:
    """Return the migrations that have ended, in the order of their ends."""
    ended = [m for m in world.migrations if m.has_ended]
    return tuple(_mark(m) for m in sorted(ended, key=lambda m: (m.ends_s or 0.0, m.number)))


def _mark(migration: Migration) -> MoveMark:
    return MoveMark(
        vm=migration.vm.name,
        source=migration.source.id,
        target=migration.target.id,
        begun_s=migration.started_s or 0.0,
        ended_s=migration.ends_s or 0.0,
        memory_mib=migration.vm.footprint_mib,
        reason="",
        fault=migration.fault,
    )
