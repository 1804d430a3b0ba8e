"""A policy as it is written down: `kind: Policy`, every setting with its range, default and meaning.

It owns the form of the document and the JSON Schema that editors use; the values that the program works
with are `policy.types`. Names and defaults of both are compared by a test, so that they cannot drift.
Unknown keys are refused. It reads no file: see `policy.load`.
"""

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from balancer.model.plan import MoveReason, Priority
from balancer.policy.limits_document import (
    AtLeastOne,
    LimitsDocument,
    PositiveSeconds,
    PositiveShare,
    Share,
)
from balancer.policy.mode import Mode
from balancer.policy.rule_document import (
    DrsDocument,
    RuleDocument,
    TagRulesDocument,
    VmModeDocument,
)
from balancer.policy.selector_document import DocumentPart, Word
from balancer.policy.types import (
    DemandReading,
    ForecastKind,
    Goals,
    Limits,
    MemoryMetric,
    Policy,
    Prices,
    Scope,
    Statistic,
    Thresholds,
    TriggerRules,
)
from balancer.policy.window_document import WindowDocument

API_VERSION = "balancer/v1"
KIND = "Policy"

Price = Annotated[float, Field(ge=0, le=1e6)]
LastingSeconds = Annotated[float, Field(ge=0, le=86_400)]
Grave = Annotated[float, Field(gt=0, le=10)]
MOST_WINDOWS = 100
MigrationThreshold = Annotated[int, Field(ge=1, le=5)]


class GoalsDocument(DocumentPart):
    """Each aim switched on or off by itself."""

    evacuation: bool = Field(default=True, description="Empty hosts that enter maintenance.")
    rules: bool = Field(
        default=True, description="Repair broken affinity, anti-affinity and VM-host rules."
    )
    contention: bool = Field(
        default=True, description="Relieve hosts above a contention threshold."
    )
    balance: bool = Field(default=True, description="Level the load of the hosts.")
    vm_count: bool = Field(
        default=False, description="Even out the number of VMs as well, load permitting."
    )
    consolidation: bool = Field(
        default=False,
        description="Empty whole hosts where the others have room, instead of levelling.",
    )


class ThresholdsDocument(DocumentPart):
    """Shares (0..1) of a host's usable capacity, and of imbalance."""

    cpu_ceiling: PositiveShare = Field(
        default=1.0,
        description="No move fills a host's CPU above this; evacuations and repairs may.",
    )
    memory_ceiling: PositiveShare = Field(
        default=0.96, description="No move whatever fills a host's memory above this."
    )
    cpu_contention: PositiveShare = Field(
        default=0.85, description="A host with more CPU demand than this is relieved."
    )
    memory_contention: PositiveShare = Field(
        default=0.92, description="A host with more memory demand than this is relieved."
    )
    balance_trigger: PositiveShare = Field(
        default=0.05,
        description="Balance is sought when the weighted standard deviation of host load is above this.",
    )
    balance_target: Share = Field(
        default=0.025, description="Once begun, balance is sought down to this."
    )
    cpu_risk: Annotated[float, Field(ge=0, le=6)] = Field(
        default=2.0,
        description="Standard deviations of a host's CPU demand that count as contention on top of its mean.",
    )
    peak_share: Share = Field(
        default=0.2,
        description="Of forecast demand the load counts that is reached in this share of the time.",
    )
    vcpus_per_core: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        default=None,
        description="No move brings a host above so many vCPUs per core. Null: no limit.",
    )
    vms_per_host: AtLeastOne | None = Field(
        default=None, description="No move brings a host above so many running VMs. Null: no limit."
    )
    vm_count_trigger: Share = Field(
        default=0.3,
        description="Counts are evened out when their standard deviation is above this share of the mean.",
    )
    vm_count_target: Share = Field(
        default=0.2, description="Once begun, counts are evened out down to this."
    )
    minimum_benefit: Share = Field(
        default=0.0,
        description="Moves for balance are made only if together they lessen the imbalance by this share.",
    )
    balance_floor: Share = Field(
        default=0.0,
        description="Balance is sought only while some host has more demand than this share of its capacity.",
    )


