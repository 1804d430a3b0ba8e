"""From version 1 (moves and their transitions) to 2: seals, leases, controls, memory and the audit log.

Both tables of version 1 are written anew: each row gets its seal, and a move its pace, shard, token and time
on the vCenter's clock, of which version 1 knew nothing.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

from balancer.adapters.store.forms import seal_of
from balancer.model.errors import StoreError

revision = "0002"
down_revision = None

_STATES = "'intent', 'submitted', 'done', 'failed', 'aborted', 'external', 'unknown'"
_OPEN = "'intent', 'submitted', 'unknown'"
_AT_ONCE = 1000
_NEW_COLUMNS: Mapping[str, object] = {
    "intended_at_vcenter": None,
    "pace": 1.0,
    "shard": "",
    "token": 0,
}


def upgrade() -> None:
    """Make the tables of version 2 and take over what version 1 kept."""
    names = set(sa.inspect(op.get_bind()).get_table_names())
    if names != {"moves", "transitions"}:
        raise StoreError(
            f"the journal says that it is of version 1, but has the tables {', '.join(sorted(names))}. "
            "It was not changed. Keep the file for examination, move it away, and start again."
        )
    for name in ("transitions_no_update", "transitions_no_delete"):
        op.execute(f"DROP TRIGGER {name}")
    for name in ("one_open_row_per_vm", "moves_by_time", "ix_transitions_move"):
        op.drop_index(name)
    for name in ("moves", "transitions"):
        op.rename_table(name, f"{name}_1")
    moves, transitions = _moves(), _transitions()
    _take_over("moves_1", moves)
    _take_over("transitions_1", transitions)
    op.drop_table("transitions_1")
    op.drop_table("moves_1")
    _controls()
    _memory()
    _audit()


def _take_over(old: str, new: sa.Table) -> None:
    connection = op.get_bind()
    names = [column.name for column in new.columns]
    rows = connection.exec_driver_sql(f"SELECT * FROM {old} ORDER BY id").mappings()
    sealed = (_sealed(new.name, names, {**_NEW_COLUMNS, **row}) for row in rows)
    while batch := list(islice(sealed, _AT_ONCE)):
        connection.execute(sa.insert(new), batch)


def _sealed(table: str, names: Iterable[str], row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in names if name != "seal"}
    return {**kept, "seal": seal_of(table, list(kept.values()))}


def _words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _maybe(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text) for name in names]


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _key(name: str = "id") -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=True)


def _moves() -> sa.Table:
    table = op.create_table(
        "moves",
        _key(),
        *_words("vcenter", "cluster", "plan_id", "cycle_id", "move_id", "vm", "vm_name", "vm_uuid"),
        *_words("source", "target", "reason"),
        sa.Column("expected_seconds", sa.Float, nullable=False),
        *_words("intended_at"),
        *_maybe("intended_at_vcenter"),
        sa.Column("pace", sa.Float, nullable=False),
        *_words("shard"),
        _number("token"),
        *_words("state", "task", "fault"),
        *_maybe("kind"),
        *_words("detail"),
        *_maybe("submitted_at", "ended_at"),
        *_words("seal"),
        sa.CheckConstraint(f"state in ({_STATES})", name="state_is_known"),
    )
    op.create_index(
        "one_open_row_per_vm",
        "moves",
        ["vcenter", "vm"],
        unique=True,
        sqlite_where=sa.text(f"state in ({_OPEN})"),
    )
    op.create_index("moves_by_time", "moves", ["vcenter", "cluster", "intended_at"])
    op.create_index("moves_by_vm", "moves", ["vm", "intended_at"])
    op.create_index("moves_by_plan", "moves", ["plan_id"])
    return table


def _transitions() -> sa.Table:
    table = op.create_table(
        "transitions",
        _key(),
        sa.Column("move", sa.Integer, sa.ForeignKey("moves.id"), nullable=False),
        *_words("state", "at", "task", "fault"),
        *_maybe("kind"),
        *_words("detail", "seal"),
        sa.CheckConstraint(f"state in ({_STATES})", name="state_is_known"),
    )
    op.create_index("transitions_by_move", "transitions", ["move"])
    _forbid_change("transitions")
    return table


def _controls() -> None:
    op.create_table(
        "leases",
        sa.Column("shard", sa.Text, primary_key=True, nullable=False),
        *_words("holder"),
        _number("token"),
        *_words("expires_at", "seal"),
    )
    op.create_table(
        "pauses",
        _key(),
        *_words("shard", "by", "at", "reason"),
        *_maybe("ended_at"),
        *_words("ended_by", "seal"),
    )
    lasts = sa.text("ended_at is null")
    op.create_index("pauses_that_last", "pauses", ["id"], sqlite_where=lasts)
    op.create_table(
        "evacuations",
        _key(),
        *_words("shard", "host", "host_name", "by", "at", "reason"),
        *_maybe("ended_at"),
        *_words("ended_by", "seal"),
    )
    op.create_index(
        "one_evacuation_per_host", "evacuations", ["shard", "host"], unique=True, sqlite_where=lasts
    )
    op.create_table(
        "plans",
        _key(),
        *_words("shard", "plan_id", "digest", "made_at", "status"),
        _number("moves"),
        sa.Column("document", sa.LargeBinary, nullable=False),
        *_words("seal"),
    )
    op.create_index("plans_by_shard", "plans", ["shard"])
    op.create_table(
        "approvals",
        _key(),
        *_words("shard"),
        sa.Column("plan", sa.Integer, sa.ForeignKey("plans.id"), nullable=False),
        *_words("digest", "by", "at", "expires_at"),
        _number("rejected"),
        *_words("reason"),
        *_maybe("used_at"),
        *_words("seal"),
    )
    op.create_index("one_decision_per_plan", "approvals", ["plan"], unique=True)
    op.create_index("approvals_by_shard", "approvals", ["shard"])


def _memory() -> None:
    op.create_table(
        "quarantines",
        _key(),
        *_words("vcenter", "cluster", "kind", "subject", "identity"),
        _number("level"),
        *_words("since", "until", "reason", "detail"),
        _number("cause"),
        *_words("seal"),
    )
    of_one = ["cause", "kind", "subject", "reason"]
    op.create_index("one_quarantine_per_cause", "quarantines", of_one, unique=True)
    op.create_index("quarantines_by_end", "quarantines", ["vcenter", "cluster", "until"])
    op.create_table(
        "foreign_moves",
        _key(),
        *_words("vcenter", "cluster", "vm", "vm_name", "source", "target", "seen_at"),
        _number("row"),
        _number("is_return"),
        _number("is_against"),
        *_maybe("acknowledged_at"),
        *_words("acknowledged_by", "seal"),
    )
    op.create_index("one_sighting_per_row", "foreign_moves", ["row", "target"], unique=True)
    op.create_index("foreign_moves_by_time", "foreign_moves", ["vcenter", "cluster", "seen_at"])
    op.create_table(
        "disturbances",
        _key(),
        *_words("vcenter", "cluster", "kind", "at", "detail", "subject", "seal"),
    )
    op.create_index("disturbances_by_time", "disturbances", ["vcenter", "cluster", "at"])
    op.create_table(
        "known_hosts",
        sa.Column("vcenter", sa.Text, primary_key=True, nullable=False),
        sa.Column("cluster", sa.Text, primary_key=True, nullable=False),
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        *_words("name", "state", "seal"),
    )
    _judgements()


def _judgements() -> None:
    op.create_table(
        "breakers",
        sa.Column("vcenter", sa.Text, primary_key=True, nullable=False),
        sa.Column("cluster", sa.Text, primary_key=True, nullable=False),
        _number("level"),
        *_maybe("since", "until"),
        *_words("cause"),
        _number("counted_to"),
        _number("is_open"),
        *_words("seal"),
    )
    op.create_table(
        "verdicts",
        _key(),
        *_words("vcenter", "cluster", "plan_id", "cycle_id", "ended_at"),
        sa.Column("predicted_gain", sa.Float),
        *_words("result"),
        sa.Column("measured_gain", sa.Float),
        *_maybe("judged_at"),
        *_words("detail"),
        *_maybe("acknowledged_at"),
        *_words("acknowledged_by", "seal"),
    )
    of_batch = ["vcenter", "cluster", "cycle_id"]
    op.create_index("one_verdict_per_batch", "verdicts", of_batch, unique=True)
    op.create_index("verdicts_by_time", "verdicts", ["vcenter", "cluster", "ended_at"])


def _audit() -> None:
    op.create_table(
        "audit",
        _key("number"),
        *_words("at", "action", "actor", "shard", "subject", "reason"),
        *_words("facts", "previous", "digest", "seal"),
    )
    _forbid_change("audit")


def _forbid_change(table: str) -> None:
    for deed in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{deed} BEFORE {deed} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
        )
