"""The journal's grammar: how a step changes a row, and which steps are not allowed. Pure, shared by both stores.

A store keeps rows; this module alone decides what a row looks like after a step, so that the store in
memory and the one on disk cannot differ. It never reads or writes anything.
"""

from dataclasses import replace

from balancer.model.errors import StoreError
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep, MoveState


def first_row(row: int, entry: JournalEntry) -> JournalRow:
    """Return the row as it is written before the call.

    Raises:
        StoreError: the time has no zone, so that nobody could say when it was.
    """
    _check_zone(entry.intended_at.tzinfo is not None, entry.vm)
    return JournalRow(id=row, entry=entry, state=MoveState.INTENT)


def after_step(row: JournalRow, step: JournalStep) -> JournalRow:
    """Return the row after one step; what the step leaves empty stays as it was.

    Raises:
        StoreError: the row has ended (what ended stays as it ended), or the step leads back to INTENT.
    """
    _check_zone(step.at.tzinfo is not None, row.entry.vm)
    if not row.state.is_open:
        raise StoreError(
            f"row {row.id} of the journal ({row.entry.vm}) ended as {row.state} and cannot become "
            f"{step.state}; nothing was written"
        )
    if step.state is MoveState.INTENT:
        raise StoreError(f"row {row.id} of the journal cannot go back to {step.state}")
    sent_at = step.at if step.state is MoveState.SUBMITTED else None
    return replace(
        row,
        state=step.state,
        task=step.task or row.task,
        fault=step.fault or row.fault,
        kind=step.kind or row.kind,
        detail=step.detail or row.detail,
        submitted_at=row.submitted_at or sent_at,
        ended_at=None if step.state.is_open else step.at,
    )


def _check_zone(is_known: bool, vm: str) -> None:
    if not is_known:
        raise StoreError(f"the time of a journal step of {vm} has no time zone; give it in UTC")
