"""Every "no" of this program, as one enumeration. The same word stands in plan, report, metric and log."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from balancer.model.units import HostId, VmId


class Reason(StrEnum):
    """Why a VM stays, a pair is ruled out, a move is not started or a snapshot is not acted on."""

    # the VM itself
    NOT_RUNNING = "not_running"
    ON_SOURCE_ALREADY = "on_source_already"
    AUTOMATION_MANUAL = "automation_manual"
    AUTOMATION_DISABLED = "automation_disabled"
    PASSTHROUGH_DEVICE = "passthrough_device"
    VGPU = "vgpu"
    SRIOV = "sriov"
    USB_DEVICE = "usb_device"
    CPU_AFFINITY = "cpu_affinity"
    HOST_LOCAL_CDROM = "host_local_cdrom"
    LOCAL_CDROM_BACKING = "local_cdrom_backing"
    TOOLS_INSTALLING = "tools_installing"
    SHARED_SCSI_BUS = "shared_scsi_bus"
    FAULT_TOLERANCE = "fault_tolerance"
    PENDING_QUESTION = "pending_question"
    INACCESSIBLE = "inaccessible"
    METHOD_DISABLED = "method_disabled"
    AGENT_VM = "agent_vm"
    CONSOLIDATING = "consolidating"
    LATENCY_SENSITIVE_PINNED = "latency_sensitive_pinned"
    NO_DEMAND_DATA = "no_demand_data"
    EXCLUDED = "excluded"
    # the pair of VM and host
    SOURCE_HOST_STATE = "source_host_state"
    TARGET_HOST_STATE = "target_host_state"
    FAILOVER_HOST = "failover_host"
    VMOTION_DISABLED = "vmotion_disabled"
    ENCRYPTION_UNSUPPORTED = "encryption_unsupported"
    EVC = "evc"
    EVC_UNKNOWN = "evc_unknown"
    CPU_VENDOR = "cpu_vendor"
    CPU_FEATURES = "cpu_features"
    DATASTORE = "datastore"
    NETWORK = "network"
    VMOTION_LINK_SLOW = "vmotion_link_slow"
    VMOTION_NETWORK = "vmotion_network"
    HIGH_DIRTY_RATE = "high_dirty_rate"
    SWAP_FILE = "swap_file"
    MEMORY_CEILING = "memory_ceiling"
    CPU_CEILING = "cpu_ceiling"
    VCPU_CEILING = "vcpu_ceiling"
    CPU_RESERVATION = "cpu_reservation"
    MEMORY_RESERVATION = "memory_reservation"
    HOST_VM_LIMIT = "host_vm_limit"
    FAILOVER_CAPACITY = "failover_capacity"
    AFFINITY = "affinity"
    ANTI_AFFINITY = "anti_affinity"
    VM_HOST_AFFINE = "vm_host_affine"
    VM_HOST_ANTI_AFFINE = "vm_host_anti_affine"
    SERVER_CHECK = "server_check"
    ABOVE_THRESHOLD = "above_threshold"
    NO_GAIN = "no_gain"
    NOT_SUSTAINED = "not_sustained"
    # time and limits
    RECENTLY_MOVED = "recently_moved"
    VM_FAILED_RECENTLY = "vm_failed_recently"
    TARGET_FAILED_RECENTLY = "target_failed_recently"
    IN_FLIGHT = "in_flight"
    CONTENDED = "contended"
    HOST_SLOTS = "host_slots"
    DATASTORE_SLOTS = "datastore_slots"
    CLUSTER_SLOTS = "cluster_slots"
    RUN_BUDGET = "run_budget"
    HOUR_BUDGET = "hour_budget"
    VM_BUDGET = "vm_budget"
    ON_TRIAL = "on_trial"
    # the plan and its steps
    NO_TARGET = "no_target"
    NOT_NEEDED = "not_needed"
    UNREACHABLE = "unreachable"
    DEPENDENCY_FAILED = "dependency_failed"
    PLAN_TOO_OLD = "plan_too_old"
    SOURCE_CHANGED = "source_changed"
    VM_VANISHED = "vm_vanished"
    HOST_VANISHED = "host_vanished"
    FACT_CHANGED = "fact_changed"
    GOAL_OFF = "goal_off"
    # the whole cluster
    OBSERVE_MODE = "observe_mode"
    NOT_APPROVED = "not_approved"
    WINDOW_CLOSED = "window_closed"
    PAUSED = "paused"
    STOP_FILE = "stop_file"
    LEASE_HELD = "lease_held"
    BREAKER_OPEN = "breaker_open"
    VERDICTS_WORSE = "verdicts_worse"
    VERDICTS_AWAITED = "verdicts_awaited"
    QUIET_TIME = "quiet_time"
    CLUSTER_CONTENDED = "cluster_contended"
    DRS_AUTOMATED = "drs_automated"
    EXCESS_PRIVILEGES = "excess_privileges"
    SNAPSHOT_STALE = "snapshot_stale"
    SNAPSHOT_PARTIAL = "snapshot_partial"
    OBJECTS_MISSING = "objects_missing"
    PERMISSION_HOLES = "permission_holes"
    FACTS_UNKNOWN = "facts_unknown"
    CLOCK_OFF = "clock_off"
    HOSTS_LOST = "hosts_lost"
    STOPPING = "stopping"
    CONNECTION_LOST = "connection_lost"
    JOURNAL_UNAVAILABLE = "journal_unavailable"
    RUN_STOPPED = "run_stopped"


STALE = frozenset({Reason.SNAPSHOT_STALE, Reason.CLOCK_OFF})
"""The snapshot's age is too great, or not known."""

PARTIAL = frozenset({Reason.SNAPSHOT_PARTIAL, Reason.OBJECTS_MISSING, Reason.PERMISSION_HOLES})
"""The snapshot does not show all that is there."""

WITHHELD = frozenset({Reason.DRS_AUTOMATED, Reason.EXCESS_PRIVILEGES})
"""Why a plan is only shown although the mode acts, until a person changes something."""

UNFIT = STALE | PARTIAL
"""Reasons for which nothing at all is planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One "no" with its facts. `count` above 1 stands for that many alike (grouped for reading)."""

    reason: Reason
    detail: str = ""
    vm: VmId | None = None
    host: HostId | None = None
    count: int = 1

    @classmethod
    def of(cls, reason: Reason, detail: str = "", *, vm: str = "", host: str = "") -> Self:
        """Build a refusal from plain ids; an empty id means that it is not about one."""
        return cls(
            reason=reason,
            detail=detail,
            vm=VmId(vm) if vm else None,
            host=HostId(host) if host else None,
        )

    @property
    def told(self) -> str:
        """Return it for people: the facts in words, the stable word behind them in brackets."""
        return f"{self.detail or self.reason.replace('_', ' ')} [{self.reason}]"

    def __str__(self) -> str:
        """Return the stable word and the facts."""
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)
