"""Need and policy as arrays: the planner's only view of the cluster, compiled once per draft.

Struct of arrays over running VMs and hosts, both by id. Owns the meaning of every column; never holds
anything that changes while moves are tried (that is `plan.ledger`). Floats throughout: MHz and MiB as
in the model. Only the models of `plan.window` round to integers, to the safe side.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from balancer.model.duration import LINK_EFFICIENCY, copy_mbps
from balancer.model.goal import Goal
from balancer.model.host import Host
from balancer.model.need import Need
from balancer.model.pace import Paces
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.model.vm import Vm
from balancer.plan.codes import Bools, Floats, Ints
from balancer.policy.types import Policy
from balancer.rules.capacity import SLACK, most_vcpus, most_vms
from balancer.rules.placement import Ground

CPU, MEMORY, FOOTPRINT, CPU_RESERVED, MEMORY_RESERVED, COUNT, VCPUS, VARIANCE = range(8)
"""Columns of sizes, loads and limits: mean demand (MHz, MiB), held memory, what is guaranteed, number of
VMs, their vCPUs, variance of the CPU demand (MHz^2)."""

COLUMNS = 8
"""The fixed columns. Those of the horizon follow: CPU demand of each slot, then memory demand of each."""

LIMITED = (FOOTPRINT, CPU_RESERVED, MEMORY_RESERVED, COUNT)
"""What has a ceiling for every move."""

LIMITED_FOR_LOAD = (*LIMITED, CPU, VCPUS)
"""What has a ceiling for moves that are not mandatory."""

RESERVED = (CPU_RESERVED, MEMORY_RESERVED)
"""What only concerns a VM that has some of it."""

_OF_DEMAND = (CPU, MEMORY, FOOTPRINT, CPU_RESERVED, MEMORY_RESERVED, VARIANCE)
_FIGURES = attrgetter(
    *("cpu_mhz", "memory_mib", "footprint_mib"),
    *("cpu_reserved_mhz", "memory_reserved_mib", "cpu_variance_mhz2"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The running members of one rule, as indexes of VMs in ascending order.

    `domain` numbers the domains of a rule that has some, by host (H,); None where each host counts by itself.
    """

    rule: Rule
    members: tuple[int, ...]
    domain: Ints | None = None

    def numbers(self, count: int) -> Ints:
        """Return the number of the domain of each of `count` hosts, from 0 on without gaps, (H,)."""
        return np.arange(count) if self.domain is None else self.domain

    def beside(self, host: int) -> int | Bools:
        """Return the hosts that count as one with a host, as an index into arrays over hosts."""
        return host if self.domain is None else self.domain == self.domain[host]

    def spread(self, hosts: Ints, count: int) -> Ints:
        """Return how many VMs that stand on `hosts` are on each of `count` hosts or in its domain, (H,)."""
        if self.domain is None:
            return np.bincount(hosts, minlength=count)
        whole: Ints = np.bincount(self.domain[hosts], minlength=count)[self.domain]
        return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One cluster compiled. H hosts, N running VMs, `columns` figures of each.

    `at` is where each VM stands, `end` where it will be (they differ for migrations that are running);
    `transit` is what those migrations hold on their targets. `limits` are the ceilings of mandatory
    moves (CPU and vCPUs unlimited), `load_limits` those of all others; both include the judges' slack.
    """

    need: Need
    policy: Policy
    ground: Ground
    hosts: tuple[Host, ...]
    vms: tuple[Vm, ...]
    host_at: Mapping[HostId, int]
    vm_at: Mapping[VmId, int]
    capacity: Floats  # (H, 2) usable CPU and memory
    limits: Floats  # (H, columns)
    load_limits: Floats  # (H, columns)
    transit: Floats  # (H, columns)
    size: Floats  # (N, columns)
    configured_mib: Floats  # (N,) memory size
    numa_nodes: Floats  # (H, 2) cores and MiB of one NUMA node; infinite where not known
    slots: int  # of the horizon; 0 where demand is a point
    at: Ints  # (N,)
    end: Ints  # (N,)
    link_mbps: Floats  # (H,) speed of vMotion, as far as a single copy can use it
    dirty_mbps: Floats  # (N,)
    pace: Floats  # (H, H) factor on the seconds from source to target; on the diagonal that of the source
    serving: Bools  # (H,) balance and contention are measured over these
    leaving: Bools  # (H,) to be emptied
    pinned: Bools  # (N,) never moves
    held: Bools  # (N,) moves only for mandatory reasons
    excluded: Mapping[Goal, Bools]  # (N,) not moved for this goal
    apart: tuple[Group, ...]  # must-rules that keep VMs apart
    together: tuple[Group, ...]  # must-rules that keep VMs together
    should: tuple[Group, ...]  # should-rules of every type
    apart_most: Ints  # (apart groups,) how many members may share a host, or a domain
    apart_wide: tuple[tuple[int, Ints], ...]  # the groups that have domains, with these
    apart_pairs: Ints  # (2, pairs) groups that keep apart, and their members
    apart_of: Mapping[int, tuple[int, ...]]  # VM to its groups, likewise below
    together_of: Mapping[int, tuple[int, ...]]

    def ceilings(self, *, is_mandatory: bool) -> Floats:
        """Return the ceilings that a move is held to, (H, columns)."""
        return self.limits if is_mandatory else self.load_limits


def compile_problem(need: Need, policy: Policy) -> Problem:
    """Compile a need. Linear in hosts, VMs and rules."""
    snapshot = need.snapshot
    hosts, vms = snapshot.hosts, snapshot.running_vms
    host_at = {host.id: row for row, host in enumerate(hosts)}
    vm_at = {vm.id: row for row, vm in enumerate(vms)}
    at = np.array([host_at[vm.host] for vm in vms], dtype=np.int64)
    end = _ends(need, at, host_at, vm_at)
    ground = Ground(snapshot, policy, need.demand)
    size = _sizes(need, vms, ground.slots)
    limits = _limits(hosts, policy, size.shape[1])
    serving = {host.id for host in snapshot.serving_hosts}
    apart = _groups(_rules(need, RuleType.ANTI_AFFINITY), vm_at, host_at)
    together = _groups(_rules(need, RuleType.AFFINITY), vm_at, host_at)
    softer = [rule for rule in snapshot.active_rules() if not rule.mandatory]
    return Problem(
        need=need,
        policy=policy,
        ground=ground,
        hosts=hosts,
        vms=vms,
        host_at=host_at,
        vm_at=vm_at,
        capacity=_capacity(hosts),
        limits=limits,
        load_limits=_load_limits(hosts, policy, limits),
        transit=_transit(len(hosts), size, at, end),
        size=size,
        configured_mib=np.array([vm.memory_mib for vm in vms], dtype=np.float64),
        numa_nodes=np.array([_node(host) for host in hosts], dtype=np.float64).reshape(-1, 2),
        slots=ground.slots,
        at=at,
        end=end,
        link_mbps=np.array([copy_mbps(host) for host in hosts]) / LINK_EFFICIENCY,
        dirty_mbps=np.array([vm.dirty_rate_mbps or 0.0 for vm in vms]),
        pace=_paces(need.paces, hosts),
        serving=np.array([host.id in serving for host in hosts], dtype=bool),
        leaving=np.array([host.is_leaving for host in hosts], dtype=bool),
        pinned=np.array([vm.id in need.holds.pinned for vm in vms], dtype=bool) | (at != end),
        held=np.array([vm.id in need.holds.vms for vm in vms], dtype=bool),
        excluded={goal: _excluded(need, vms, goal) for goal in Goal},
        apart=apart,
        together=together,
        should=_groups(softer, vm_at, host_at, least=1),
        apart_most=np.array([group.rule.most for group in apart], dtype=np.int64),
        apart_wide=tuple((n, one.domain) for n, one in enumerate(apart) if one.domain is not None),
        apart_pairs=_pairs(apart),
        apart_of=groups_of(apart),
        together_of=groups_of(together),
    )


def _paces(paces: Paces, hosts: Sequence[Host]) -> Floats:
    if not paces.is_known:
        return np.ones((len(hosts), len(hosts)))
    ids = [host.id for host in hosts]
    found = np.array([[paces.of(one, other) for other in ids] for one in ids], dtype=np.float64)
    np.fill_diagonal(found, [paces.of_source(one) for one in ids])
    return found


def _excluded(need: Need, vms: Sequence[Vm], goal: Goal) -> Bools:
    left = need.holds.excluded.get(goal)
    if not left:
        return np.zeros(len(vms), dtype=bool)
    return np.array([vm.id in left for vm in vms], dtype=bool)


def groups_of(groups: Sequence[Group]) -> Mapping[int, tuple[int, ...]]:
    """Return, for each VM in any of the groups, the numbers of its groups."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        for vm in group.members:
            found[vm].append(number)
    return {vm: tuple(numbers) for vm, numbers in found.items()}


