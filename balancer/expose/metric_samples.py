"""Gauges computed from the last snapshot and plan: what a cluster looks like, as plain samples.

Pure. A host that is gone from the snapshot is gone from the samples, so that no series outlives it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import datetime

from balancer.expose.metric_labels import MOVE_REASONS, PAUSE_WORDS, VMOTION, VmClass, unique_labels
from balancer.model.decision import Answer, Decision
from balancer.model.host import Host, HostState
from balancer.model.plan import HostLoad, Move, Plan, Priority, State
from balancer.model.reasons import UNFIT, WITHHELD, Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HOUR_S, Ratio, VmId
from balancer.model.vm import Automation, Vm
from balancer.policy.mode import Mode
from balancer.policy.types import Policy

HERTZ_PER_MHZ = 1e6
BYTES_PER_MIB = float(2**20)

COOLING = frozenset(
    {Reason.RECENTLY_MOVED, Reason.VM_FAILED_RECENTLY, Reason.VM_BUDGET, Reason.CONTENDED}
)
GATES = tuple(sorted({*UNFIT, Reason.HOSTS_LOST}))
"""What a snapshot may be found unfit for: all planning, or with hosts lost all but what must be."""

_OWNERS_WISH = frozenset({Automation.MANUAL, Automation.DISABLED})


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a gauge. `labels` are those behind `vcenter` and `cluster`."""

    name: str
    labels: tuple[str, ...]
    value: float


def setting_samples(policy: Policy, mode: Mode) -> Iterator[Sample]:
    """Yield what the operator has set: mode, trigger and target, limits of simultaneous migrations."""
    for each in Mode:
        yield Sample("balancer_cluster_mode", (each.value,), float(each is mode))
    limits = policy.limits
    yield _plain("cluster_imbalance_trigger_ratio", policy.thresholds.balance_trigger)
    yield _plain("cluster_imbalance_target_ratio", policy.thresholds.balance_target)
    yield Sample("balancer_concurrency_limit", ("host",), limits.migrations_per_host)
    yield Sample("balancer_concurrency_limit", ("cluster",), limits.migrations_per_cluster)
    yield Sample("balancer_concurrency_limit", ("vcenter",), limits.migrations_per_vcenter)


def snapshot_samples(snapshot: Snapshot, state: State) -> Iterator[Sample]:
    """Yield everything that a snapshot and its measured state say about the cluster and its hosts."""
    yield _plain("snapshot_timestamp_seconds", snapshot.taken_at.timestamp())
    yield Sample("balancer_snapshot_objects", ("host",), len(snapshot.hosts))
    yield Sample("balancer_snapshot_objects", ("vm",), len(snapshot.vms))
    yield Sample("balancer_snapshot_objects", ("rule",), len(snapshot.rules))
    yield _plain("snapshot_denied_objects", snapshot.source.denied_objects)
    yield Sample("balancer_cluster_imbalance_ratio", ("cpu",), state.cpu.stddev)
    yield Sample("balancer_cluster_imbalance_ratio", ("memory",), state.memory.stddev)
    yield _plain("cluster_imbalance_combined_ratio", state.imbalance)
    hosts = Counter(host.state for host in snapshot.hosts)
    for host_state in HostState:
        yield Sample("balancer_cluster_hosts", (host_state.value,), hosts[host_state])
    yield from _violation_samples(state)
    yield from _capacity_samples(snapshot, state)
    yield from _host_samples(snapshot, state)


def vm_class_samples(snapshot: Snapshot, cooling: frozenset[VmId]) -> Iterator[Sample]:
    """Yield the running VMs by class; `cooling` names those that experience holds back."""
    flying = {flight.vm for flight in snapshot.in_flight}
    classes = Counter(_class_of(vm, flying, cooling) for vm in snapshot.running_vms)
    for each in VmClass:
        yield Sample("balancer_cluster_vms", (each.value,), classes[each])


def plan_samples(plan: Plan) -> Iterator[Sample]:
    """Yield what the newest plan intends and predicts, and the mode in force when it was made."""
    for mode in Mode:
        yield Sample("balancer_cluster_mode_in_force", (mode.value,), float(mode == plan.mode))
    moves = Counter(MOVE_REASONS[move.reason] for move in plan.moves)
    for word in sorted(set(MOVE_REASONS.values())):
        yield Sample("balancer_plan_moves", (word,), moves[word])
    stops = {refusal.reason for refusal in plan.refusals}
    for reason in GATES:
        yield Sample("balancer_snapshot_unfit", (reason.value,), float(reason in stops))
    for when, state in (("before", plan.before), ("after", plan.after)):
        name = "balancer_plan_predicted_imbalance_ratio"
        yield Sample(name, ("cpu", when), state.cpu.stddev)
        yield Sample(name, ("memory", when), state.memory.stddev)
    yield _plain("plan_makespan_gap_ratio", plan.makespan_ratio - 1.0)
    if plan.decision is not None:
        yield from decision_samples(plan.decision)
    if plan.bound is not None and plan.bound.gap is not None:
        yield _plain("plan_optimality_gap_ratio", plan.bound.gap)


def decision_samples(decision: Decision) -> Iterator[Sample]:
    """Yield what was decided for each aim, for how long it has called, and what the moves are to bring."""
    for aim, reading in (("contention", decision.contention), ("balance", decision.balance)):
        yield Sample("balancer_trigger_sustained_ratio", (aim,), reading.sustained)
        for answer in Answer:
            yield Sample(
                "balancer_plan_decision", (aim, answer.value), float(answer is reading.answer)
            )
    bargain = decision.bargain
    hours = bargain.horizon_s / HOUR_S if bargain else 1.0
    relief_mhz = bargain.relief_mhz_h / hours if bargain else 0.0
    yield _plain("plan_predicted_relief_hertz", relief_mhz * HERTZ_PER_MHZ)
    if bargain is not None and bargain.price > 0.0:
        yield _plain("plan_gain_price_ratio", bargain.gain / bargain.price)


