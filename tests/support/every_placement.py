"""Every lawful placement of a small cluster, measured: what the planner's answers are held against.

Counts loads, prices and rules by itself from demand, capacity and policy; of the planner's code it uses none.
Covers what `draw` makes: ceilings of memory and CPU, must-rules that keep apart, VMs with few hosts in reach.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.model.duration import vmotion_seconds
from balancer.model.need import Need
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.policy.objective import CONTENTION_LINEAR, CONTENTION_QUADRATIC
from balancer.policy.types import Policy
from balancer.rules.judge import ALL_LAWS
from balancer.rules.placement import Candidate, Ground, Placement
from tests.support.builders import host, rule, snapshot, vm

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """One entry per lawful placement: contention and balance cost, and what its moves are priced at."""

    contention: Floats
    balance: Floats
    price: Floats

    @property
    def net(self) -> Floats:
        """Return cost and price together."""
        result: Floats = self.contention + self.balance + self.price
        return result


def drawn(seed: int, hosts: int, vms: int) -> Snapshot:
    """Return hosts of several sizes, one of which is crowded, under VMs that differ in every figure."""
    dice = np.random.default_rng(seed)
    crowded = int(dice.integers(hosts))
    sizes = [
        {
            "cpu_capacity_mhz": float(dice.choice([16_000, 20_000, 24_000])),
            "memory_capacity_mib": float(dice.choice([80_000, 100_000, 120_000])),
            "networks": frozenset({"a"} if number else {"a", "b"}),
        }
        for number in range(hosts)
    ]
    share, found = hosts / vms, []
    for number in range(vms):
        on = crowded if dice.random() < 0.35 else int(dice.integers(hosts))
        memory = float(np.round(dice.uniform(0.05, 1.2) * 100_000 * share))
        facts = {
            "cpu_demand_mhz": float(np.round(dice.uniform(0.02, 1.1) * 20_000 * share)),
            "memory_mib": memory,
            "memory_active_mib": float(np.round(memory * dice.uniform(0.2, 1.0))),
            "networks": frozenset({"b"} if on == 0 and dice.random() < 0.1 else {"a"}),
        }
        found.append(vm(number + 1, on=on + 1, **facts))
    pair = (dice.choice(vms, 2, replace=False) + 1).tolist()
    rules = [rule("apart", RuleType.ANTI_AFFINITY, pair)] if dice.random() < 0.5 else []
    return snapshot([host(n + 1, **facts) for n, facts in enumerate(sizes)], found, rules)


def every_placement(need: Need, policy: Policy) -> Every:
    """Return what every placement comes to that no law forbids, each judged as moves from the present one."""
    snap, count = need.snapshot, len(need.snapshot.hosts)
    at = np.array([_row(snap, vm.host) for vm in snap.vms])
    reach = [np.flatnonzero(row) for row in _reach(need, policy, at)]
    placing = np.stack(np.meshgrid(*reach, indexing="ij"), axis=-1).reshape(-1, len(at))
    sits = placing[:, :, None] == np.arange(count)
    arrives = (sits & (at[:, None] != np.arange(count))).any(axis=1)
    load = sits.astype(np.float64).transpose(0, 2, 1) @ _sizes(need)
    lawful = ~(arrives & (load > _ceilings(snap, policy)).any(axis=2)).any(axis=1)
    for one in snap.rules:
        members = [n for n, vm in enumerate(snap.vms) if vm.id in one.vms]
        lawful &= (sits[:, members].sum(axis=1) <= 1).all(axis=1)
    contention, balance = _cost(need, policy, load[lawful, :, :2])
    price = _prices(need, policy, at)[np.arange(len(at)), placing[lawful]].sum(axis=1)
    return Every(contention=contention, balance=balance, price=price)


def of_placement(need: Need, policy: Policy, after: Snapshot) -> Every:
    """Return the same of one placement."""
    start = need.snapshot
    at = np.array([_row(start, vm.host) for vm in start.vms])
    to = np.array([_row(start, vm.host) for vm in after.vms])
    sits = (to[:, None] == np.arange(len(start.hosts))).astype(np.float64)
    contention, balance = _cost(need, policy, (sits.T @ _sizes(need))[None, :, :2])
    price = _prices(need, policy, at)[np.arange(len(at)), to].sum()
    return Every(contention=contention, balance=balance, price=np.array([price]))


def _row(snap: Snapshot, host_id: str) -> int:
    return [host.id for host in snap.hosts].index(host_id)  # type: ignore[arg-type]


def _reach(need: Need, policy: Policy, at: npt.NDArray[np.int64]) -> Bools:
    """Ask the judges of the laws that look at one VM and one host alone."""
    snap = need.snapshot
    placement = Placement(Ground(snap, policy, need.demand))
    laws = [law for law in ALL_LAWS if law.is_static]
    may = np.zeros((len(snap.vms), len(snap.hosts)), dtype=bool)
    for row, one in enumerate(snap.vms):
        for column, target in enumerate(snap.hosts):
            move = Candidate(vm=one.id, target=target.id, is_mandatory=False)
            may[row, column] = column == at[row] or not any(
                law.judge(placement, move) for law in laws
            )
    return may


def _sizes(need: Need) -> Floats:
    """Return CPU demand, memory demand and memory held of each VM."""
    demand = [need.demand[vm.id] for vm in need.snapshot.vms]
    return np.array([(d.cpu_mhz, d.memory_mib, d.footprint_mib) for d in demand])


def _ceilings(snap: Snapshot, policy: Policy) -> Floats:
    limits = policy.thresholds
    rows = [
        (limits.cpu_ceiling * h.usable_cpu_mhz, np.inf, limits.memory_ceiling * h.usable_memory_mib)
        for h in snap.hosts
    ]
    return np.array(rows) + 1e-6


def _cost(need: Need, policy: Policy, load: Floats) -> tuple[Floats, Floats]:
    """Return contention and balance of loads (placements, hosts, 2), as docs/understand states them."""
    snap, limits = need.snapshot, policy.thresholds
    capacity = np.array([(h.usable_cpu_mhz, h.usable_memory_mib) for h in snap.hosts])
    share, ratio = capacity / capacity.sum(axis=0), load / capacity
    mean = load[:1].sum(axis=1, keepdims=True) / capacity.sum(axis=0)
    weight = mean / mean.sum()
    over = np.maximum(ratio - [limits.cpu_contention, limits.memory_contention], 0.0)
    penalty = CONTENTION_LINEAR * over + CONTENTION_QUADRATIC * over**2
    balance = (weight * share * (ratio - mean) ** 2).sum(axis=(1, 2))
    return (share * penalty).sum(axis=(1, 2)), balance


def _prices(need: Need, policy: Policy, at: npt.NDArray[np.int64]) -> Floats:
    """Return the price of each VM on each host: one move, priced by its seconds; nothing where it stands."""
    snap, prices = need.snapshot, policy.prices
    each = prices.move_price * 3600.0 / prices.stable_s / len(snap.serving_hosts)
    found = np.zeros((len(snap.vms), len(snap.hosts)))
    for row, one in enumerate(snap.vms):
        for column, target in enumerate(snap.hosts):
            if column != at[row]:
                seconds = vmotion_seconds(snap.hosts[at[row]], target, one.footprint_mib)
                found[row, column] = each * (1.0 + prices.per_second * seconds)
    return found
