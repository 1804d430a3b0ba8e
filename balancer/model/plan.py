"""A plan is a value: which VM goes where, in which order, why, and what stays as it is and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from balancer.model.brief import Brief
from balancer.model.certificate import Certificate
from balancer.model.decision import Decision
from balancer.model.reasons import Refusal
from balancer.model.rule import RuleType
from balancer.model.units import ClusterId, HostId, Mhz, Mib, MoveId, Ratio, Seconds, VmId


class PlanStatus(StrEnum):
    """What the plan amounts to."""

    BALANCED = "balanced"  # nothing worth doing
    PLANNED = "planned"  # the moves below; every must-rule holds after them
    DEGRADED = "degraded"  # the best that can be done; what stays unmet is named in `conflicts`
    REFUSED = "refused"  # the snapshot is not fit to act on


class MoveReason(StrEnum):
    """Why a VM moves."""

    EVACUATE = "evacuate"
    RULE = "rule"  # a broken must-rule
    SHOULD_RULE = "should_rule"  # a broken should-rule; plan files say "rule" for both
    CONTENTION = "contention"
    BALANCE = "balance"
    MAKE_ROOM = "make_room"  # so that an evacuation or a rule repair fits
    PARKING = "parking"  # a first hop that breaks a ring of full hosts
    CONSOLIDATE = "consolidate"
    REQUESTED = "requested"

    @property
    def word(self) -> str:
        """Return the word of plan files and reports, in which rule repairs are one kind."""
        return MoveReason.RULE.value if self is MoveReason.SHOULD_RULE else self.value

    @property
    def is_mandatory(self) -> bool:
        """Whether the move serves an evacuation or a must-rule rather than load."""
        return self in _MANDATORY


_MANDATORY = frozenset(
    {MoveReason.EVACUATE, MoveReason.RULE, MoveReason.MAKE_ROOM, MoveReason.REQUESTED}
)


class Priority(StrEnum):
    """The vMotion priority asked of vCenter."""

    HIGH = "high"
    DEFAULT = "default"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedMove:
    """A move as the planner wants it, not yet ordered. `gain` is in units of `State.cost`."""

    vm: VmId
    source: HostId
    target: HostId
    reason: MoveReason
    why: str
    gain: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move of a finished plan. `after` names moves that must have ended before this one starts.

    Moves of one `wave` (from 1) may run at the same time. A VM occurs twice only when it is parked. `pace` is
    the factor by which experience has changed `expected_seconds` (1.0: none), `vm_uuid` the VM's instanceUuid,
    empty where the source gave none.
    """

    id: MoveId
    vm: VmId
    vm_name: str
    source: HostId
    target: HostId
    reason: MoveReason
    why: str
    priority: Priority
    wave: int
    after: tuple[MoveId, ...]
    start_seconds: Seconds
    expected_seconds: Seconds
    memory_mib: Mib
    gain: float
    this_run: bool = True
    pace: float = 1.0
    vm_uuid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMark:
    """A rule that named `vms` of a plan's moves when that was made. `mark` changes with what the rule says."""

    name: str
    mandatory: bool
    mark: str
    vms: tuple[VmId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that a placement breaks, and the VMs that break it."""

    rule: str
    type: RuleType
    mandatory: bool
    vms: tuple[VmId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Load over capacity of the hosts that may run VMs."""

    mean: Ratio
    max: Ratio
    min: Ratio
    stddev: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoad:
    """One host's load in a state. Ratios are of usable capacity and may exceed 1."""

    id: HostId
    cpu_ratio: Ratio
    memory_ratio: Ratio
    vms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A placement, measured. `cost` is the planner's objective without the price of moves."""

    cost: float
    imbalance: Ratio
    cpu: Spread
    memory: Spread
    unmet_cpu_mhz: Mhz
    violations: tuple[Violation, ...]
    hosts: tuple[HostLoad, ...]

    @property
    def broken_must_rules(self) -> int:
        """Return how many must-rules are broken."""
        return sum(1 for violation in self.violations if violation.mandatory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Something that cannot be met, in a sentence, with the cheapest change that would mend it."""

    kind: str
    message: str
    rules: tuple[str, ...] = ()
    vms: tuple[VmId, ...] = ()
    hosts: tuple[HostId, ...] = ()
    relax: str = ""


class IncidentKind(StrEnum):
    """How the solver failed while a plan was made."""

    CRASHED = "crashed"  # its process ended
    HUNG = "hung"  # it ignored its limits and was stopped
    WRONG_ANSWER = "wrong_answer"  # what it said does not hold
    MODEL_REFUSED = "model_refused"  # it could not make sense of what it was asked
    UNAVAILABLE = "unavailable"  # it could not be started


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A failure of the solver that was contained: the plan is sound, but may be less good than it could be.

    `stage` is the stage of planning, a key of `stage_seconds`.
    """

    stage: str
    kind: IncidentKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the planner hands to the sequencing: moves best first, not yet ordered in time.

    Replaying `moves` on the snapshot gives the placement that the planner aims at. Each VM occurs once.
    """

    moves: tuple[ProposedMove, ...]
    conflicts: tuple[Conflict, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    stage_seconds: Mapping[str, Seconds] = field(default_factory=lambda: MappingProxyType({}))
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What the sequencing hands back: moves with wave, order and time, and what cannot be reached.

    In no order are the moves over before `makespan_bound_seconds` if each takes as long as predicted, nor
    before `makespan_ideal_seconds` even if no two copies ever slowed each other down.
    """

    moves: tuple[Move, ...]
    dropped: tuple[Refusal, ...] = ()
    makespan_seconds: Seconds = 0.0
    makespan_bound_seconds: Seconds = 0.0
    makespan_ideal_seconds: Seconds = 0.0
    incidents: tuple[Incident, ...] = ()

    @property
    def is_proven(self) -> bool:
        """Whether no order of the moves is over sooner: the makespan meets its bound."""
        return self.makespan_seconds <= self.makespan_bound_seconds

    @property
    def makespan_ratio(self) -> float:
        """Return the expected length over the least possible one, at least 1.0; 1.0 without moves."""
        if not self.makespan_bound_seconds:
            return 1.0
        return max(self.makespan_seconds / self.makespan_bound_seconds, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole way to the goal, in the order in which moves may start.

    In no order are the moves over before `makespan_bound_seconds` if each takes as long as predicted, nor
    before `makespan_ideal_seconds` even if no two copies ever slowed each other down. `bound` is what no
    plan can beat; None where nobody asked for it. `mode` is the word of the mode in force when it was made,
    `mode_because` what held it there (None for automatic). `notes` tell what of the policy has no effect, or
    another one than it seems, in words for people. `rules` are those that name a VM of the moves.
    `verdicts` tell what the last batches of moves did, oldest first, in words for people. `brief` is what
    reports say beside all this, `decision` why contention and balance were acted on or not, with the figures;
    both None for a plan that was read from a file.
    """

    id: str
    created_at: datetime
    snapshot_taken_at: datetime
    cluster_id: ClusterId
    cluster_name: str
    status: PlanStatus
    reason: str
    before: State
    after: State
    moves: tuple[Move, ...]
    conflicts: tuple[Conflict, ...]
    refusals: tuple[Refusal, ...]
    makespan_seconds: Seconds
    stage_seconds: Mapping[str, Seconds]
    makespan_bound_seconds: Seconds = 0.0
    makespan_ideal_seconds: Seconds = 0.0
    incidents: tuple[Incident, ...] = ()
    bound: Certificate | None = None
    mode: str = ""
    mode_because: Refusal | None = None
    notes: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    rules: tuple[RuleMark, ...] = ()
    brief: Brief | None = None
    decision: Decision | None = None

    @property
    def makespan_ratio(self) -> float:
        """Return the expected length over the least possible one, at least 1.0; 1.0 where that is 0."""
        if not self.makespan_bound_seconds:
            return 1.0
        return max(self.makespan_seconds / self.makespan_bound_seconds, 1.0)

    @property
    def is_proven(self) -> bool:
        """Whether no order of the moves is over sooner: the makespan meets its bound."""
        return self.makespan_seconds <= self.makespan_bound_seconds

    @property
    def admitted(self) -> tuple[Move, ...]:
        """Return the moves that this run's budgets admit."""
        return tuple(move for move in self.moves if move.this_run)

    @property
    def waves(self) -> int:
        """Return the number of waves."""
        return max((move.wave for move in self.moves), default=0)
