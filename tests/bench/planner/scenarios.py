"""The scenarios of the planner benchmark: a name, a size and a seed give a snapshot, the same one every time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from balancer.model.snapshot import Snapshot
from tests.bench.planner.clusters import host_ids, to_snapshot, vm_ids
from tests.bench.planner.population import Mix, Population, load_of, populate
from tests.bench.planner.rulebook import Rulebook

HOT_SPREAD = 0.10
"""Combined spread of the scenario with hot hosts."""

HOT_HOSTS_SHARE = 1 / 12
LARGEST_HEATED = 0.2
"""No VM is heated beyond this share of a host's CPU: a hot host must be one that moves can cool."""

MAINTENANCE_HOSTS = 3


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Size:
    """Hosts and VMs."""

    hosts: int
    vms: int

    @classmethod
    def of(cls, text: str) -> "Size":
        """Read "96x10000"."""
        hosts, vms = text.split("x")
        return cls(hosts=int(hosts), vms=int(vms))

    def __str__(self) -> str:
        return f"{self.hosts}x{self.vms}"


SIZES = tuple(Size.of(text) for text in ("8x120", "16x400", "32x1000", "64x4000", "96x10000"))

HOMOG = Mix()
HETERO = Mix(spread=(0.11, 0.07), host_kinds=((1.0, 1.0), (1.6, 2.0), (2.5, 3.0)))
TIGHT = Mix(used=(0.60, 0.88), spread=(0.081, 0.032))
MONSTER = Mix(monsters=(1 / 3, 0.55))
# Two whales do not fit on one host, and most are larger than the mean load: nothing comes below some 1.9 points.
SKEW = Mix(least_drift=0.5, whales=(1 / 3, 0.62))


def make(scenario: str, size: Size, seed: int) -> Snapshot:
    """Return the snapshot of a scenario.

    Must-rules hold at the start and no host's memory is above its ceiling; what must be evacuated in
    "maint" can move.
    """
    rng = np.random.default_rng([seed, size.hosts, size.vms, *scenario.encode()])
    return SCENARIOS[scenario](size, rng)


def _plain(name: str, mix: Mix) -> "Maker":
    def build(size: Size, rng: np.random.Generator) -> Snapshot:
        return to_snapshot(name, populate(size.hosts, size.vms, mix, rng))

    return build


def _rules(size: Size, rng: np.random.Generator) -> Snapshot:
    pop = populate(size.hosts, size.vms, HOMOG, rng)
    rules = Rulebook(pop, host_ids(pop), vm_ids(pop), rng).write()
    return to_snapshot("rules", pop, rules)


def _hot(size: Size, rng: np.random.Generator) -> Snapshot:
    pop = populate(size.hosts, size.vms, HOMOG, rng)
    count = max(1, round(size.hosts * HOT_HOSTS_SHARE))
    hot = np.argsort(-pop.ratio[:, 0], kind="stable")[:count]
    low, high = 1.0, 4.0
    heated = pop
    for _ in range(40):
        factor = (low + high) / 2
        heated = _heated(pop, hot.tolist(), factor)
        low, high = (factor, high) if combined_spread(heated) < HOT_SPREAD else (low, factor)
    return to_snapshot("hot", heated)


def _newhost(size: Size, rng: np.random.Generator) -> Snapshot:
    mix = replace(HOMOG, new_hosts=1)
    return to_snapshot("newhost", populate(size.hosts, size.vms, mix, rng))


def _maint(size: Size, rng: np.random.Generator) -> Snapshot:
    pop = populate(size.hosts, size.vms, HOMOG, rng)
    count = min(MAINTENANCE_HOSTS, max(1, size.hosts // 5))
    leaving = np.sort(rng.choice(size.hosts, size=count, replace=False))
    movable = pop.movable | np.isin(pop.at, leaving)
    return to_snapshot("maint", replace(pop, movable=movable), leaving=leaving.tolist())


def _heated(pop: Population, hot: list[int], factor: float) -> Population:
    """Return the population with the CPU demand on some hosts raised by a factor."""
    demand, most = pop.demand.copy(), LARGEST_HEATED * pop.capacity[:, 0].min()
    rows = np.isin(pop.at, hot)
    cool = demand[rows, 0]
    demand[rows, 0] = np.maximum(cool, np.minimum(cool * factor, most))
    return replace(pop, demand=demand)


def combined_spread(pop: Population) -> float:
    """Return the imbalance of a population: the weighted spread of both resources, a ratio."""
    load = load_of(pop.demand, pop.at, len(pop.capacity))
    mean = load.sum(axis=0) / pop.capacity.sum(axis=0)
    share = pop.capacity / pop.capacity.sum(axis=0)
    variance = (share * (load / pop.capacity - mean) ** 2).sum(axis=0)
    return float(np.sqrt((mean / mean.sum() * variance).sum()))


Maker = Callable[[Size, np.random.Generator], Snapshot]

SCENARIOS: Mapping[str, Maker] = MappingProxyType(
    {
        "homog": _plain("homog", HOMOG),
        "hetero": _plain("hetero", HETERO),
        "tightmem": _plain("tightmem", TIGHT),
        "rules": _rules,
        "hot": _hot,
        "newhost": _newhost,
        "maint": _maint,
        "monster": _plain("monster", MONSTER),
        "skew": _plain("skew", SKEW),
    }
)
