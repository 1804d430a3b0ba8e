"""The tables of the journal on disk. No queries here, only form.

`moves` holds one row per move that was about to be sent, `transitions` every state that it went through, `audit`
every decision and human action. At most one open row per vCenter and VM, one decision per plan, and two
append-only histories are enforced by the database itself. Every row ends with its seal (see `forms`).
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from balancer.adapters.store.forms import SEAL
from balancer.model.outcome import MoveState

SCHEMA_VERSION = 2
"""Kept in the database's `user_version`. A lower one is upgraded at the start, a higher one is refused."""

APPLICATION_ID = 0x76624A31
"""Kept in the database's `application_id`, so that no other program's file is mistaken for a journal."""

_OPEN_WORDS = ", ".join(f"'{state}'" for state in MoveState if state.is_open)
_STATE_WORDS = ", ".join(f"'{state}'" for state in MoveState)

IS_OPEN = text(f"state in ({_OPEN_WORDS})")
"""The moves whose end is not known. In the very words of the index of them: SQLite takes it for no others."""

metadata = MetaData()


def _words(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _maybe(*names: str) -> list[Column[str]]:
    """Columns that may be empty: most of them times."""
    return [Column(name, Text) for name in names]


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _key(name: str = "id") -> Column[int]:
    return Column(name, Integer, primary_key=True)


def _seal() -> Column[str]:
    return Column(SEAL, Text, nullable=False)


moves = Table(
    "moves",
    metadata,
    _key(),
    *_words("vcenter", "cluster", "plan_id", "cycle_id", "move_id", "vm", "vm_name", "vm_uuid"),
    *_words("source", "target", "reason"),
    Column("expected_seconds", Float, nullable=False),
    *_words("intended_at"),
    *_maybe("intended_at_vcenter"),
    Column("pace", Float, nullable=False),
    *_words("shard"),
    _number("token"),
    *_words("state", "task", "fault"),
    *_maybe("kind"),
    *_words("detail"),
    *_maybe("submitted_at", "ended_at"),
    _seal(),
    CheckConstraint(f"state in ({_STATE_WORDS})", name="state_is_known"),
    Index(
        "one_open_row_per_vm",
        "vcenter",
        "vm",
        unique=True,
        sqlite_where=IS_OPEN,
    ),
    Index("moves_by_time", "vcenter", "cluster", "intended_at"),
    Index("moves_by_vm", "vm", "intended_at"),
    Index("moves_by_plan", "plan_id"),
)

transitions = Table(
    "transitions",
    metadata,
    _key(),
    Column("move", Integer, ForeignKey("moves.id"), nullable=False),
    *_words("state", "at", "task", "fault"),
    *_maybe("kind"),
    *_words("detail"),
    _seal(),
    CheckConstraint(f"state in ({_STATE_WORDS})", name="state_is_known"),
    Index("transitions_by_move", "move"),
)

leases = Table(
    "leases",
    metadata,
    Column("shard", Text, primary_key=True, nullable=False),
    *_words("holder"),
    _number("token"),
    *_words("expires_at"),
    _seal(),
)

pauses = Table(
    "pauses",
    metadata,
    _key(),
    *_words("shard", "by", "at", "reason"),
    *_maybe("ended_at"),
    *_words("ended_by"),
    _seal(),
    Index("pauses_that_last", "id", sqlite_where=text("ended_at is null")),
)

evacuations = Table(
    "evacuations",
    metadata,
    _key(),
    *_words("shard", "host", "host_name", "by", "at", "reason"),
    *_maybe("ended_at"),
    *_words("ended_by"),
    _seal(),
    Index(
        "one_evacuation_per_host",
        "shard",
        "host",
        unique=True,
        sqlite_where=text("ended_at is null"),
    ),
)

plans = Table(
    "plans",
    metadata,
    _key(),
    *_words("shard", "plan_id", "digest", "made_at", "status"),
    _number("moves"),
    Column("document", LargeBinary, nullable=False),
    _seal(),
    Index("plans_by_shard", "shard"),
)

approvals = Table(
    "approvals",
    metadata,
    _key(),
    *_words("shard"),
    Column("plan", Integer, ForeignKey("plans.id"), nullable=False),
    *_words("digest", "by", "at", "expires_at"),
    _number("rejected"),
    *_words("reason"),
    *_maybe("used_at"),
    _seal(),
    Index("one_decision_per_plan", "plan", unique=True),
    Index("approvals_by_shard", "shard"),
)

quarantines = Table(
    "quarantines",
    metadata,
    _key(),
    *_words("vcenter", "cluster", "kind", "subject", "identity"),
    _number("level"),
    *_words("since", "until", "reason", "detail"),
    _number("cause"),
    _seal(),
    Index("one_quarantine_per_cause", "cause", "kind", "subject", "reason", unique=True),
    Index("quarantines_by_end", "vcenter", "cluster", "until"),
)

foreign_moves = Table(
    "foreign_moves",
    metadata,
    _key(),
    *_words("vcenter", "cluster", "vm", "vm_name", "source", "target", "seen_at"),
    _number("row"),
    _number("is_return"),
    _number("is_against"),
    *_maybe("acknowledged_at"),
    *_words("acknowledged_by"),
    _seal(),
    Index("one_sighting_per_row", "row", "target", unique=True),
    Index("foreign_moves_by_time", "vcenter", "cluster", "seen_at"),
)

disturbances = Table(
    "disturbances",
    metadata,
    _key(),
    *_words("vcenter", "cluster", "kind", "at", "detail", "subject"),
    _seal(),
    Index("disturbances_by_time", "vcenter", "cluster", "at"),
)

known_hosts = Table(
    "known_hosts",
    metadata,
    Column("vcenter", Text, primary_key=True, nullable=False),
    Column("cluster", Text, primary_key=True, nullable=False),
    Column("id", Text, primary_key=True, nullable=False),
    *_words("name", "state"),
    _seal(),
)

breakers = Table(
    "breakers",
    metadata,
    Column("vcenter", Text, primary_key=True, nullable=False),
    Column("cluster", Text, primary_key=True, nullable=False),
    _number("level"),
    *_maybe("since", "until"),
    *_words("cause"),
    _number("counted_to"),
    _number("is_open"),
    _seal(),
)

verdicts = Table(
    "verdicts",
    metadata,
    _key(),
    *_words("vcenter", "cluster", "plan_id", "cycle_id", "ended_at"),
    Column("predicted_gain", Float),
    *_words("result"),
    Column("measured_gain", Float),
    *_maybe("judged_at"),
    *_words("detail"),
    *_maybe("acknowledged_at"),
    *_words("acknowledged_by"),
    _seal(),
    Index("one_verdict_per_batch", "vcenter", "cluster", "cycle_id", unique=True),
    Index("verdicts_by_time", "vcenter", "cluster", "ended_at"),
)

audit = Table(
    "audit",
    metadata,
    _key("number"),
    *_words("at", "action", "actor", "shard", "subject", "reason", "facts", "previous", "digest"),
    _seal(),
)

GUARDS = tuple(
    f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
    for table in ("transitions", "audit")
    for deed in ("update", "delete")
)
"""Statements that make the histories append-only whoever writes to the file."""

GUARD_OF_TRANSITIONS = next(guard for guard in GUARDS if " transitions_no_delete " in guard)
"""The one that is put back after old transitions were dropped."""
