"""What a batch was to do and what it did, side by side: the facts of an after-action report. Values only."""

from dataclasses import dataclass

from balancer.model.outcome import JournalRow, MoveState
from balancer.model.past import Past, Verdict
from balancer.model.plan import MoveReason
from balancer.model.units import HostId, Seconds, VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRecord:
    """One move of a batch. `seconds` is from the request to its end, None where that is not known."""

    vm: VmId
    vm_name: str
    source: HostId
    target: HostId
    reason: MoveReason
    state: MoveState
    expected_seconds: Seconds
    seconds: Seconds | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterAction:
    """A verdict with the moves that it is about, in the order in which they were intended."""

    verdict: Verdict
    moves: tuple[MoveRecord, ...]

    @property
    def realized_ratio(self) -> float | None:
        """Return measured over predicted gain; None where one is not known, or nothing was promised."""
        predicted, measured = self.verdict.predicted_gain, self.verdict.measured_gain
        if measured is None or predicted is None or predicted <= 0.0:
            return None
        return measured / predicted


def after_actions(past: Past) -> tuple[AfterAction, ...]:
    """Return the batches that have a verdict, pending ones too, oldest first."""
    rows: dict[str, list[JournalRow]] = {}
    for row in sorted(past.rows, key=lambda row: row.id):
        rows.setdefault(row.entry.cycle_id, []).append(row)
    ordered = sorted(past.verdicts, key=lambda verdict: (verdict.ended_at, verdict.cycle_id))
    return tuple(
        AfterAction(verdict=verdict, moves=tuple(map(record_of, rows.get(verdict.cycle_id, ()))))
        for verdict in ordered
    )


def record_of(row: JournalRow) -> MoveRecord:
    """Return what a row of the journal says of its move."""
    entry, seconds = row.entry, None
    if row.submitted_at is not None and row.ended_at is not None:
        seconds = (row.ended_at - row.submitted_at).total_seconds()
    return MoveRecord(
        vm=entry.vm,
        vm_name=entry.vm_name,
        source=entry.source,
        target=entry.target,
        reason=entry.reason,
        state=row.state,
        expected_seconds=entry.expected_seconds,
        seconds=seconds,
        detail=row.detail or row.fault,
    )
