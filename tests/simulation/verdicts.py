"""Verdicts in a closed loop: load that turns against every batch, and load that is only lively.

The real cycle over a scripted vCenter in virtual time. Prints the figures of docs/understand/verdicts.md:

    python -m tests.simulation.verdicts adverse|honest [SEEDS]
"""

import logging
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from balancer.adapters.simulated.demand import DayShape, DemandModel
from balancer.adapters.store.memory import MemoryStore
from balancer.cycle import run_cycle
from balancer.execute.batches import batches_of
from balancer.execute.verdict import why_observed
from balancer.model.past import Past, VerdictResult
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Mhz, Seconds, VmId
from balancer.plan import PlanSettings
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.site import Site
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.fakes import FakeClock, ScriptedVCenter
from tests.support.tools import tools_over

DAY_S: Seconds = 86_400.0
QUICK = PlanSettings(refine_rounds=0, polish_windows=0)
Load = Callable[["World"], Mapping[VmId, Mhz]]
"""Answers what each VM wants at this moment."""


def cluster(seed: int, hosts: int = 4, per_host: int = 8) -> Snapshot:
    """Return hosts at about half their CPU, with VMs of different sizes dealt out by chance."""
    chance = Random(f"cluster/{seed}")
    machines = [
        vm(
            number,
            on=1 + chance.randrange(hosts),
            uuid=f"uuid-{number}",
            vcpus=4,
            cpu_demand_mhz=chance.choice((400.0, 800.0, 1600.0, 2400.0)),
        )
        for number in range(1, hosts * per_host + 1)
    ]
    return snapshot([host(number) for number in range(1, hosts + 1)], machines)


@dataclass
class World:
    """One cluster, a load, and the cycles over them."""

    seed: int
    load: Load
    interval_s: Seconds = 300.0
    policy: Policy = field(default_factory=Policy)
    start: Snapshot = field(init=False)

    def __post_init__(self) -> None:
        self.start = cluster(self.seed)
        self.clock, self.store = FakeClock(), MemoryStore()
        self.vcenter = ScriptedVCenter(self.start, self.clock)
        self.cycles = 0
        self.tools = tools_over(self.vcenter, self.store)

    @property
    def past(self) -> Past:
        """Return what the store remembers."""
        return self.store.past("vc1", self.start.cluster.id, NOON - timedelta(days=1))

    @property
    def batches(self) -> int:
        """Return how many batches were sent."""
        return len(batches_of(self.past.rows))

    def is_observed(self) -> bool:
        """Whether the cluster is only observed by now."""
        return why_observed(self.past, self.policy.limits) is not None

    def cycle(self) -> None:
        """Let the load change, run a cycle, and wait for the next one."""
        self.cycles += 1
        begun_s = self.clock.monotonic()
        wanted = self.load(self)
        truth = self.vcenter.truth
        vms = tuple(replace(v, cpu_demand_mhz=round(wanted[v.id], 1)) for v in truth.vms)
        self.vcenter.truth = replace(truth, vms=vms)
        site = Site(
            cluster=self.vcenter.clusters()[0],
            policy=self.policy,
            in_force=lambda _: InForce(mode=Mode.AUTOMATIC),
            settings=QUICK,
            tools=self.tools,
        )
        run_cycle(site, cycle_id=f"c-{self.cycles}")
        self.clock.sleep(max(begun_s + self.interval_s - self.clock.monotonic(), 1.0))


def lively(seed: int, shape: DayShape | None = None) -> Load:
    """Return the load of the simulated vCenter: a day's curve, noise of five minutes, bursts."""
    model = DemandModel(seed, NOON, shape or DayShape())

    def wanted(world: World) -> Mapping[VmId, Mhz]:
        now_s = world.clock.monotonic()
        return {v.id: model.at(v, now_s)[0] for v in world.start.vms}

    return wanted