class TriggerDocument(DocumentPart):
    """For how long contention and imbalance must last before they are acted on."""

    contention_sustained_s: LastingSeconds = Field(
        default=600.0,
        description="A host is relieved if it was above a threshold of late; 0: however short it was.",
    )
    balance_sustained_s: LastingSeconds = Field(
        default=600.0,
        description="Balance is sought if it was above its trigger of late; 0: however short it was.",
    )
    sustained_share: PositiveShare = Field(
        default=0.6, description="In this share of the looks at that time it must have been so."
    )
    grave: Grave = Field(
        default=1.0,
        description="A host above this share of its capacity is relieved at once, after one look.",
    )
    foreseen: bool = Field(
        default=True,
        description="Relieve a host that a forecast sees above a threshold before it was so.",
    )


class PricesDocument(DocumentPart):
    """What a move costs beside what it brings; all but `soft_rule` per host, see `Prices`."""

    move_price: Price = Field(
        default=3e-5,
        description="What a move must make up for, as one host's squared deviation. Higher: fewer moves.",
    )
    per_second: Price = Field(
        default=0.05, description="How much dearer each predicted second makes a move (0.05: 5 %)."
    )
    soft_rule: Price = Field(
        default=2e-3, description="Cost of a broken should-rule, times its weight."
    )
    stable_s: PositiveSeconds = Field(
        default=3600.0,
        description="How long the load is expected to stay as it is; longer: moves are worth more.",
    )
    wide_vm: Price = Field(
        default=3e-4,
        description="Cost of placing a VM wider than a NUMA node of the host where another host fits it.",
    )


class PrioritiesDocument(DocumentPart):
    """The vMotion priority asked of vCenter, by the reason of the move."""

    evacuate: Priority = Priority.HIGH
    rule: Priority = Priority.DEFAULT
    should_rule: Priority = Priority.LOW
    contention: Priority = Priority.DEFAULT
    balance: Priority = Priority.LOW
    make_room: Priority = Priority.HIGH
    parking: Priority = Priority.DEFAULT
    consolidate: Priority = Priority.LOW
    requested: Priority = Priority.HIGH


class DemandDocument(DocumentPart):
    """What counts as demand."""

    statistic: Statistic = Field(
        default=Statistic.MEAN,
        description="Which value of a VM's varying CPU demand counts: its mean or a percentile.",
    )
    forecast: ForecastKind = Field(
        default=ForecastKind.LEVEL,
        description="What is planned for: the newest sample, level or peak of late, or the expected course.",
    )
    window_s: PositiveSeconds = Field(
        default=900.0,
        description="Level and peak are those of so long, as far as it is remembered.",
    )
    horizon_s: PositiveSeconds | None = Field(
        default=None,
        description="How far ahead a profile counts. Null: as far as it goes, an hour of a forecast.",
    )


class WindowSettings(DocumentPart):
    """What may differ while a window is open. What is not given is as in the rest of the policy."""

    migration_threshold: MigrationThreshold = Field(
        default=3, description="As in the policy; what the window sets itself wins over it."
    )
    goals: GoalsDocument = Field(default_factory=GoalsDocument)
    thresholds: ThresholdsDocument = Field(default_factory=ThresholdsDocument)
    trigger: TriggerDocument = Field(default_factory=TriggerDocument)
    prices: PricesDocument = Field(default_factory=PricesDocument)
    limits: LimitsDocument = Field(default_factory=LimitsDocument)
    demand: DemandDocument = Field(default_factory=DemandDocument)
    memory_metric: MemoryMetric = Field(
        default=MemoryMetric.ACTIVE, description="What counts as memory demand, as in the policy."
    )
    idle_memory_share: Share = Field(
        default=0.25, description="Share of idle memory that counts as demand, as in the policy."
    )
    priorities: PrioritiesDocument = Field(default_factory=PrioritiesDocument)


WindowDocument.model_rebuild(_types_namespace={"WindowSettings": WindowSettings})


