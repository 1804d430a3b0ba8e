"""The limits of a policy as they are written down, and the kinds of numbers that its sections share.

Limits bound execution, not the plan. Of several files the strictest value counts: see `policy.strictness`.
"""

from typing import Annotated

from pydantic import Field

from balancer.policy.selector_document import DocumentPart

Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
MOST_SECONDS = 315_360_000.0
"""Ten years: longer times mean nothing here, and calendars end."""

MOST_COUNT = 1_000_000_000

Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
PositiveSeconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)]
Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
AtLeastOne = Annotated[int, Field(ge=1, le=MOST_COUNT)]
HostSlots = Annotated[int, Field(ge=1, le=8)]
"""vCenter runs at most 8 vMotions of a host at once (4 on 1 GbE) and queues the rest.

Source: VMware, "Limits on Simultaneous Migrations", vSphere 8.
"""


class LimitsDocument(DocumentPart):
    """What one run may do, and how fresh its facts must be. Limits bound execution, not the plan."""

    moves_per_run_ratio: Share = Field(
        default=0.05, description="Share of running VMs moved in one run."
    )
    moves_per_run_at_least: Count = Field(
        default=2, description="So many are allowed in small clusters."
    )
    moves_per_run_at_most: Count = Field(default=20, description="Never more in one run.")
    moves_per_hour_ratio: Share = Field(
        default=0.10, description="Share of running VMs moved in one hour."
    )
    mandatory_moves_per_run: Count = Field(
        default=40, description="Own budget of evacuations and must-rule repairs in one run."
    )
    migrations_per_host: HostSlots = Field(default=2, description="At the same time, in and out.")
    migrations_per_cluster: AtLeastOne = Field(default=4, description="At the same time.")
    migrations_per_vcenter: AtLeastOne = Field(default=16, description="At the same time.")
    moves_per_vm_per_day: Count = Field(
        default=2, description="In 24 hours; evacuations and repairs are not refused by it."
    )
    residence_s: Seconds = Field(default=3600.0, description="Seconds a VM stays after a move.")
    failed_vm_hold_s: Seconds = Field(
        default=900.0, description="Seconds a VM rests after one failure."
    )
    failed_vm_quarantine_s: Seconds = Field(
        default=86_400.0,
        description="Seconds a VM stays after two failures or two returns in a day.",
    )
    failed_target_quarantine_s: Seconds = Field(
        default=3600.0, description="Seconds a host is no target after two failures of one kind."
    )
    plan_age_s: PositiveSeconds = Field(
        default=120.0, description="Oldest plan that is still carried out."
    )
    snapshot_age_s: PositiveSeconds = Field(
        default=60.0, description="Oldest snapshot planned from."
    )
    fresh_hosts_ratio: Share = Field(
        default=0.90, description="Share of hosts that must have fresh data."
    )
    fresh_vms_ratio: Share = Field(
        default=0.95, description="Share of running VMs with fresh data."
    )
    sample_age_s: PositiveSeconds = Field(
        default=120.0, description="Older samples are no fresh data, where their time is known."
    )
    denied_objects_at_most: Count = Field(
        default=0, description="Hosts and VMs of which a property may be hidden from the account."
    )
    missing_objects_ratio: Share = Field(
        default=0.10,
        description="Share of hosts or VMs that may be gone since the last cycle; a single one always may.",
    )
    missing_hold_s: Seconds = Field(
        default=900.0, description="Seconds after which what is missing counts as gone for good."
    )
    clock_offset_s: PositiveSeconds = Field(
        default=60.0, description="How far vCenter's clock may be from ours."
    )
    clock_jump_s: PositiveSeconds = Field(
        default=10.0, description="How far a clock may jump from one cycle to the next."
    )
    lost_hosts_ratio: Share = Field(
        default=0.20,
        description="Above this share of unreachable hosts only evacuation and repair.",
    )
    lost_hosts_at_most: Count = Field(default=3, description="The same as a number of hosts.")
    migration_timeout_s: PositiveSeconds = Field(
        default=900.0, description="Least seconds after which a migration's end counts as unknown."
    )
    migration_timeout_factor: Annotated[float, Field(ge=1, le=1e4)] = Field(
        default=4.0,
        description="The same as a multiple of the predicted seconds; the longer one counts.",
    )
    breaker_failures_in_row: AtLeastOne = Field(
        default=3, description="So many failed moves in a row stop the cluster for a while."
    )
    breaker_failed_ratio: PositiveShare = Field(
        default=0.20, description="The same as a share of the last 20 moves."
    )
    breaker_open_s: PositiveSeconds = Field(
        default=1800.0,
        description="Seconds of the first stop; doubles while the probe after it fails.",
    )
    breaker_open_at_most_s: PositiveSeconds = Field(
        default=21_600.0, description="Longest stop, in seconds."
    )
    quiet_s: Seconds = Field(
        default=600.0,
        description="Seconds in peace after failures of hosts, and after hosts come or go.",
    )
    quarantine_at_most_s: Seconds = Field(
        default=604_800.0, description="A quarantine doubles each time, up to so many seconds."
    )
    residence_growth: Annotated[float, Field(ge=1, le=1000)] = Field(
        default=2.0,
        description="Each further move of a VM within a day multiplies its residence by so much.",
    )
    returns_at_most: AtLeastOne = Field(
        default=2,
        description="So many VMs moved back by others within a day: the cluster is left to them.",
    )
    moves_on_trial: AtLeastOne = Field(
        default=2,
        description="Load moves whose 15 minutes are not over; every two that stood allow one more.",
    )
    worse_verdicts: AtLeastOne = Field(
        default=3,
        description="So many of the last 5 batches measured as worse: only observed from then on.",
    )
    verdict_after_s: Seconds = Field(
        default=300.0, description="Seconds after a batch before its effect is measured."
    )
    approval_s: PositiveSeconds = Field(
        default=600.0, description="Seconds in which a plan can be approved, and an approval used."
    )
    approved_plan_age_s: PositiveSeconds = Field(
        default=1800.0, description="Oldest approved plan of which moves are still started."
    )
