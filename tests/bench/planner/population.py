"""Hosts and VMs of a generated cluster as arrays: sizes, a balanced start, and demand that has drifted since.

First step of the generators; `scenarios` bends what comes out of here and `clusters` turns it into a
snapshot. Everything comes from one seeded generator of numbers. Memory demand is memory held: active and
consumed memory are the same figure, so that moving a VM moves exactly what it weighs in the balance.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from balancer.lab.rivals.facts import load_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

GIB = 1024.0
MEMORY_CLASSES_GIB = np.array([4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
CLASS_SHARES = (0.35, 0.30, 0.20, 0.10, 0.04, 0.01)
CPU_SIGMA = 0.6
CPU_BY_MEMORY = 0.5
"""CPU demand grows with the memory of a VM to this power: large VMs are large in both."""

MEAN_VM_MHZ = 1500.0
MOST_MEMORY = 0.955
"""No host holds more of its memory than this at the start; the planners' ceiling is 0.96."""

LARGEST_VM_MIB = 128 * GIB
LARGEST_VM = 0.25
"""No ordinary VM is larger than this share of the largest host; monsters and whales have their own sizes."""

STRONGEST_DRIFT, DRIFT_STEP, DRAWS = 1.6, 0.05, 20

BISECTIONS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What a population shall be like. Ratios are of capacity: (CPU, memory)."""

    used: tuple[float, float] = (0.60, 0.70)
    spread: tuple[float, float] = (0.081, 0.047)
    host_kinds: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    monsters: tuple[float, float] = (0.0, 0.0)  # per host, and their share of a host
    whales: tuple[float, float] = (0.0, 0.0)  # likewise, of the CPU alone
    least_drift: float = 0.0  # standard deviation of the logarithm of the factors
    new_hosts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """H hosts and N VMs. Resources are (CPU in MHz, memory in MiB)."""

    capacity: Floats  # (H, 2)
    demand: Floats  # (N, 2)
    at: Ints  # (N,)
    dirty_mbps: Floats  # (N,)
    movable: Bools  # (N,)
    special: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))  # (N,) monsters, whales

    @property
    def load(self) -> Floats:
        """Return the load of each host, (H, 2)."""
        return load_of(self.demand, self.at, len(self.capacity))

    @property
    def ratio(self) -> Floats:
        """Return load over capacity, (H, 2)."""
        result: Floats = self.load / self.capacity
        return result


def populate(hosts: int, vms: int, mix: Mix, rng: np.random.Generator) -> Population:
    """Return a population that was balanced once and whose demand has drifted to the spread of the mix."""
    memory = _memory(vms, rng)
    memory = np.minimum(memory, LARGEST_VM * memory.sum() / (mix.used[1] * hosts))
    demand = np.stack([_cpu(memory, rng), memory], axis=1)
    capacity = _capacity(hosts, demand, mix)
    demand, special = _with_giants(demand, capacity, mix, rng)
    old = hosts - mix.new_hosts
    at = balanced_start(demand, capacity[:old])
    movable = rng.random(vms) >= 0.02
    movable[special] = True
    raw = Population(
        capacity=capacity,
        demand=demand,
        at=at,
        dirty_mbps=np.minimum(rng.lognormal(4.5, 1.0, vms), 2500.0),
        movable=movable,
        special=special,
    )
    return _drifted(raw, mix, old, rng)


def balanced_start(demand: Floats, capacity: Floats) -> Ints:
    """Return a host for each VM: largest first, each where the squares of the ratios grow least."""
    mean = demand.sum(axis=0) / capacity.sum(axis=0)
    share = capacity / capacity.sum(axis=0)
    weight = mean / mean.sum()
    load = np.zeros_like(capacity)
    at = np.zeros(len(demand), dtype=np.int64)
    order = np.argsort(-(demand / capacity.mean(axis=0)).sum(axis=1), kind="stable")
    for vm in order.tolist():
        ratio = (load + demand[vm]) / capacity
        growth = (weight * share * (ratio**2 - (load / capacity) ** 2)).sum(axis=1)
        host = int(np.argmin(growth))
        at[vm] = host
        load[host] += demand[vm]
    return at


def _cpu(memory: Floats, rng: np.random.Generator) -> Floats:
    cpu = rng.lognormal(0.0, CPU_SIGMA, len(memory)) * memory**CPU_BY_MEMORY
    result: Floats = cpu * (MEAN_VM_MHZ / cpu.mean())
    return result


def _memory(vms: int, rng: np.random.Generator) -> Floats:
    classes = rng.choice(MEMORY_CLASSES_GIB, size=vms, p=CLASS_SHARES)
    result: Floats = classes * GIB * rng.uniform(0.80, 1.0, vms)
    return result


def _capacity(hosts: int, demand: Floats, mix: Mix) -> Floats:
    """Return capacities such that the cluster is used as the mix says, host kinds in turn."""
    kinds = np.array([mix.host_kinds[row % len(mix.host_kinds)] for row in range(hosts)])
    whole = demand.sum(axis=0) / np.array(mix.used)
    result: Floats = np.round(kinds * whole / kinds.sum(axis=0))
    return result


def _with_giants(
    demand: Floats, capacity: Floats, mix: Mix, rng: np.random.Generator
) -> tuple[Floats, Bools]:
    """Replace some VMs by monsters and whales, scale the rest so that the total stays."""
    hosts, vms = len(capacity), len(demand)
    result, special = demand.copy(), np.zeros(vms, dtype=bool)
    monsters, whales = round(hosts * mix.monsters[0]), round(hosts * mix.whales[0])
    chosen = rng.choice(vms, size=monsters + whales, replace=False)
    size = capacity.min(axis=0)
    around = rng.uniform(0.95, 1.10, len(chosen))
    result[chosen[:monsters]] = (mix.monsters[1] * around[:monsters])[:, None] * size
    result[chosen[monsters:], 0] = mix.whales[1] * around[monsters:] * size[0]
    special[chosen] = True
    left = demand.sum(axis=0) - result[special].sum(axis=0)
    result[~special] *= left / result[~special].sum(axis=0)
    return result, special


def _drifted(pop: Population, mix: Mix, old: int, rng: np.random.Generator) -> Population:
    """Let demand drift by lognormal factors, as strongly as the spread of the mix needs."""
    demand = pop.demand.copy()
    for column in (0, 1):
        drift = _Drift(pop, old, column)
        for _ in range(DRAWS):
            noise = rng.standard_normal(len(demand))
            strength = drift.strength(noise, mix.spread[column], mix.least_drift)
            if strength is not None:
                break
        demand[:, column] = drift.grown(noise, STRONGEST_DRIFT if strength is None else strength)
    return replace(pop, demand=_fitting(demand, pop.at, pop.capacity))


class _Drift:
    """The drift of one resource's demand over the hosts that had VMs."""

    def __init__(self, pop: Population, old: int, column: int) -> None:
        self.demand, self.capacity = pop.demand[:, column], pop.capacity[:old, column]
        self.at, self.fixed = pop.at, pop.special
        largest = LARGEST_VM * pop.capacity[:, column].max()
        self.most = min(largest, LARGEST_VM_MIB) if column == 1 else largest

    def strength(self, noise: Floats, spread: float, least: float) -> float | None:
        """Return the least strength, from `least` on, that gives the spread; None where none does."""
        low = least
        for high in np.arange(least, STRONGEST_DRIFT, DRIFT_STEP).tolist():
            if self.spread(noise, high) >= spread:
                break
            low = high
        else:
            return None
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.spread(noise, middle) >= spread else (middle, high)
        return float(high)

    def spread(self, noise: Floats, strength: float) -> float:
        """Return the capacity-weighted standard deviation of load over capacity."""
        load = np.bincount(self.at, self.grown(noise, strength), len(self.capacity))
        share = self.capacity / self.capacity.sum()
        mean = load.sum() / self.capacity.sum()
        return float(np.sqrt((share * (load / self.capacity - mean) ** 2).sum()))

    def grown(self, noise: Floats, strength: float) -> Floats:
        """Return the demand after the drift: the same total, no ordinary VM above the largest size."""
        grown = self.demand * np.exp(strength * noise)
        total = self.demand[~self.fixed].sum()
        for _ in range(4):
            grown *= total / grown[~self.fixed].sum()
            grown = np.minimum(grown, self.most)
        result: Floats = np.where(self.fixed, self.demand, grown)
        return result


def _fitting(demand: Floats, at: Ints, capacity: Floats) -> Floats:
    """Return the demand with the memory of overfull hosts shrunk until they are full but lawful."""
    ratio = load_of(demand, at, len(capacity))[:, 1] / capacity[:, 1]
    shrink = np.minimum(1.0, MOST_MEMORY / np.maximum(ratio, 1e-9))
    result = demand.copy()
    result[:, 1] *= shrink[at]
    return result