class ScopeDocument(DocumentPart):
    """What a policy applies to; on a cluster elsewhere it is refused."""

    vcenters: tuple[Word, ...] = Field(
        default=("*",),
        min_length=1,
        description="Names of vCenters in the configuration; * allowed.",
    )
    clusters: tuple[Word, ...] = Field(
        default=("*",), min_length=1, description="Names of clusters; * and ? allowed."
    )


class PolicyDocument(DocumentPart):
    """What "balanced" means for a cluster. Every setting may be left out; several files are merged."""

    model_config = ConfigDict(title="Balancing policy, version 1")

    api_version: Literal["balancer/v1"] = Field(
        alias="apiVersion", description="Version of the format."
    )
    kind: Literal["Policy"] = Field(description="What the file is.")
    name: Word = Field(default="balanced", description="Shown in reports.")
    description: str = Field(default="", description="For people.")
    applies_to: ScopeDocument = Field(default_factory=ScopeDocument)
    mode: Mode | None = Field(
        default=None,
        description="The freest mode that this policy allows; the cluster's own mode holds as well.",
    )
    vm_modes: tuple[VmModeDocument, ...] = Field(
        default=(), description="The freest modes for single VMs."
    )
    migration_threshold: MigrationThreshold = Field(
        default=3,
        description="As in DRS: 1 makes mandatory moves alone, 5 the most; single settings win over it.",
    )
    goals: GoalsDocument = Field(default_factory=GoalsDocument)
    thresholds: ThresholdsDocument = Field(default_factory=ThresholdsDocument)
    trigger: TriggerDocument = Field(default_factory=TriggerDocument)
    prices: PricesDocument = Field(default_factory=PricesDocument)
    limits: LimitsDocument = Field(default_factory=LimitsDocument)
    demand: DemandDocument = Field(default_factory=DemandDocument)
    memory_metric: MemoryMetric = Field(
        default=MemoryMetric.ACTIVE,
        description="What counts as memory demand: active plus a share of the idle rest, consumed, granted.",
    )
    idle_memory_share: Share = Field(
        default=0.25,
        description="Share of idle memory that counts as demand when the metric is active.",
    )
    priorities: PrioritiesDocument = Field(default_factory=PrioritiesDocument)
    windows: tuple[WindowDocument, ...] = Field(
        default=(),
        max_length=MOST_WINDOWS,
        description="Times at which the policy allows more, less, or otherwise.",
    )
    outside_windows: Mode = Field(
        default=Mode.OBSERVE,
        description="The freest mode while there are allow windows and none is open.",
    )
    rules: tuple[RuleDocument, ...] = Field(default=(), description="Rules of this policy.")
    drs: DrsDocument = Field(default_factory=DrsDocument)
    tag_rules: TagRulesDocument = Field(default_factory=TagRulesDocument)


def policy_from(document: PolicyDocument) -> Policy:
    """Return the values that the program works with."""
    given = document.priorities.model_dump()
    return Policy(
        name=document.name,
        description=document.description,
        applies_to=Scope(**document.applies_to.model_dump()),
        mode=document.mode,
        vm_modes=tuple(one.value() for one in document.vm_modes),
        migration_threshold=document.migration_threshold,
        goals=Goals(**document.goals.model_dump()),
        thresholds=Thresholds(**document.thresholds.model_dump()),
        trigger=TriggerRules(**document.trigger.model_dump()),
        prices=Prices(**document.prices.model_dump()),
        limits=Limits(**document.limits.model_dump()),
        demand=DemandReading(**document.demand.model_dump()),
        memory_metric=document.memory_metric,
        idle_memory_share=document.idle_memory_share,
        priorities=MappingProxyType({reason: given[reason.value] for reason in MoveReason}),
        windows=tuple(window.value() for window in document.windows),
        outside_windows=document.outside_windows,
        rules=tuple(rule.value() for rule in document.rules),
        drs=document.drs.value(),
        tag_rules=document.tag_rules.value(),
    )


def policy_schema() -> dict[str, object]:
    """Return the JSON Schema of the document, as published in `balancer/schemas`."""
    schema = PolicyDocument.model_json_schema(by_alias=True)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "balancer/policy.v1.schema.json",
    }
    return head | schema