def adverse(seed: int) -> Load:
    """Return a load that turns against us: what we relieve goes idle, and where we move VMs it flares up.

    Each VM starts with what it wants and changes only after a batch: those of the hosts that were relieved
    want a fifth, those on the hosts that took VMs want up to four times as much.
    """
    chance = Random(f"adverse/{seed}")
    wants: dict[VmId, Mhz] = {}
    seen = 0

    def wanted(world: World) -> Mapping[VmId, Mhz]:
        nonlocal seen
        for one in world.start.vms:
            wants.setdefault(one.id, one.cpu_demand_mhz or 0.0)
        rows = world.past.rows
        if len(rows) > seen:
            gave = {row.entry.source for row in rows[seen:]}
            took = {row.entry.target for row in rows[seen:]} - gave
            _turn(world, wants, gave, took, chance)
            seen = len(rows)
        return wants

    return wanted


def _turn(
    world: World,
    wants: dict[VmId, Mhz],
    gave: set[HostId],
    took: set[HostId],
    chance: Random,
) -> None:
    for one in world.vcenter.truth.vms:
        if one.host in took:
            wants[one.id] = min(wants[one.id] * chance.uniform(2.5, 4.0), 5000.0)
        elif one.host in gave:
            wants[one.id] = max(wants[one.id] * chance.uniform(0.1, 0.2), 50.0)


def useless(seed: int) -> Load:
    """Return a load whose VMs go idle as soon as they have been moved, and others take up what they did."""
    wants: dict[VmId, Mhz] = {}
    seen = 0
    chance = Random(f"useless/{seed}")

    def wanted(world: World) -> Mapping[VmId, Mhz]:
        nonlocal seen
        for one in world.start.vms:
            wants.setdefault(one.id, one.cpu_demand_mhz or 0.0)
        for row in world.past.rows[seen:]:
            left = [v.id for v in world.vcenter.truth.vms if v.host == row.entry.source]
            if left:
                wants[chance.choice(left)] += wants[row.entry.vm]
            wants[row.entry.vm] = 1.0
        seen = len(world.past.rows)
        return wants

    return wanted


def batches_until_stopped(
    load: Callable[[int], Load], seed: int, interval_s: Seconds
) -> int | None:
    """Return how many batches were sent before the cluster was only observed; None where it never was."""
    world = World(seed=seed, load=load(seed), interval_s=interval_s)
    while world.clock.monotonic() < DAY_S:
        world.cycle()
        if world.is_observed():
            return world.batches
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What became of an honest load."""

    batches: int
    results: Counter[VerdictResult]
    is_observed: bool


def honest_days(
    seed: int, days: float, *, interval_s: Seconds = 300.0, shape: DayShape | None = None
) -> Week:
    """Return the verdicts of so many days of a lively load, and whether they ever stopped the cluster."""
    world = World(seed=seed, load=lively(seed, shape), interval_s=interval_s)
    was_observed = False
    while world.clock.monotonic() < days * DAY_S and not was_observed:
        world.cycle()
        was_observed = world.is_observed()
    results = Counter(verdict.result for verdict in world.past.verdicts)
    return Week(batches=world.batches, results=results, is_observed=was_observed)


def tell_adverse(seeds: int) -> None:
    """Print after how many batches loads that turn against us are stopped."""
    for name, load in (("adverse", adverse), ("useless", useless)):
        for interval_s in (60.0, 300.0, 900.0):
            counts = [batches_until_stopped(load, seed, interval_s) for seed in range(seeds)]
            stopped = Counter(count for count in counts if count is not None)
            _print(
                f"{name} load, a cycle each {interval_s:.0f} s: stopped {stopped.total()} of {seeds}"
            )
            _print(f"  batches until then: {dict(sorted(stopped.items()))}")


def tell_honest(seeds: int) -> None:
    """Print what a week of lively load comes to, and how often it stops the cluster."""
    for name, shape in (("usual", DayShape()), ("wild", DayShape(noise=0.3, burst=0.05))):
        weeks = [honest_days(seed, 7.0, shape=shape) for seed in range(seeds)]
        results = sum((week.results for week in weeks), Counter[VerdictResult]())
        _print(f"{name} load, {seeds} weeks: {sum(week.batches for week in weeks)} batches")
        _print(f"  {', '.join(f'{results[key]} {key}' for key in VerdictResult)}")
        _print(f"  stopped: {sum(week.is_observed for week in weeks)}")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    {"adverse": tell_adverse, "honest": tell_honest}[sys.argv[1]](wanted)
