"""What earlier cycles learnt about a cluster, as the journal keeps it: the memory of the balancer. Values only."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from balancer.model.host import HostState
from balancer.model.outcome import JournalRow
from balancer.model.reasons import Reason
from balancer.model.units import ClusterId, HostId, VmId


class SubjectKind(StrEnum):
    """What a quarantine is about."""

    VM = "vm"
    HOST = "host"  # as a target


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A VM that is left alone, or a host that gets nothing, until `until`.

    `subject` is the id of the VM or host, `identity` a VM's instance uuid. `level` counts from 1: each further
    one within memory doubles. `cause` is the journal row that brought it; one row brings one at most.
    """

    id: int = 0
    vcenter: str
    cluster: ClusterId
    kind: SubjectKind
    subject: str
    identity: str = ""
    level: int
    since: datetime
    until: datetime
    reason: Reason
    detail: str
    cause: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMove:
    """A VM that somebody else moved, found on `target` instead of `source`, and the move of ours that it undoes.

    `row` is our last move of the VM, or the move of another VM whose way this one took back. `is_return` says
    that the VM went back where we had taken it from; `is_against` that what a move of ours had done within the
    day was undone by choice, not because the host had to be emptied or was lost. An acknowledged one does not
    count any more.
    """

    id: int = 0
    vcenter: str
    cluster: ClusterId
    vm: VmId
    vm_name: str
    source: HostId
    target: HostId
    seen_at: datetime
    row: int
    is_return: bool
    is_against: bool = True
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""


class DisturbanceKind(StrEnum):
    """What makes a cluster's load mean little for a while."""

    HOST_JOINED = "host_joined"
    HOST_LEFT = "host_left"
    HOST_LOST = "host_lost"
    HOST_BACK = "host_back"
    HA_RESTARTS = "ha_restarts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """Something happened to a cluster after which it is left in peace for a while. `subject` is the host's id."""

    id: int = 0
    vcenter: str
    cluster: ClusterId
    kind: DisturbanceKind
    at: datetime
    detail: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHost:
    """A host as the last look at its cluster saw it."""

    id: HostId
    name: str
    state: HostState


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Stops a cluster after a run of failures: open until `until`, then one probe. `level` of 0: closed, calm.

    `level` counts the openings that followed each other, `since` and `until` belong to the last one; failures
    of rows up to `counted_to` have been dealt with.
    """

    level: int = 0
    since: datetime | None = None
    until: datetime | None = None
    cause: str = ""
    counted_to: int = 0
    is_open: bool = False


class VerdictResult(StrEnum):
    """Whether a batch of moves helped."""

    PENDING = "pending"  # not measured yet
    BETTER = "better"
    NEUTRAL = "neutral"
    WORSE = "worse"
    UNKNOWN = "unknown"  # cannot be measured any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one batch (the moves that one cycle sent) did, measured once it had settled.

    Gains are in units of `State.cost`, positive for an improvement: `predicted_gain` by the plan for what was
    sent (None where the plan is not known any more), `measured_gain` against the same load with the VMs where
    they came from. `ended_at` is when the last move ended. An acknowledged one does not count for the fallback
    any more.
    """

    id: int = 0
    vcenter: str
    cluster: ClusterId
    plan_id: str
    cycle_id: str
    ended_at: datetime
    predicted_gain: float | None
    result: VerdictResult = VerdictResult.PENDING
    measured_gain: float | None = None
    judged_at: datetime | None = None
    detail: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""

    @property
    def told(self) -> str:
        """Return it for people: the result, what was measured, and which batch it is about."""
        what = self.detail or "not measured yet"
        return f"{self.result}: {what} (batch {self.cycle_id}, {self.ended_at:%Y-%m-%d %H:%M} UTC)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """All that is remembered of one cluster, each oldest first. Nothing: as on the first day.

    `rows` holds the journal's rows since the beginning of memory and every open one, `hosts` those of the last
    look by id, none where nobody has looked yet.
    """

    rows: tuple[JournalRow, ...] = ()
    quarantines: tuple[Quarantine, ...] = ()
    foreign_moves: tuple[ForeignMove, ...] = ()
    disturbances: tuple[Disturbance, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    breaker: Breaker = field(default_factory=Breaker)
    hosts: tuple[KnownHost, ...] = ()