def _pairs(groups: Sequence[Group]) -> Ints:
    pairs = [(number, vm) for number, group in enumerate(groups) for vm in group.members]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def _rules(need: Need, kind: RuleType) -> list[Rule]:
    return [rule for rule in need.snapshot.active_rules(kind) if rule.mandatory]


def _groups(
    rules: Sequence[Rule],
    vm_at: Mapping[VmId, int],
    host_at: Mapping[HostId, int],
    *,
    least: int = 2,
) -> tuple[Group, ...]:
    found = []
    for rule in rules:
        members = tuple(sorted({vm_at[vm] for vm in rule.vms if vm in vm_at}))
        if len(members) >= least:
            found.append(Group(rule=rule, members=members, domain=_domains(rule, host_at)))
    return tuple(found)


def _domains(rule: Rule, host_at: Mapping[HostId, int]) -> Ints | None:
    """Return the number of each host's domain, from 0 on without gaps, (H,); None where the rule has none."""
    if not rule.domains or rule.type is not RuleType.ANTI_AFFINITY:
        return None
    domain = np.arange(len(host_at)) + len(rule.domains)
    for number, hosts in enumerate(rule.domains):
        domain[[host_at[host] for host in hosts if host in host_at]] = number
    result: Ints = np.unique(domain, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return result


def _ends(need: Need, at: Ints, host_at: Mapping[HostId, int], vm_at: Mapping[VmId, int]) -> Ints:
    end = at.copy()
    for flight in need.snapshot.in_flight:
        if flight.vm in vm_at and flight.target in host_at:
            end[vm_at[flight.vm]] = host_at[flight.target]
    return end


def _sizes(need: Need, vms: Sequence[Vm], slots: int) -> Floats:
    demands = [need.demand[vm.id] for vm in vms]
    sizes = np.empty((len(vms), COLUMNS + 2 * slots))
    sizes[:, _OF_DEMAND] = np.array(list(map(_FIGURES, demands))).reshape(-1, len(_OF_DEMAND))
    sizes[:, COUNT] = 1.0
    sizes[:, VCPUS] = [vm.vcpus for vm in vms]
    if slots:
        sizes[:, COLUMNS:] = [demand.slots for demand in demands]
    return sizes


def _capacity(hosts: Sequence[Host]) -> Floats:
    rows = [(host.usable_cpu_mhz, host.usable_memory_mib) for host in hosts]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _node(host: Host) -> tuple[float, float]:
    if host.numa_nodes is None:
        return np.inf, np.inf
    cores = np.inf if host.cpu_cores is None else host.cpu_cores / host.numa_nodes
    return cores, host.memory_capacity_mib / host.numa_nodes


def _limits(hosts: Sequence[Host], policy: Policy, columns: int) -> Floats:
    limits = np.full((len(hosts), columns), np.inf)
    for row, host in enumerate(hosts):
        limits[row, FOOTPRINT] = policy.thresholds.memory_ceiling * host.usable_memory_mib + SLACK
        limits[row, CPU_RESERVED] = host.usable_cpu_mhz + SLACK
        limits[row, MEMORY_RESERVED] = host.usable_memory_mib + SLACK
        limits[row, COUNT] = most_vms(host, policy.thresholds)
    return limits


def _load_limits(hosts: Sequence[Host], policy: Policy, limits: Floats) -> Floats:
    limits = limits.copy()
    for row, host in enumerate(hosts):
        limits[row, CPU] = policy.thresholds.cpu_ceiling * host.usable_cpu_mhz + SLACK
        limits[row, VCPUS] = most_vcpus(host, policy.thresholds) + SLACK
    return limits


def _transit(hosts: int, size: Floats, at: Ints, end: Ints) -> Floats:
    transit = np.zeros((hosts, size.shape[1]))
    moving = np.flatnonzero(at != end)
    np.add.at(transit, end[moving], size[moving])
    return transit