def withheld_samples(held: Refusal | None) -> Iterator[Sample]:
    """Yield for which of its reasons the last plan was not carried out in a mode that acts."""
    for reason in sorted(WITHHELD):
        is_it = held is not None and held.reason is reason
        yield Sample("balancer_cluster_acting_withheld", (reason.value,), float(is_it))


def paused_samples(stops: Set[Reason]) -> Iterator[Sample]:
    """Yield for which of their reasons people let nothing be sent."""
    for reason, word in PAUSE_WORDS.items():
        yield Sample("balancer_paused", (word,), float(reason in stops))


def flight_samples(started: Iterable[float], queued: Iterable[Move]) -> Iterator[Sample]:
    """Yield how many migrations run and wait, and the start of the oldest (Unix seconds)."""
    starts = sorted(started)
    waiting = Counter(move.priority for move in queued)
    yield Sample("balancer_migrations_in_flight", (VMOTION,), len(starts))
    for priority in Priority:
        yield Sample("balancer_migrations_queued", (priority.value,), waiting[priority])
    if starts:
        yield _plain("oldest_migration_start_timestamp_seconds", starts[0])


def moment_samples(waiting: int, progressed_at: datetime | None) -> Iterator[Sample]:
    """Yield how many plans wait for a person, and when the loop last did something."""
    yield _plain("plan_approvals_pending", waiting)
    if progressed_at is not None:
        yield _plain("last_progress_timestamp_seconds", progressed_at.timestamp())


def _plain(name: str, value: float) -> Sample:
    return Sample(f"balancer_{name}", (), value)


def _violation_samples(state: State) -> Iterator[Sample]:
    broken = Counter((v.type, v.mandatory) for v in state.violations)
    for rule_type in RuleType:
        for mandatory, word in ((True, "hard"), (False, "soft")):
            value = broken[rule_type, mandatory]
            yield Sample("balancer_rule_violations", (rule_type.value, word), value)


def _host_samples(snapshot: Snapshot, state: State) -> Iterator[Sample]:
    labels = unique_labels({host.id: host.name for host in snapshot.hosts})
    loads = {load.id: load for load in state.hosts}
    for host in snapshot.hosts:
        name, load = labels[host.id], loads.get(host.id)
        cpu_hertz = host.usable_cpu_mhz * HERTZ_PER_MHZ
        memory_bytes = host.usable_memory_mib * BYTES_PER_MIB
        yield Sample("balancer_host_cpu_capacity_hertz", (name,), cpu_hertz)
        yield Sample("balancer_host_memory_capacity_bytes", (name,), memory_bytes)
        if load is None:
            continue
        yield Sample("balancer_host_cpu_demand_hertz", (name,), load.cpu_ratio * cpu_hertz)
        yield Sample("balancer_host_memory_demand_bytes", (name,), load.memory_ratio * memory_bytes)
        yield Sample("balancer_host_utilization_ratio", (name, "cpu"), load.cpu_ratio)
        yield Sample("balancer_host_utilization_ratio", (name, "memory"), load.memory_ratio)
        yield Sample("balancer_host_vms", (name,), load.vms)


def _capacity_samples(snapshot: Snapshot, state: State) -> Iterator[Sample]:
    """Yield met demand and headroom per resource, over the hosts that may run VMs."""
    loads = {load.id: load for load in state.hosts}
    serving = [(host, loads[host.id]) for host in snapshot.serving_hosts if host.id in loads]
    ha = snapshot.cluster.ha
    for resource, percent in (
        ("cpu", ha.cpu_reserve_percent),
        ("memory", ha.memory_reserve_percent),
    ):
        figures = [_figures(host, load, resource) for host, load in serving]
        met = _satisfied(figures)
        left = _headroom(figures, ha, percent / 100.0)
        yield Sample("balancer_cluster_demand_satisfied_ratio", (resource,), met)
        yield Sample("balancer_cluster_headroom_ratio", (resource,), left)


def _figures(host: Host, load: HostLoad, resource: str) -> tuple[float, float]:
    """Return usable capacity and demand of one resource."""
    if resource == "cpu":
        return host.usable_cpu_mhz, load.cpu_ratio * host.usable_cpu_mhz
    return host.usable_memory_mib, load.memory_ratio * host.usable_memory_mib


def _satisfied(figures: list[tuple[float, float]]) -> Ratio:
    demand = sum(wanted for _, wanted in figures)
    unmet = sum(max(wanted - capacity, 0.0) for capacity, wanted in figures)
    return 1.0 - unmet / demand if demand > 0.0 else 1.0


def _headroom(figures: list[tuple[float, float]], ha: Ha, reserve: Ratio) -> Ratio:
    capacities = sorted((capacity for capacity, _ in figures), reverse=True)
    total = sum(capacities)
    if total <= 0.0:
        return 0.0
    lost = sum(capacities[: ha.host_failures_to_tolerate])
    kept = max(lost, reserve * total) if ha.enabled else 0.0
    return (total - kept - sum(wanted for _, wanted in figures)) / total


def _class_of(vm: Vm, flying: set[VmId], cooling: frozenset[VmId]) -> VmClass:
    if vm.id in flying:
        return VmClass.PINNED
    if vm.blockers:
        return VmClass.IMMOVABLE
    if vm.automation in _OWNERS_WISH:
        return VmClass.EXCLUDED
    return VmClass.COOLING_DOWN if vm.id in cooling else VmClass.MOVABLE
