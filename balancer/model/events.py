"""What happened, as values: the executor and the cycle tell them, metrics, log and live page listen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from balancer.model.outcome import MoveOutcome
from balancer.model.past import Past, Verdict
from balancer.model.plan import Move, Plan, State
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStarted:
    """A migration was handed to vCenter, `waited_seconds` after it was ready to start."""

    move: Move
    task: str
    at: datetime
    waited_seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveProgressed:
    """A running migration was looked at."""

    move: Move
    progress_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveEnded:
    """A move came to its end, or was not sent at all (see `outcome.refusal`)."""

    outcome: MoveOutcome
    at: datetime


class Trigger(StrEnum):
    """What brought a plan up."""

    INTERVAL = "interval"  # a cycle made it
    APPROVAL = "approval"  # a person approved it earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMade:
    """A plan was made and verified, or one that was approved is about to be carried out."""

    plan: Plan
    trigger: Trigger = Trigger.INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRead:
    """A cluster was read. The figures are those that were measured, none that is expected; see `foresight`."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTaken:
    """A cluster was read and measured. `asked_at` is our own clock when the reading began."""

    snapshot: Snapshot
    state: State
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastError:
    """How wrong a forecast of one resource was, so long ahead: absolute errors of all VMs over what they wanted."""

    resource: str
    horizon_s: Seconds
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastJudged:
    """What VMs wanted became known, and with it how right earlier forecasts were."""

    errors: tuple[ForecastError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleEnded:
    """A cycle came to its end without an error; seconds by phase: collect, plan, execute.

    `held` says why its plan was not carried out, where it was not.
    """

    plan: Plan
    outcomes: tuple[MoveOutcome, ...]
    phase_seconds: Mapping[str, Seconds]
    held: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFailed:
    """A cycle came to its end by an error, in words for people."""

    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictGiven:
    """What a batch did was measured, or will never be."""

    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalSeen:
    """Our own account moves VMs of a cluster, and the journal does not know of it: tasks by id."""

    tasks: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastReviewed:
    """What is remembered of a cluster was looked through; `closed` are all reasons why nothing may be sent."""

    past: Past
    closed: tuple[Refusal, ...]
    at: datetime


Event = (
    RivalSeen
    | MoveStarted
    | MoveProgressed
    | MoveEnded
    | PlanMade
    | ClusterRead
    | SnapshotTaken
    | ForecastJudged
    | CycleEnded
    | CycleFailed
    | PastReviewed
    | VerdictGiven
)
