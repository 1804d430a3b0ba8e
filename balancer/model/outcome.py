"""What became of moves: the journal's states, kinds of failure, and the outcome of one execution."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from balancer.model.plan import Move, MoveReason, Priority
from balancer.model.reasons import Refusal
from balancer.model.units import ClusterId, HostId, MoveId, Seconds, VmId


class MoveState(StrEnum):
    """The journal's states. INTENT, SUBMITTED and UNKNOWN are open: they hold slot, budget and VM."""

    INTENT = "intent"  # written before the call
    SUBMITTED = "submitted"  # vCenter has given a task
    DONE = "done"  # the task succeeded and the VM was seen on the target
    FAILED = "failed"  # refused at the call, or the task ended with a fault
    ABORTED = "aborted"  # intended, but never became a migration
    EXTERNAL = "external"  # the VM is on a host that we did not choose
    UNKNOWN = "unknown"  # no answer in time: watched on, never sent again

    @property
    def is_open(self) -> bool:
        """Whether the row still holds its slot, its budget and its VM."""
        return self in _OPEN


_OPEN = frozenset({MoveState.INTENT, MoveState.SUBMITTED, MoveState.UNKNOWN})


SEEN_LATE = "seen on the target"
"""Detail of a row whose task could not be asked: it had ended when somebody looked, and nobody knows since when."""


class FailureKind(StrEnum):
    """What a failure asks for. One table maps faults to these."""

    SKIP_VM = "skip_vm"  # permanent for this VM
    SKIP_TARGET = "skip_target"  # the host is at fault
    PAIR = "pair"  # this VM cannot go to that host
    CAPACITY = "capacity"  # not enough room: plan again
    TRANSIENT = "transient"  # later
    CANCELLED = "cancelled"  # a person cancelled it
    STOP = "stop"  # stop this run: the session or the login is at fault
    STOP_CLUSTER = "stop_cluster"  # stop until a person has mended it: rights, licences
    UNMAPPED = "unmapped"  # not in the table: stop until a person has looked, and tell


class TaskState(StrEnum):
    """A vCenter task's state. MISSING: the server does not know it (any more)."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"
    MISSING = "missing"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of the task."""
        return self in (TaskState.SUCCESS, TaskState.ERROR, TaskState.MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One look at a task. `fault` is the fault's class name without package, such as `Timedout`.

    `message_keys` are those of the fault's messages, in order: unlike `message`, they are the same in every
    language.
    """

    task: str
    state: TaskState
    progress_percent: int | None = None
    fault: str = ""
    message: str = ""
    message_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTask:
    """A relocation of a VM as the source's task history keeps it. `queued_at` is the source's clock.

    `is_ours` says whether our own account asked for it, None where that is not told.
    """

    vm: VmId
    view: TaskView
    queued_at: datetime | None
    is_ours: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationOrder:
    """What is asked of vCenter: this VM to that host. Compute only; pool and datastores stay."""

    vm: VmId
    vm_name: str
    target: HostId
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A move that is about to be sent, as it is written before the call.

    `pace` is the factor by which experience had changed the predicted seconds (1.0: none).
    `intended_at` is our clock, `intended_at_vcenter` the vCenter's at the same moment, as far as it is known.
    """

    vcenter: str
    cluster: ClusterId
    plan_id: str
    cycle_id: str
    move_id: MoveId
    vm: VmId
    vm_name: str
    vm_uuid: str
    source: HostId
    target: HostId
    reason: MoveReason
    expected_seconds: Seconds
    intended_at: datetime
    intended_at_vcenter: datetime | None = None
    pace: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStep:
    """The next state of a row, and what was learnt with it. Empty fields leave what was there."""

    state: MoveState
    at: datetime
    task: str = ""
    fault: str = ""
    kind: FailureKind | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """One move in the journal with all that is known of it. `id` grows with time."""

    id: int
    entry: JournalEntry
    state: MoveState
    task: str = ""
    fault: str = ""
    kind: FailureKind | None = None
    detail: str = ""
    submitted_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def last_at(self) -> datetime:
        """Return when it ended; of one that has not, when it was last heard of."""
        return self.ended_at or self.submitted_at or self.entry.intended_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """Which rows of the journal are asked for; what is empty or None leaves nothing out.

    `row` is a row's number, `cluster` the cluster's id, `vm` a VM's id or its whole name, `plan` a plan's id.
    `since` and `until` are about when a row was intended: from `since` on, and before `until`. `last`: no more
    than that many, the newest.
    """

    row: int | None = None
    vcenter: str = ""
    cluster: ClusterId | None = None
    vm: str = ""
    states: frozenset[MoveState] = frozenset()
    plan: str = ""
    since: datetime | None = None
    until: datetime | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOutcome:
    """What became of one planned move. `refusal` is set where it was not sent at all."""

    move: Move
    state: MoveState | None
    refusal: Refusal | None = None
    fault: str = ""
    kind: FailureKind | None = None
    detail: str = ""
    seconds: Seconds = 0.0

    @property
    def was_sent(self) -> bool:
        """Whether vCenter was asked for this move."""
        return self.refusal is None
