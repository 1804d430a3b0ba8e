"""Tight evacuations: one host enters maintenance and what is left has just room enough.

Solvable by construction: the VMs are first packed onto the other hosts within the ceiling, which is a
solution; then a host's worth of them is taken off to the leaving host, and the rest is spread again, so
that nothing of the solution shows. Memory alone is scarce.
"""

from dataclasses import dataclass

import numpy as np

from balancer.model.snapshot import Snapshot
from tests.bench.planner.clusters import to_snapshot
from tests.bench.planner.population import (
    CLASS_SHARES,
    GIB,
    MEAN_VM_MHZ,
    MEMORY_CLASSES_GIB,
    Floats,
    Ints,
    Population,
    load_of,
)
from tests.bench.planner.scenarios import Size

CEILING = 0.96
PACKING_TRIES = 60
CPU_USED = 0.4
SWAP_TRIES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TightCase:
    """Hosts, VMs, and the memory used after the evacuation, a ratio."""

    size: Size
    used: float

    def __str__(self) -> str:
        return f"{self.size} @{100 * self.used:g} %"


TIGHT_CASES = tuple(
    TightCase(size=Size.of(size), used=used)
    for size, used in (
        ("8x64", 0.925),
        ("16x160", 0.93),
        ("16x160", 0.945),
        ("32x480", 0.94),
        ("32x480", 0.95),
        ("96x2880", 0.95),
        ("96x9600", 0.955),
    )
)


def tight_evacuation(case: TightCase, seed: int) -> Snapshot:
    """Return the snapshot; its first host enters maintenance.

    Raises:
        ValueError: no packing within the ceiling was found, so that it is not known to be solvable.
    """
    memory, _, capacity = solution_of(case, seed)
    rng = np.random.default_rng([seed, 1])
    at = _torn(memory, case.size.hosts, capacity, rng)
    cpu = rng.lognormal(np.log(MEAN_VM_MHZ), 0.6, len(memory))
    demand = np.stack([cpu, memory], axis=1)
    host_cpu = cpu.sum() / ((case.size.hosts - 1) * CPU_USED)
    pop = Population(
        capacity=np.tile([round(host_cpu), capacity], (case.size.hosts, 1)),
        demand=demand,
        at=at,
        dirty_mbps=np.minimum(rng.lognormal(4.5, 1.0, len(memory)), 2500.0),
        movable=np.ones(len(memory), dtype=bool),
    )
    return to_snapshot(f"evacuation {case}", pop, leaving=(0,))


def solution_of(case: TightCase, seed: int) -> tuple[Floats, Ints, float]:
    """Return the VMs' memory, a lawful placement on the hosts that stay, and a host's memory: the proof.

    Raises:
        ValueError: no packing within the ceiling was found.
    """
    staying = case.size.hosts - 1
    for attempt in range(PACKING_TRIES):
        rng = np.random.default_rng([seed, case.size.hosts, case.size.vms, attempt])
        classes = rng.choice(MEMORY_CLASSES_GIB[:5], size=case.size.vms, p=_shares())
        memory = np.round(classes * GIB * rng.uniform(0.80, 1.0, case.size.vms), 1)
        capacity = float(np.round(memory.sum() / (staying * case.used)))
        at = _spread(memory, np.zeros(staying)) + 1
        at = _levelled(memory, at, case.size.hosts)
        used = load_of(np.stack([memory, memory], axis=1), at, case.size.hosts)[:, 0] / capacity
        if used.max() <= CEILING:
            return memory, at, capacity
    raise ValueError(f"no packing was found for {case}")


def _shares() -> Floats:
    shares = np.array(CLASS_SHARES[:5])
    result: Floats = shares / shares.sum()
    return result


def _spread(memory: Floats, load: Floats) -> Ints:
    """Return the emptiest host for each VM, largest VM first."""
    at = np.zeros(len(memory), dtype=np.int64)
    for vm in np.argsort(-memory, kind="stable").tolist():
        host = int(np.argmin(load))
        at[vm] = host
        load[host] += memory[vm]
    return at


def _levelled(memory: Floats, at: Ints, hosts: int) -> Ints:
    """Exchange VMs between the fullest and the emptiest staying host while that levels them."""
    at = at.copy()
    for _ in range(SWAP_TRIES):
        load = np.bincount(at, weights=memory, minlength=hosts)[1:]
        full, empty = int(np.argmax(load)) + 1, int(np.argmin(load)) + 1
        here, there = np.flatnonzero(at == full), np.flatnonzero(at == empty)
        gap = load[full - 1] - load[empty - 1]
        differences = memory[here][:, None] - memory[there]
        best = int(np.argmin(np.abs(differences - gap / 2)))
        row, column = divmod(best, len(there))
        if not 0 < differences[row, column] < gap:
            break
        at[here[row]], at[there[column]] = empty, full
    return at


def _torn(memory: Floats, hosts: int, capacity: float, rng: np.random.Generator) -> Ints:
    """Return the start: a random host's worth of VMs on host 0, the others spread over the rest."""
    order = rng.permutation(len(memory))
    share = len(memory) // hosts
    leaving = order[:share]
    at = np.zeros(len(memory), dtype=np.int64)
    rest = np.setdiff1d(order, leaving)
    load = np.zeros(hosts - 1)
    at[rest] = _spread(memory[rest], load) + 1
    assert load.max() <= CEILING * capacity, "the start is lawful"
    return at
