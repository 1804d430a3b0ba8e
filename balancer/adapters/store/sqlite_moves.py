"""The moves in the file: an intent that is checked and written in one transaction, and what became of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from balancer.adapters.store import notes
from balancer.adapters.store.examine import rows_of
from balancer.adapters.store.file import JournalFile
from balancer.adapters.store.forms import Form, Plain, plain_instant, plain_text
from balancer.adapters.store.permits import DAY, check_intent
from balancer.adapters.store.rows import change, put_next
from balancer.adapters.store.sqlite_audit import append
from balancer.adapters.store.sqlite_controls import lasting_pauses
from balancer.adapters.store.sqlite_leases import newest_lease
from balancer.adapters.store.steps import after_step, first_row
from balancer.adapters.store.tables import IS_OPEN, moves, transitions
from balancer.model.errors import StoreError
from balancer.model.lease import Permit
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep, MoveState, RowQuery
from balancer.model.units import ClusterId

_ENTRY = Form(JournalEntry)
_STATE = Form(JournalRow, leave_out=("id", "entry"))
_STEP = Form(JournalStep)


class SqliteMoves:
    """`ports.Journal` in the file."""

    def __init__(self, file: JournalFile) -> None:
        self._move_file = file

    def begin(self, entry: JournalEntry, permit: Permit) -> int:
        """Write an INTENT row and return its id; see `ports.Journal`."""
        row = first_row(0, entry)
        lease = permit.lease
        with self._move_file.writing("write a move to the journal") as connection:
            check_intent(
                entry,
                permit,
                newest=newest_lease(connection, lease.shard),
                pauses=lasting_pauses(connection),
                rows=_open_or_of_a_day(connection, entry),
            )
            issued: dict[str, Plain] = {"shard": plain_text(lease.shard), "token": lease.token}
            columns = {**_ENTRY.columns(entry), **_STATE.columns(row), **issued}
            number = put_next(connection, moves, columns)
            _keep_step(
                connection, number, JournalStep(state=MoveState.INTENT, at=entry.intended_at)
            )
            append(connection, notes.of_intent(number, entry, lease))
        return number

    def advance(self, row: int, step: JournalStep) -> None:
        """Write the next state of a row.

        Raises:
            StoreError: there is no such row, it has ended, or the step could not be made durable.
        """
        with self._move_file.writing("write a step to the journal") as connection:
            query = select(moves).where(moves.c.id == row)
            found = next(rows_of(connection, moves, query), None)
            if found is None:
                raise StoreError(f"the journal has no row {row}; nothing was written")
            before = _row(found)
            change(connection, moves, found, _STATE.columns(after_step(before, step)))
            _keep_step(connection, row, step)
            append(connection, notes.of_step(before, step, found.shard))

    def open_rows(self, vcenter: str) -> tuple[JournalRow, ...]:
        """Return the rows whose end is not known, oldest first."""
        with self._move_file.reading("read the open rows of the journal") as connection:
            return _rows(connection, _open_of(vcenter))

    def rows_since(
        self, vcenter: str, cluster: ClusterId, since: datetime
    ) -> tuple[JournalRow, ...]:
        """Return the rows intended at or after `since`, oldest first."""
        query = _of_cluster(vcenter, cluster).where(moves.c.intended_at >= plain_instant(since))
        with self._move_file.reading("read the journal") as connection:
            return _rows(connection, query)

    def find_rows(self, query: RowQuery) -> tuple[JournalRow, ...]:
        """Return the newest rows that a query asks for, oldest first."""
        found = select(moves).where(*_conditions(query)).order_by(moves.c.id.desc())
        if query.last is not None:
            found = found.limit(max(query.last, 0))
        with self._move_file.reading("read the journal") as connection:
            newest = [_row(row) for row in rows_of(connection, moves, found)]
        return tuple(reversed(newest))

    def steps_of(self, row: int) -> tuple[JournalStep, ...]:
        """Return the states that a row went through, oldest first."""
        query = select(transitions).where(transitions.c.move == row).order_by(transitions.c.id)
        with self._move_file.reading("read the journal") as connection:
            return tuple(
                _STEP.value(found._mapping) for found in rows_of(connection, transitions, query)
            )


def rows_of_cluster(
    connection: Connection, vcenter: str, cluster: ClusterId, since: datetime
) -> tuple[JournalRow, ...]:
    """Return a cluster's rows since a time and its open ones, oldest first."""
    is_new = moves.c.intended_at >= plain_instant(since)
    new = _of_cluster(vcenter, cluster).where(is_new)
    found = _either(connection, new, _open_of(vcenter))
    return tuple(row for row in found if row.entry.cluster == plain_text(cluster))


def _open_or_of_a_day(connection: Connection, entry: JournalEntry) -> tuple[JournalRow, ...]:
    """Return the vCenter's open rows and those of the cluster within a day: all that an intent is held against."""
    since = plain_instant(entry.intended_at - DAY)
    of_a_day = _of_cluster(entry.vcenter, entry.cluster).where(moves.c.intended_at > since)
    return _either(connection, of_a_day, _open_of(entry.vcenter))


def _either(connection: Connection, *queries: Select[Any]) -> tuple[JournalRow, ...]:
    """Return the rows of several queries, oldest first: each has its index, where one with `or` would have none."""
    found = {row.id: row for query in queries for row in _rows(connection, query)}
    return tuple(found[number] for number in sorted(found))


def _open_of(vcenter: str) -> Select[Any]:
    return select(moves).where(moves.c.vcenter == plain_text(vcenter), IS_OPEN)


def _of_cluster(vcenter: str, cluster: ClusterId) -> Select[Any]:
    return select(moves).where(
        moves.c.vcenter == plain_text(vcenter), moves.c.cluster == plain_text(cluster)
    )


def _conditions(query: RowQuery) -> Iterable[Any]:
    vm, plan = plain_text(query.vm), plain_text(query.plan)
    states = sorted(str(state) for state in query.states)
    conditions = (
        (query.row is not None, moves.c.id == query.row),
        (query.vcenter, moves.c.vcenter == plain_text(query.vcenter)),
        (query.cluster, moves.c.cluster == plain_text(query.cluster or "")),
        (query.vm, or_(moves.c.vm == vm, moves.c.vm_name == vm)),
        (query.plan, moves.c.plan_id == plan),
        (query.states, moves.c.state.in_(states)),
        (query.since, query.since and moves.c.intended_at >= plain_instant(query.since)),
        (query.until, query.until and moves.c.intended_at < plain_instant(query.until)),
    )
    return [condition for is_asked, condition in conditions if is_asked]


def _rows(connection: Connection, query: Select[Any]) -> tuple[JournalRow, ...]:
    return tuple(_row(row) for row in rows_of(connection, moves, query.order_by(moves.c.id)))


def _row(row: Any) -> JournalRow:
    columns = row._asdict()
    return _STATE.value(columns, id=row.id, entry=_ENTRY.value(columns))


def _keep_step(connection: Connection, row: int, step: JournalStep) -> None:
    put_next(connection, transitions, {"move": row, **_STEP.columns(step)})
