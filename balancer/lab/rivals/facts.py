"""What every rival is told: the same arrays, made from one need.

The only place that reads the engine's own pieces, and only its facts: demand, ceilings, the static laws
and holds as masks, predicted seconds. Nothing of its search is used. Affinity groups that must stay
together are one unit; should-rules bind the rivals like must-rules, for they would cost ours as much.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from balancer.model.need import Need
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.desk import Desk
from balancer.plan.price import seconds
from balancer.plan.problem import CPU, FOOTPRINT, compile_problem
from balancer.policy.types import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One cluster for the rivals. H hosts, U units (a VM, or a group that must stay together).

    `open` says where a unit may go by static laws, `open_mandatory` likewise when it must leave its
    host; `apart` lists kept-apart groups as rows of units, `weight` (2,) weighs the resources.
    """

    need: Need
    policy: Policy
    members: tuple[tuple[int, ...], ...]  # rows of VMs
    demand: Floats  # (U, 2) CPU and memory demand
    footprint: Floats  # (U,)
    seconds: Floats  # (U,) of moving it once
    at: Ints  # (U,)
    open: Bools  # (U, H)
    open_mandatory: Bools  # (U, H)
    capacity: Floats  # (H, 2)
    cpu_ceiling: Floats  # (H,)
    memory_ceiling: Floats  # (H,) of footprints
    serving: Bools  # (H,)
    leaving: Bools  # (H,)
    apart: tuple[tuple[int, ...], ...]
    weight: Floats

    @property
    def apart_of(self) -> dict[int, tuple[int, ...]]:
        """Return, for each unit in a kept-apart group, the numbers of its groups."""
        found: dict[int, list[int]] = {}
        for number, group in enumerate(self.apart):
            for unit in group:
                found.setdefault(unit, []).append(number)
        return {unit: tuple(numbers) for unit, numbers in found.items()}

    def imbalance(self, load: Floats) -> float:
        """Return the imbalance of loads (H, 2) as the policy's objective defines it: ours stops by it too."""
        capacity, own = self.capacity[self.serving], load[self.serving]
        mean = own.sum(axis=0) / capacity.sum(axis=0)
        variance = (capacity / capacity.sum(axis=0) * (own / capacity - mean) ** 2).sum(axis=0)
        return float(np.sqrt((mean / mean.sum() * variance).sum()))

    def is_over(self, load: Floats) -> bool:
        """Whether some serving host is above a contention threshold with loads (H, 2)."""
        limits = self.policy.thresholds
        ratio = load[self.serving] / self.capacity[self.serving]
        return bool((ratio > [limits.cpu_contention, limits.memory_contention]).any())

    def targets(self, at: Ints) -> dict[VmId, HostId]:
        """Return the VMs of a placement of units that stand elsewhere than at the start, and where."""
        vms, hosts = self.need.snapshot.running_vms, self.need.snapshot.hosts
        moved = np.flatnonzero(at != self.at).tolist()
        return {vms[vm].id: hosts[int(at[unit])].id for unit in moved for vm in self.members[unit]}


def facts_of(need: Need, policy: Policy) -> Facts:
    """Return the facts of a need."""
    problem = compile_problem(need, policy)
    desk = Desk(problem)
    units = _units(need.snapshot)
    unit_of = {vm: number for number, unit in enumerate(units) for vm in unit}
    starts = np.cumsum([0] + [len(unit) for unit in units[:-1]])
    flat = np.array([vm for unit in units for vm in unit], dtype=np.int64)
    size = np.add.reduceat(problem.size[flat], starts, axis=0)
    at = problem.at[flat[starts]]
    each = seconds(problem, flat, problem.at[flat], problem.at[flat])
    optional = np.logical_and.reduceat(desk.allowed(flat, is_mandatory=False), starts, axis=0)
    mandatory = np.logical_and.reduceat(desk.allowed(flat, is_mandatory=True), starts, axis=0)
    should = _should_mask(need, units)
    mean = size[:, :2].sum(axis=0) / problem.capacity[problem.serving].sum(axis=0)
    return Facts(
        need=need,
        policy=policy,
        members=units,
        demand=size[:, :2],
        footprint=size[:, FOOTPRINT],
        seconds=np.add.reduceat(each, starts),
        at=at,
        open=optional & should & problem.serving & ~problem.held[flat[starts]][:, None],
        open_mandatory=mandatory & problem.serving,
        capacity=problem.capacity,
        cpu_ceiling=problem.load_limits[:, CPU],
        memory_ceiling=problem.limits[:, FOOTPRINT],
        serving=problem.serving,
        leaving=problem.leaving,
        apart=_apart(need.snapshot, unit_of),
        weight=mean / mean.sum(),
    )


def _units(snapshot: Snapshot) -> tuple[tuple[int, ...], ...]:
    """Return single VMs and affinity groups as rows of running VMs, in the order of their first row."""
    vms = snapshot.running_vms
    row_of = {vm.id: row for row, vm in enumerate(vms)}
    unit_of = {row: [row] for row in range(len(vms))}
    for rule in snapshot.active_rules(RuleType.AFFINITY):
        rows = _rows(rule.vms, row_of)
        merged = sorted({row for member in rows for row in unit_of[member]})
        for row in merged:
            unit_of[row] = merged
    return tuple(tuple(unit) for row, unit in sorted(unit_of.items()) if unit[0] == row)


def _apart(snapshot: Snapshot, unit_of: dict[int, int]) -> tuple[tuple[int, ...], ...]:
    row_of = {vm.id: row for row, vm in enumerate(snapshot.running_vms)}
    groups = (_rows(r.vms, row_of) for r in snapshot.active_rules(RuleType.ANTI_AFFINITY))
    found = (tuple(sorted({unit_of[row] for row in rows})) for rows in groups)
    return tuple(group for group in found if len(group) > 1)


def _should_mask(need: Need, units: tuple[tuple[int, ...], ...]) -> Bools:
    """Return where the VM-host should-rules allow each unit, (U, H)."""
    snapshot = need.snapshot
    row_of = {vm.id: row for row, vm in enumerate(snapshot.running_vms)}
    unit_of = {row: number for number, unit in enumerate(units) for row in unit}
    mask = np.ones((len(units), len(snapshot.hosts)), dtype=bool)
    kinds = (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE)
    for rule in snapshot.active_rules(*kinds):
        if rule.mandatory:
            continue
        allows = np.array([rule.allows_host(host.id) for host in snapshot.hosts])
        rows = [unit_of[row] for row in _rows(rule.vms, row_of)]
        mask[rows] &= allows
    return mask


def _rows(vms: Iterable[VmId], row_of: dict[VmId, int]) -> list[int]:
    return [row_of[vm] for vm in vms if vm in row_of]


def load_of(demand: Floats, at: Ints, hosts: int) -> Floats:
    """Return the summed demand on each host, (hosts, 2)."""
    columns = [np.bincount(at, weights=demand[:, r], minlength=hosts) for r in (0, 1)]
    return np.stack(columns, axis=1)
