"""What a planner's moves come to, measured the same way for every planner and by code of the benchmark's own.

From a snapshot, the demand read from it and a placement: spread, contention, broken rules, overfull hosts;
and of the moves: number, memory, seconds. Knows neither planner nor rival.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from balancer.model.duration import vmotion_seconds
from balancer.model.host import HostState
from balancer.model.need import Need
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.policy.types import Policy
from tests.bench.planner.population import Floats

Targets = Mapping[VmId, HostId]
ROUNDING_MIB = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One placement, measured. Spreads are ratios; `broken` counts VMs that break a must-rule."""

    imbalance: float
    cpu_spread: float
    memory_spread: float
    over: int  # serving hosts above a contention threshold
    contention: float
    broken: int
    broken_should: int
    overfull: int  # hosts above the memory ceiling that took a VM
    stranded: int  # running VMs on hosts that must be left


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What moves cost."""

    moves: int
    gib: float
    seconds: float


def standing_of(need: Need, policy: Policy, targets: Targets) -> Standing:
    """Measure the placement after moving the VMs of `targets`."""
    snapshot = need.snapshot
    at = {vm.id: targets.get(vm.id, vm.host) for vm in snapshot.running_vms}
    load, capacity = loads(need, at)
    limits = policy.thresholds
    over = np.maximum(load / capacity - [limits.cpu_contention, limits.memory_contention], 0.0)
    share = capacity / capacity.sum(axis=0)
    spread, weight = _spread(load, capacity)
    broken = {hard: _broken(snapshot, at, hard=hard) for hard in (True, False)}
    return Standing(
        imbalance=float(np.sqrt((weight * spread**2).sum())),
        cpu_spread=float(spread[0]),
        memory_spread=float(spread[1]),
        over=int((over > 0).any(axis=1).sum()),
        contention=float((share * (5 * over + 50 * over**2)).sum()),
        broken=broken[True],
        broken_should=broken[False],
        overfull=_overfull(need, policy, targets, at),
        stranded=sum(1 for host in at.values() if _must_leave(snapshot, host)),
    )


def bill_of(need: Need, targets: Targets) -> Bill:
    """Add up the moves."""
    hosts, vms = need.snapshot.host_by_id, need.snapshot.vm_by_id
    moved = [(vms[vm], host) for vm, host in sorted(targets.items()) if vms[vm].host != host]
    memory = [need.demand[vm.id].footprint_mib for vm, _ in moved]
    spent = [
        vmotion_seconds(
            hosts[vm.host], hosts[host], held, dirty_rate_mbps=vm.dirty_rate_mbps or 0.0
        )
        for (vm, host), held in zip(moved, memory, strict=True)
    ]
    return Bill(moves=len(moved), gib=sum(memory) / 1024, seconds=sum(spent))


def loads(need: Need, at: Targets) -> tuple[Floats, Floats]:
    """Return load and capacity of the serving hosts, (H, 2) each."""
    serving = need.snapshot.serving_hosts
    row = {host.id: number for number, host in enumerate(serving)}
    load = np.zeros((len(serving), 2))
    for vm, host in at.items():
        if host in row:
            demand = need.demand[vm]
            load[row[host]] += (demand.cpu_mhz, demand.memory_mib)
    capacity = np.array([(h.usable_cpu_mhz, h.usable_memory_mib) for h in serving])
    return load, capacity.reshape(-1, 2)


def _spread(load: Floats, capacity: Floats) -> tuple[Floats, Floats]:
    """Return the capacity-weighted standard deviation and the weight of each resource, (2,) each."""
    mean = load.sum(axis=0) / capacity.sum(axis=0)
    share = capacity / capacity.sum(axis=0)
    spread: Floats = np.sqrt((share * (load / capacity - mean) ** 2).sum(axis=0))
    return spread, mean / mean.sum()


def _must_leave(snapshot: Snapshot, host: HostId) -> bool:
    states = (HostState.ENTERING_MAINTENANCE, HostState.MAINTENANCE)
    return snapshot.host_by_id[host].state in states


def _broken(snapshot: Snapshot, at: Targets, *, hard: bool) -> int:
    rules = (rule for rule in snapshot.active_rules() if rule.mandatory is hard)
    return sum(_offenders(rule, at) for rule in rules)


def _offenders(rule: Rule, at: Targets) -> int:
    """Return how many VMs would have to be elsewhere for the rule to hold."""
    hosts = [at[vm] for vm in rule.vms if vm in at]
    counts = Counter(hosts)
    match rule.type:
        case RuleType.AFFINITY:
            return len(hosts) - max(counts.values(), default=0)
        case RuleType.ANTI_AFFINITY:
            return len(hosts) - len(counts)
        case _:
            return sum(1 for host in hosts if not rule.allows_host(host))


def _overfull(need: Need, policy: Policy, targets: Targets, at: Targets) -> int:
    """Return how many hosts that took a VM hold more memory than the ceiling."""
    snapshot = need.snapshot
    held: Counter[HostId] = Counter()
    for vm, host in at.items():
        held[host] += need.demand[vm].footprint_mib  # type: ignore[assignment]
    took = {host for vm, host in targets.items() if snapshot.vm_by_id[vm].host != host}
    ceiling = policy.thresholds.memory_ceiling
    return sum(
        1
        for host in took
        if held[host] > ceiling * snapshot.host_by_id[host].usable_memory_mib + ROUNDING_MIB
    )
