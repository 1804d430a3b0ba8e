"""The typed form of a policy: goals, thresholds, prices, limits. Plain values with the shipped defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from balancer.model.plan import MoveReason, Priority
from balancer.model.units import HostId, Ratio, Seconds
from balancer.policy.mode import Mode
from balancer.policy.rule_types import DrsHandling, PolicyRule, TagRules, VmMode
from balancer.policy.window_types import Window


class MemoryMetric(StrEnum):
    """What counts as a VM's memory demand when balance is measured."""

    ACTIVE = "active"  # active plus `idle_memory_share` of the idle rest
    CONSUMED = "consumed"  # host memory held
    GRANTED = "granted"  # guest memory backed by the host


class Statistic(StrEnum):
    """Which value of a VM's varying CPU demand counts as its demand."""

    MEAN = "mean"
    P75 = "p75"
    P90 = "p90"
    P95 = "p95"


class ForecastKind(StrEnum):
    """What demand a cycle plans for, where it remembers earlier snapshots."""

    SAMPLE = "sample"  # the newest figures alone
    LEVEL = "level"  # mean and deviation over the window
    PEAK = "peak"  # the highest step of the window, without a deviation on top
    PROFILE = "profile"  # the expected course over the horizon


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """Each aim switched on or off by itself."""

    evacuation: bool = True
    rules: bool = True
    contention: bool = True
    balance: bool = True
    vm_count: bool = False
    consolidation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Ratios of a host's usable capacity, and of imbalance.

    `cpu_ceiling` and `memory_ceiling` are laws: no move fills a host above them (evacuations and rule
    repairs may pass the CPU ceiling, never the memory ceiling). A host above `cpu_contention` or
    `memory_contention` is relieved. Balance is sought when the imbalance exceeds `balance_trigger`,
    and then until `balance_target`: the band between the two keeps noise from moving VMs.

    Contention counts `cpu_risk` standard deviations of a host's CPU demand on top of its mean. Of demand
    that is forecast in slots it counts what lasts: the load that is reached in `peak_share` of the slots
    (a share so small that it is less than one slot counts the worst one). `vcpus_per_core` and
    `vms_per_host` are laws like the ceilings, None for no limit. The number of VMs is evened out when its
    relative standard deviation over the hosts exceeds `vm_count_trigger`, and then until `vm_count_target`.
    Moves for balance are made only where together they lessen the imbalance by the share `minimum_benefit`, and
    only while some host is above `balance_floor`: hosts that are all idle need no levelling.
    """

    cpu_ceiling: Ratio = 1.0
    memory_ceiling: Ratio = 0.96
    cpu_contention: Ratio = 0.85
    memory_contention: Ratio = 0.92
    balance_trigger: Ratio = 0.05
    balance_target: Ratio = 0.025
    cpu_risk: float = 2.0
    peak_share: Ratio = 0.2
    vcpus_per_core: float | None = None
    vms_per_host: int | None = None
    vm_count_trigger: Ratio = 0.3
    vm_count_target: Ratio = 0.2
    minimum_benefit: Ratio = 0.0
    balance_floor: Ratio = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRules:
    """For how long contention and imbalance must last before they are acted on.

    A host is relieved, or balance sought, only where the figure was above its threshold in `sustained_share` of
    the looks at the last `contention_sustained_s` or `balance_sustained_s`; 0 waits for nothing. A host above
    `grave`, a share of its capacity, is relieved at once. `foreseen` says whether a host that is above its
    threshold by a forecast over the horizon is relieved before it was so.
    """

    contention_sustained_s: Seconds = 600.0
    balance_sustained_s: Seconds = 600.0
    sustained_share: Ratio = 0.6
    grave: Ratio = 1.0
    foreseen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a move costs beside what it brings.

    A move is priced at 1 + `per_second` x its predicted seconds, times `move_price`: the squared deviation
    of one host's load that it must make up for. The objective is a mean over the hosts, so that this is
    divided by their number: a move is worth the same in clusters of every size. A broken should-rule costs
    `soft_rule` times its weight. The load is expected to stay as it is for `stable_s`: the longer, the more
    a move is worth its price, which is that of an hour. To place a VM that is wider than a NUMA node of the
    host costs `wide_vm` where another host fits it.
    """

    move_price: float = 3e-5
    per_second: float = 0.05
    soft_rule: float = 2e-3
    stable_s: Seconds = 3600.0
    wide_vm: float = 3e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may do, and how fresh its facts must be. They bound execution, not the plan."""

    moves_per_run_ratio: Ratio = 0.05
    moves_per_run_at_least: int = 2
    moves_per_run_at_most: int = 20
    moves_per_hour_ratio: Ratio = 0.10
    mandatory_moves_per_run: int = 40
    migrations_per_host: int = 2
    migrations_per_cluster: int = 4
    migrations_per_vcenter: int = 16
    moves_per_vm_per_day: int = 2
    residence_s: Seconds = 3600.0
    failed_vm_hold_s: Seconds = 900.0
    failed_vm_quarantine_s: Seconds = 86_400.0
    failed_target_quarantine_s: Seconds = 3600.0
    plan_age_s: Seconds = 120.0
    snapshot_age_s: Seconds = 60.0
    fresh_hosts_ratio: Ratio = 0.90
    fresh_vms_ratio: Ratio = 0.95
    sample_age_s: Seconds = 120.0
    denied_objects_at_most: int = 0
    missing_objects_ratio: Ratio = 0.10
    missing_hold_s: Seconds = 900.0
    clock_offset_s: Seconds = 60.0
    clock_jump_s: Seconds = 10.0
    lost_hosts_ratio: Ratio = 0.20
    lost_hosts_at_most: int = 3
    migration_timeout_s: Seconds = 900.0
    migration_timeout_factor: float = 4.0
    breaker_failures_in_row: int = 3
    breaker_failed_ratio: Ratio = 0.20
    breaker_open_s: Seconds = 1800.0
    breaker_open_at_most_s: Seconds = 21_600.0
    quiet_s: Seconds = 600.0
    quarantine_at_most_s: Seconds = 604_800.0
    residence_growth: float = 2.0
    returns_at_most: int = 2
    moves_on_trial: int = 2
    worse_verdicts: int = 3
    verdict_after_s: Seconds = 300.0
    approval_s: Seconds = 600.0
    approved_plan_age_s: Seconds = 1800.0


DEFAULT_PRIORITIES: Mapping[MoveReason, Priority] = MappingProxyType(
    {
        MoveReason.EVACUATE: Priority.HIGH,
        MoveReason.RULE: Priority.DEFAULT,
        MoveReason.SHOULD_RULE: Priority.LOW,
        MoveReason.CONTENTION: Priority.DEFAULT,
        MoveReason.BALANCE: Priority.LOW,
        MoveReason.MAKE_ROOM: Priority.HIGH,
        MoveReason.PARKING: Priority.DEFAULT,
        MoveReason.CONSOLIDATE: Priority.LOW,
        MoveReason.REQUESTED: Priority.HIGH,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandReading:
    """What counts as demand: which value of the CPU's varying demand, and how far ahead a profile counts.

    Mean and variance of a level are those of the last `window_s`, as far as the memory reaches. `horizon_s`
    of None takes the whole of a profile that the snapshot brings, and an hour of one that is forecast.
    """

    statistic: Statistic = Statistic.MEAN
    forecast: ForecastKind = ForecastKind.LEVEL
    window_s: Seconds = 900.0
    horizon_s: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a policy applies to: names or globs of vCenters and clusters."""

    vcenters: tuple[str, ...] = ("*",)
    clusters: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that "balanced" means for one cluster at one time.

    `mode` is the freest that the policy allows, None for no word on it: the cluster's own setting holds.
    `migration_threshold` is DRS's 1 (most conservative) to 5 (most aggressive); what it stands for is
    already in the other settings. `evacuating` comes from no file: the hosts that people asked to be emptied.
    """

    name: str = "balanced"
    description: str = ""
    applies_to: Scope = field(default_factory=Scope)
    mode: Mode | None = None
    vm_modes: tuple[VmMode, ...] = ()
    migration_threshold: int = 3
    goals: Goals = field(default_factory=Goals)
    thresholds: Thresholds = field(default_factory=Thresholds)
    trigger: TriggerRules = field(default_factory=TriggerRules)
    prices: Prices = field(default_factory=Prices)
    limits: Limits = field(default_factory=Limits)
    demand: DemandReading = field(default_factory=DemandReading)
    memory_metric: MemoryMetric = MemoryMetric.ACTIVE
    idle_memory_share: Ratio = 0.25
    priorities: Mapping[MoveReason, Priority] = field(default_factory=lambda: DEFAULT_PRIORITIES)
    windows: tuple[Window, ...] = ()
    outside_windows: Mode = Mode.OBSERVE
    rules: tuple[PolicyRule, ...] = ()
    drs: DrsHandling = field(default_factory=DrsHandling)
    tag_rules: TagRules = field(default_factory=TagRules)
    evacuating: frozenset[HostId] = frozenset()
