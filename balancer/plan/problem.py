"""Need and policy as arrays: the planner's only view of the cluster, compiled once per draft.

Struct of arrays over running VMs and hosts, both by id. Owns the meaning of every column; never holds
anything that changes while moves are tried (that is `plan.ledger`). Floats throughout: MHz and MiB as
in the model. Only the windows of `plan.solver` round to integers, to the safe side.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from balancer.model.duration import LINK_EFFICIENCY, copy_mbps
from balancer.model.host import Host
from balancer.model.need import Need
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.model.vm import Vm
from balancer.plan.codes import Bools, Floats, Ints
from balancer.policy.types import Policy
from balancer.rules.capacity import SLACK
from balancer.rules.placement import Ground
from balancer.rules.standing import LEAVING

CPU, MEMORY, FOOTPRINT, CPU_RESERVED, MEMORY_RESERVED, COUNT = range(6)
"""Columns of sizes, loads and limits: demand (MHz, MiB), held memory, reservations, number of VMs."""

COLUMNS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The running members of one rule, as indexes of VMs in ascending order."""

    rule: Rule
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One cluster compiled. H hosts, N running VMs.

    `at` is where each VM stands, `end` where it will be (they differ for migrations that are running);
    `transit` is what those migrations hold on their targets. `limits` are the ceilings of mandatory
    moves (CPU unlimited), `cpu_ceiling` that of all others; both include the judges' slack.
    """

    need: Need
    policy: Policy
    ground: Ground
    hosts: tuple[Host, ...]
    vms: tuple[Vm, ...]
    host_at: Mapping[HostId, int]
    vm_at: Mapping[VmId, int]
    capacity: Floats  # (H, 2) usable CPU and memory
    limits: Floats  # (H, COLUMNS)
    cpu_ceiling: Floats  # (H,)
    transit: Floats  # (H, COLUMNS)
    size: Floats  # (N, COLUMNS)
    at: Ints  # (N,)
    end: Ints  # (N,)
    link_mbps: Floats  # (H,) speed of vMotion, as far as a single copy can use it
    dirty_mbps: Floats  # (N,)
    serving: Bools  # (H,) balance and contention are measured over these
    leaving: Bools  # (H,) to be emptied
    pinned: Bools  # (N,) never moves
    held: Bools  # (N,) moves only for mandatory reasons
    apart: tuple[Group, ...]  # must-rules that keep VMs apart
    together: tuple[Group, ...]  # must-rules that keep VMs together
    should: tuple[Group, ...]  # should-rules of every type
    apart_of: Mapping[int, tuple[int, ...]]  # VM to its groups, likewise below
    together_of: Mapping[int, tuple[int, ...]]


def compile_problem(need: Need, policy: Policy) -> Problem:
    """Compile a need. Linear in hosts, VMs and rules."""
    snapshot = need.snapshot
    hosts, vms = snapshot.hosts, snapshot.running_vms
    host_at = {host.id: row for row, host in enumerate(hosts)}
    vm_at = {vm.id: row for row, vm in enumerate(vms)}
    at = np.array([host_at[vm.host] for vm in vms], dtype=np.int64)
    end = _ends(need, at, host_at, vm_at)
    size = _sizes(need, vms)
    serving = {host.id for host in snapshot.serving_hosts}
    apart = _groups(_rules(need, RuleType.ANTI_AFFINITY), vm_at)
    together = _groups(_rules(need, RuleType.AFFINITY), vm_at)
    return Problem(
        need=need,
        policy=policy,
        ground=Ground(snapshot, policy, need.demand),
        hosts=hosts,
        vms=vms,
        host_at=host_at,
        vm_at=vm_at,
        capacity=_capacity(hosts),
        limits=_limits(hosts, policy),
        cpu_ceiling=_capacity(hosts)[:, 0] * policy.thresholds.cpu_ceiling + SLACK,
        transit=_transit(len(hosts), size, at, end),
        size=size,
        at=at,
        end=end,
        link_mbps=np.array([copy_mbps(host) for host in hosts]) / LINK_EFFICIENCY,
        dirty_mbps=np.array([vm.dirty_rate_mbps or 0.0 for vm in vms]),
        serving=np.array([host.id in serving for host in hosts], dtype=bool),
        leaving=np.array([host.state in LEAVING for host in hosts], dtype=bool),
        pinned=np.array([vm.id in need.holds.pinned for vm in vms], dtype=bool) | (at != end),
        held=np.array([vm.id in need.holds.vms for vm in vms], dtype=bool),
        apart=apart,
        together=together,
        should=_groups([r for r in snapshot.active_rules() if not r.mandatory], vm_at, least=1),
        apart_of=groups_of(apart),
        together_of=groups_of(together),
    )


def groups_of(groups: Sequence[Group]) -> Mapping[int, tuple[int, ...]]:
    """Return, for each VM in any of the groups, the numbers of its groups."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        for vm in group.members:
            found[vm].append(number)
    return {vm: tuple(numbers) for vm, numbers in found.items()}


def _rules(need: Need, kind: RuleType) -> list[Rule]:
    return [rule for rule in need.snapshot.active_rules(kind) if rule.mandatory]


def _groups(
    rules: Sequence[Rule], vm_at: Mapping[VmId, int], *, least: int = 2
) -> tuple[Group, ...]:
    found = []
    for rule in rules:
        members = tuple(sorted({vm_at[vm] for vm in rule.vms if vm in vm_at}))
        if len(members) >= least:
            found.append(Group(rule=rule, members=members))
    return tuple(found)


def _ends(need: Need, at: Ints, host_at: Mapping[HostId, int], vm_at: Mapping[VmId, int]) -> Ints:
    end = at.copy()
    for flight in need.snapshot.in_flight:
        if flight.vm in vm_at and flight.target in host_at:
            end[vm_at[flight.vm]] = host_at[flight.target]
    return end


def _sizes(need: Need, vms: Sequence[Vm]) -> Floats:
    size = np.ones((len(vms), COLUMNS))
    for row, vm in enumerate(vms):
        demand = need.demand[vm.id]
        size[row, :COUNT] = (
            demand.cpu_mhz,
            demand.memory_mib,
            demand.footprint_mib,
            vm.cpu_reservation_mhz,
            vm.memory_reservation_mib,
        )
    return size


def _capacity(hosts: Sequence[Host]) -> Floats:
    rows = [(host.usable_cpu_mhz, host.usable_memory_mib) for host in hosts]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _limits(hosts: Sequence[Host], policy: Policy) -> Floats:
    limits = np.full((len(hosts), COLUMNS), np.inf)
    for row, host in enumerate(hosts):
        limits[row, FOOTPRINT] = policy.thresholds.memory_ceiling * host.usable_memory_mib + SLACK
        limits[row, CPU_RESERVED] = host.usable_cpu_mhz + SLACK
        limits[row, MEMORY_RESERVED] = host.usable_memory_mib + SLACK
        if host.max_running_vms is not None:
            limits[row, COUNT] = host.max_running_vms
    return limits


def _transit(hosts: int, size: Floats, at: Ints, end: Ints) -> Floats:
    transit = np.zeros((hosts, COLUMNS))
    moving = np.flatnonzero(at != end)
    np.add.at(transit, end[moving], size[moving])
    return transit
