"""What was done over a while, batch by batch: predicted beside measured, as an after-action report tells it.

Values only, read from the journal, the kept plans and the audit log. What nobody measured is None; the journal
knows nothing of how long a VM stood still, so that downtime is None until a source tells it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from balancer.model.after_action import MoveRecord
from balancer.model.outcome import MoveState
from balancer.model.past import Verdict, VerdictResult
from balancer.model.units import MoveId, Ratio, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One move that was written down, with the names of its hosts. `downtime_s` is None where not measured."""

    row: int
    move: MoveId
    record: MoveRecord
    source_name: str
    target_name: str
    began_at: datetime
    downtime_s: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Moves planned for a batch and not sent. `vm_name` is empty where it is not about a single one."""

    vm_name: str
    moves: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the kept plan promised: the imbalance as it was and was to be, and how long it would take."""

    imbalance: Ratio
    imbalance_after: Ratio
    makespan_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What one cycle sent. `plan_number` and `promise` are None where the plan is not kept any more.

    `verdict` is None where no cycle has looked at it since it ended.
    """

    batch: str
    plan: str
    plan_number: int | None
    shard: str
    began_at: datetime
    ended_at: datetime | None
    done: tuple[Done, ...]
    not_sent: tuple[NotSent, ...]
    verdict: Verdict | None
    promise: Promise | None

    @property
    def result(self) -> VerdictResult:
        """Return the verdict's word; without one pending while it is not over, and unknown after."""
        if self.verdict is None:
            return VerdictResult.PENDING if self.ended_at is None else VerdictResult.UNKNOWN
        return self.verdict.result

    @property
    def lasted_s(self) -> Seconds | None:
        """Return the seconds from the first request to the last end; None where that is not known."""
        return (self.ended_at - self.began_at).total_seconds() if self.ended_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over batches. Seconds are of the moves that were made and whose end is known."""

    states: Mapping[MoveState, int]
    results: Mapping[VerdictResult, int]
    not_sent: int
    predicted_s: Seconds
    measured_s: Seconds
    timed: int
    predicted_gain: float
    measured_gain: float
    judged: int

    @property
    def moves(self) -> int:
        """Return how many moves were written down."""
        return sum(self.states.values())

    @property
    def made(self) -> int:
        """Return how many were made."""
        return self.states.get(MoveState.DONE, 0)

    @property
    def pace(self) -> float | None:
        """Return measured over predicted seconds; None where nothing was measured."""
        return self.measured_s / self.predicted_s if self.timed and self.predicted_s else None

    @property
    def realized(self) -> float | None:
        """Return measured over predicted gain of the batches that have both; None where nothing was promised."""
        is_promised = self.judged and self.predicted_gain > 0.0
        return self.measured_gain / self.predicted_gain if is_promised else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """An after-action report: what was asked for, in words, and the batches, oldest first."""

    asked: str
    made_at: datetime
    batches: tuple[BatchReport, ...]

    @property
    def totals(self) -> Totals:
        """Return the sums over all batches."""
        return totals_of(self.batches)


def totals_of(batches: Iterable[BatchReport]) -> Totals:
    """Return the sums over some batches."""
    known = tuple(batches)
    done = [one.record for batch in known for one in batch.done]
    timed = [
        (record.expected_seconds, record.seconds)
        for record in done
        if record.state is MoveState.DONE and record.seconds is not None
    ]
    gains = [
        (verdict.predicted_gain, verdict.measured_gain)
        for batch in known
        if (verdict := batch.verdict) is not None
        and verdict.predicted_gain is not None
        and verdict.measured_gain is not None
    ]
    return Totals(
        states=Counter(record.state for record in done),
        results=Counter(batch.result for batch in known),
        not_sent=sum(one.moves for batch in known for one in batch.not_sent),
        predicted_s=sum(predicted for predicted, _ in timed),
        measured_s=sum(measured for _, measured in timed),
        timed=len(timed),
        predicted_gain=sum(predicted for predicted, _ in gains if predicted is not None),
        measured_gain=sum(measured for _, measured in gains if measured is not None),
        judged=len(gains),
    )
