"""Drops from the file what has been over for long. The only deletions there are; the audit log is never among them.

The file does not shrink: its room is used again. The guard of the transitions is taken away and put back within the
one transaction, so that there is no moment at which anybody else could delete one.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, func, or_, select

from balancer.adapters.store.file import JournalFile
from balancer.adapters.store.forms import plain_instant
from balancer.adapters.store.tables import (
    GUARD_OF_TRANSITIONS,
    approvals,
    disturbances,
    evacuations,
    foreign_moves,
    moves,
    pauses,
    plans,
    quarantines,
    transitions,
    verdicts,
)
from balancer.model.past import VerdictResult


class SqliteUpkeep:
    """`ports.Upkeep` in the file."""

    def __init__(self, file: JournalFile) -> None:
        self._upkeep_file = file

    def forget(self, before: datetime) -> int:
        """Drop what was over before then, and return how many rows; see `ports.Upkeep`."""
        with self._upkeep_file.writing("drop what is old from the journal") as connection:
            connection.exec_driver_sql("DROP TRIGGER transitions_no_delete")
            old = select(moves.c.id).where(
                *_over(moves, moves.c.ended_at.is_not(None), moves.c.ended_at, before)
            )
            steps = delete(transitions).where(transitions.c.move.in_(old))
            count = connection.execute(steps).rowcount
            connection.exec_driver_sql(GUARD_OF_TRANSITIONS)
            return count + sum(_drop(connection, *rest) for rest in _all_over(before))


def _all_over(before: datetime) -> Iterator[tuple[Table, Any]]:
    """Yield each table with the condition of the rows that go, those that others point to last."""
    time = plain_instant(before)
    yield moves, and_(*_over(moves, moves.c.ended_at.is_not(None), moves.c.ended_at, before))
    is_decided = or_(
        approvals.c.rejected != 0, approvals.c.used_at.is_not(None), approvals.c.expires_at < time
    )
    yield approvals, and_(*_over(approvals, is_decided, approvals.c.at, before))
    is_free = plans.c.id.not_in(select(approvals.c.plan))
    yield plans, and_(*_over(plans, is_free, plans.c.made_at, before))
    is_judged = verdicts.c.result != str(VerdictResult.PENDING)
    yield verdicts, and_(*_over(verdicts, is_judged, verdicts.c.ended_at, before))
    for table, column in (
        (pauses, pauses.c.ended_at),
        (evacuations, evacuations.c.ended_at),
        (quarantines, quarantines.c.until),
        (foreign_moves, foreign_moves.c.seen_at),
        (disturbances, disturbances.c.at),
    ):
        yield table, and_(*_over(table, column.is_not(None), column, before))


def _over(table: Table, is_over: Any, column: Any, before: datetime) -> tuple[Any, ...]:
    newest = select(func.max(table.c.id)).scalar_subquery()
    return is_over, column < plain_instant(before), table.c.id < newest


def _drop(connection: Connection, table: Table, condition: Any) -> int:
    return connection.execute(delete(table).where(condition)).rowcount
