"""One replay: the production cycle in virtual time on a world that lives through a trace.

Reads and plans as the daemon does, each `interval_s`; migrations run on while time goes on. Nothing of it is
known to the cycle, which takes the world for a vCenter.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count

from balancer.adapters.simulated.migrations import Migration
from balancer.adapters.store.memory import MemoryStore
from balancer.assess.demand import demand_of
from balancer.cycle import CycleReport, run_cycle
from balancer.execute import Tools
from balancer.lab.contenders import Contender
from balancer.lab.outages import outages_of
from balancer.lab.presence import there_of
from balancer.lab.result import DownMark, MoveMark, Run
from balancer.lab.scene import Scene
from balancer.lab.score import score_of
from balancer.lab.world import ReplayedVCenter
from balancer.model.events import Event, MoveStarted
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.vm_modes import VmModes
from balancer.ports import Events
from balancer.site import Site

INTERVAL_S: Seconds = 300.0
Progress = Callable[[int, int], None]
"""Told how many slots are over, of how many."""

POLL_S: Seconds = 2.0
_KEPT = timedelta(days=2)
_DAY_S = 86_400.0


class Reasons:
    """Implements `ports.Events`: remembers why each migration was asked for, by its task."""

    def __init__(self) -> None:
        self.by_task: dict[str, str] = {}

    def tell(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, MoveStarted):
            self.by_task[event.task] = event.move.reason.word


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
    reasons = Reasons()
    if contender.search is not None:
        site = site_of(world, contender, reasons)
        for report in _cycles(world, site, contender, interval_s, progress):
            quiet[report.plan.status.value] += 1
    if outages_of(scene) or not there_of(scene).all():
        world.live_to_the_end()
    moves, downs, starts = _marks(world, reasons.by_task), _downs(world), tuple(world.starts)
    score, curves = score_of(scene, moves, downs, starts)
    return Run(
        contender=contender.name,
        start=scene.start,
        seed=seed,
        score=score,
        moves=moves,
        curves=curves,
        cycles=quiet.total(),
        wall_s=time.perf_counter() - begun,
        quiet=dict(quiet),
        downs=downs,
        starts=starts,
    )


def _cycles(
    world: ReplayedVCenter,
    site: Site,
    contender: Contender,
    interval_s: Seconds,
    progress: Progress,
) -> Iterator[CycleReport]:
    clock, trace = world.clock, world.scene.trace
    end_s, kept_s = trace.slots * trace.step_s, 0.0
    while clock.monotonic() < end_s:
        next_s = clock.monotonic() + interval_s
        site = replace(site, policy=contender.policy_at(clock.now()))
        yield run_cycle(site, cycle_id=f"{clock.monotonic():.0f}")
        _acknowledge(site)
        progress(int(clock.monotonic() // trace.step_s), trace.slots)
        if clock.monotonic() - kept_s > _DAY_S:
            kept_s = clock.monotonic()
            site.tools.store.forget(clock.now() - _KEPT)
        clock.sleep(max(next_s - clock.monotonic(), 0.0))


def _acknowledge(site: Site) -> None:
    """Acknowledge verdicts as soon as they are given, so that no contender is held back for the rest of a replay.

    On a real site three batches that made it worse leave the cluster to people until somebody has looked.
    """
    tools = site.tools
    tools.store.acknowledge_verdicts(
        tools.vcenter, site.cluster.id, by=tools.holder, at=tools.clock.now()
    )


def site_of(world: ReplayedVCenter, contender: Contender, events: Events) -> Site:
    """Return the cluster of a world as its contender works on it."""
    tools = Tools(
        vcenter="replay",
        cluster_name=world.cluster.name,
        holder="replay",
        inventory=world,
        migrator=world,
        store=MemoryStore(),
        clock=world.clock,
        events=events,
        may_submit=lambda: None,
        demand_of=demand_of,
        poll_s=POLL_S,
    )
    modes = VmModes()

    def in_force(snapshot: Snapshot) -> InForce:
        now = world.clock.now()
        policy = contender.policy_at(now)
        return mode_in_force(policy, Mode.AUTOMATIC, now, vm_modes=modes.of(snapshot, policy))

    return Site(
        cluster=world.ref,
        policy=contender.policy_at(world.clock.now()),
        in_force=in_force,
        settings=replace(contender.settings, identify=_numbered()),
        tools=tools,
        foresight=contender.foresight(),
    )


def _numbered() -> Callable[..., str]:
    """Return what numbers the plans of one replay: nobody keeps them, and digests take a tenth of a quiet cycle."""
    numbers = count(1)
    return lambda *facts: f"{next(numbers)}"


def _marks(world: ReplayedVCenter, reasons: Mapping[str, str]) -> tuple[MoveMark, ...]:
    """Return the migrations that have ended, in the order of their ends."""
    ended = [m for m in world.migrations if m.has_ended]
    return tuple(
        _mark(m, reasons.get(m.task, ""))
        for m in sorted(ended, key=lambda m: (m.ends_s or 0.0, m.number))
    )


def _downs(world: ReplayedVCenter) -> tuple[DownMark, ...]:
    return tuple(
        DownMark(
            vm=down.vm.name,
            source=down.source,
            since_s=down.since_s,
            target=down.target,
            until_s=down.until_s,
            was_started=down.was_started,
        )
        for down in world.downtimes
    )


def _mark(migration: Migration, reason: str) -> MoveMark:
    return MoveMark(
        vm=migration.vm.name,
        source=migration.source.id,
        target=migration.target.id,
        begun_s=migration.started_s or 0.0,
        ended_s=migration.ends_s or 0.0,
        memory_mib=migration.vm.footprint_mib,
        reason=reason,
        fault=migration.fault,
    )
