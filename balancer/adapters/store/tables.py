"""The tables of the journal on disk, and how values become columns. No queries here, only form.

`moves` holds one row per move that was about to be sent, `transitions` every state that it went through.
At most one open row per vCenter and VM, and an append-only history, are enforced by the database itself.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    text,
)

from balancer.model.outcome import (
    FailureKind,
    JournalEntry,
    JournalRow,
    JournalStep,
    MoveState,
)
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId, MoveId, VmId

SCHEMA_VERSION = 1
"""Kept in the database's `user_version`. A database of a higher version is refused."""

APPLICATION_ID = 0x76624A31
"""Kept in the database's `application_id`, so that no other program's file is mistaken for a journal."""


class Text(TypeDecorator[str]):
    """Text that can always be written: a lone surrogate is kept as its escape, not an error."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is stored."""
        return None if value is None else value.encode("utf-8", "backslashreplace").decode("utf-8")


class Instant(TypeDecorator[datetime]):
    """A time in UTC with microseconds, as text of fixed width, so that text order is time order."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return what is stored."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Return what was stored."""
        return None if value is None else datetime.fromisoformat(value)


_OPEN_WORDS = ", ".join(f"'{state}'" for state in MoveState if state.is_open)
_STATE_WORDS = ", ".join(f"'{state}'" for state in MoveState)

metadata = MetaData()

moves = Table(
    "moves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("vcenter", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("plan_id", Text, nullable=False),
    Column("cycle_id", Text, nullable=False),
    Column("move_id", Text, nullable=False),
    Column("vm", Text, nullable=False),
    Column("vm_name", Text, nullable=False),
    Column("vm_uuid", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("expected_seconds", Float, nullable=False),
    Column("intended_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("task", Text, nullable=False, default=""),
    Column("fault", Text, nullable=False, default=""),
    Column("kind", Text),
    Column("detail", Text, nullable=False, default=""),
    Column("submitted_at", Instant),
    Column("ended_at", Instant),
    CheckConstraint(f"state in ({_STATE_WORDS})", name="state_is_known"),
    Index(
        "one_open_row_per_vm",
        "vcenter",
        "vm",
        unique=True,
        sqlite_where=text(f"state in ({_OPEN_WORDS})"),
    ),
    Index("moves_by_time", "vcenter", "cluster", "intended_at"),
    sqlite_autoincrement=True,
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("move", Integer, ForeignKey("moves.id"), nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("task", Text, nullable=False, default=""),
    Column("fault", Text, nullable=False, default=""),
    Column("kind", Text),
    Column("detail", Text, nullable=False, default=""),
    CheckConstraint(f"state in ({_STATE_WORDS})", name="state_is_known"),
    sqlite_autoincrement=True,
)

GUARDS = tuple(
    f"CREATE TRIGGER transitions_no_{deed} BEFORE {deed} ON transitions "
    f"BEGIN SELECT RAISE(ABORT, 'transitions is append only'); END"
    for deed in ("update", "delete")
)
"""Statements that make the history append-only whoever writes to the file."""


def row_columns(row: JournalRow) -> dict[str, object]:
    """Return the columns of `moves` for one row, without the id."""
    entry = row.entry
    return {
        "vcenter": entry.vcenter,
        "cluster": entry.cluster,
        "plan_id": entry.plan_id,
        "cycle_id": entry.cycle_id,
        "move_id": entry.move_id,
        "vm": entry.vm,
        "vm_name": entry.vm_name,
        "vm_uuid": entry.vm_uuid,
        "source": entry.source,
        "target": entry.target,
        "reason": str(entry.reason),
        "expected_seconds": entry.expected_seconds,
        "intended_at": entry.intended_at,
    } | state_columns(row)


def state_columns(row: JournalRow) -> dict[str, object]:
    """Return the columns of `moves` that change while a row is open."""
    return {
        "state": str(row.state),
        "task": row.task,
        "fault": row.fault,
        "kind": row.kind and str(row.kind),
        "detail": row.detail,
        "submitted_at": row.submitted_at,
        "ended_at": row.ended_at,
    }


def step_columns(row: int, step: JournalStep) -> dict[str, object]:
    """Return the columns of `transitions` for one step."""
    return {
        "move": row,
        "state": str(step.state),
        "at": step.at,
        "task": step.task,
        "fault": step.fault,
        "kind": step.kind and str(step.kind),
        "detail": step.detail,
    }


def read_row(columns: Any) -> JournalRow:
    """Return one row from the columns of `moves`."""
    entry = JournalEntry(
        vcenter=columns.vcenter,
        cluster=ClusterId(columns.cluster),
        plan_id=columns.plan_id,
        cycle_id=columns.cycle_id,
        move_id=MoveId(columns.move_id),
        vm=VmId(columns.vm),
        vm_name=columns.vm_name,
        vm_uuid=columns.vm_uuid,
        source=HostId(columns.source),
        target=HostId(columns.target),
        reason=MoveReason(columns.reason),
        expected_seconds=columns.expected_seconds,
        intended_at=columns.intended_at,
    )
    return JournalRow(
        id=columns.id,
        entry=entry,
        state=MoveState(columns.state),
        task=columns.task,
        fault=columns.fault,
        kind=FailureKind(columns.kind) if columns.kind else None,
        detail=columns.detail,
        submitted_at=columns.submitted_at,
        ended_at=columns.ended_at,
    )
