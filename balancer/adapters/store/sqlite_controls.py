"""What people asked for, in the file: pauses, evacuations, plans and what was decided on them."""

from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, Text, cast, func, or_, select

from balancer.adapters.store import notes
from balancer.adapters.store.examine import rows_of
from balancer.adapters.store.file import JournalFile
from balancer.adapters.store.forms import PACKED, Form, plain_instant, plain_text
from balancer.adapters.store.rows import change, put_next
from balancer.adapters.store.sqlite_audit import append
from balancer.adapters.store.tables import approvals, evacuations, pauses, plans
from balancer.model.control import Approval, Evacuation, Pause, StoredPlan
from balancer.model.errors import StoreError

_PAUSE, _EVACUATION, _APPROVAL = Form(Pause), Form(Evacuation), Form(Approval)
_PLAN = Form(StoredPlan, document=PACKED)
T = TypeVar("T")


class SqliteControls:
    """`ports.Controls` in the file."""

    def __init__(self, file: JournalFile) -> None:
        self._control_file = file

    def pause(self, pause: Pause) -> int:
        """Keep a pause and return its id."""
        with self._control_file.writing("pause") as connection:
            number = put_next(connection, pauses, _PAUSE.columns(pause))
            append(connection, notes.of_pause(pause))
            return number

    def resume(self, shard: str, *, by: str, at: datetime) -> tuple[Pause, ...]:
        """End the pauses of exactly this shard; return them."""
        query = _lasting(pauses).where(pauses.c.shard == plain_text(shard))
        with self._control_file.writing("resume") as connection:
            ended = tuple(
                _ended(connection, pauses, _PAUSE, row, by=by, at=at)
                for row in list(rows_of(connection, pauses, query))
            )
            if ended:
                append(connection, notes.of_resume(shard, ended, by=by, at=at))
            return ended

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses that last, oldest first."""
        with self._control_file.reading("read the pauses") as connection:
            return lasting_pauses(connection)

    def ask_evacuation(self, evacuation: Evacuation) -> int:
        """Keep a request and return its id; of a host that is asked for already, that one's."""
        query = _lasting(evacuations).where(
            evacuations.c.shard == plain_text(evacuation.shard),
            evacuations.c.host == plain_text(evacuation.host),
        )
        with self._control_file.writing("ask for an evacuation") as connection:
            for known in rows_of(connection, evacuations, query):
                return int(known.id)
            number = put_next(connection, evacuations, _EVACUATION.columns(evacuation))
            append(connection, notes.of_evacuation(replace(evacuation, id=number)))
            return number

    def end_evacuation(self, request: int, *, by: str, at: datetime) -> None:
        """End a request; raises `StoreError` where there is no such one."""
        query = _lasting(evacuations).where(evacuations.c.id == request)
        with self._control_file.writing("end an evacuation") as connection:
            known = next(rows_of(connection, evacuations, query), None)
            if known is None:
                raise StoreError(
                    f"there is no evacuation {request} that lasts; nothing was written"
                )
            ended = _ended(connection, evacuations, _EVACUATION, known, by=by, at=at)
            append(connection, notes.of_evacuation_end(ended))

    def evacuations(self, shard: str) -> tuple[Evacuation, ...]:
        """Return the requests of a shard that last, oldest first."""
        query = _of_shard(_lasting(evacuations), evacuations, shard)
        with self._control_file.reading("read the evacuations") as connection:
            return _values(connection, evacuations, _EVACUATION, query)

    def keep_plan(self, plan: StoredPlan) -> int:
        """Keep a plan and return its number."""
        with self._control_file.writing("keep a plan") as connection:
            return put_next(connection, plans, _PLAN.columns(plan))

    def find_plan(self, key: str) -> StoredPlan | None:
        """Return the newest plan that `key` names."""
        key = plain_text(key)
        exact = or_(cast(plans.c.id, Text) == key, plans.c.digest == key, plans.c.plan_id == key)
        near = or_(*(func.substr(c, 1, len(key)) == key for c in (plans.c.digest, plans.c.plan_id)))
        with self._control_file.reading("read a plan") as connection:
            for condition in (exact, near) if key else ():
                query = select(plans).where(condition).order_by(plans.c.id.desc()).limit(1)
                for row in rows_of(connection, plans, query):
                    return _PLAN.value(row._mapping)
        return None

    def plans(self, shard: str, *, last: int) -> tuple[StoredPlan, ...]:
        """Return the last plans of a shard, newest first."""
        query = _of_shard(select(plans), plans, shard)
        with self._control_file.reading("read the plans") as connection:
            return _values(connection, plans, _PLAN, _newest(query, plans, last))

    def approve(self, approval: Approval) -> int:
        """Keep an approval or a rejection."""
        with self._control_file.writing("decide on a plan") as connection:
            if not _has(connection, plans, plans.c.id == approval.plan):
                raise StoreError(f"there is no plan {approval.plan}; nothing was written")
            if _has(connection, approvals, approvals.c.plan == approval.plan):
                raise StoreError(
                    f"plan {approval.plan} was decided on already; nothing was written"
                )
            number = put_next(connection, approvals, _APPROVAL.columns(approval))
            append(connection, notes.of_decision(approval))
            return number

    def take_approval(self, shard: str, *, at: datetime) -> tuple[Approval, StoredPlan] | None:
        """Return the oldest approval that can be used, and mark it used in the same step."""
        query = select(approvals).where(
            approvals.c.shard == plain_text(shard),
            approvals.c.used_at.is_(None),
            approvals.c.rejected == 0,
            approvals.c.expires_at > plain_instant(at),
        )
        with self._control_file.writing("use an approval") as connection:
            for row in rows_of(connection, approvals, query.order_by(approvals.c.id).limit(1)):
                used = replace(_APPROVAL.value(row._mapping), used_at=at)
                change(connection, approvals, row, _APPROVAL.columns(used))
                append(connection, notes.of_use(used, at))
                approved = select(plans).where(plans.c.id == used.plan)
                return used, _values(connection, plans, _PLAN, approved)[0]
        return None

    def approvals(self, shard: str, *, last: int) -> tuple[Approval, ...]:
        """Return the last approvals and rejections of a shard, newest first."""
        query = _of_shard(select(approvals), approvals, shard)
        with self._control_file.reading("read the approvals") as connection:
            return _values(connection, approvals, _APPROVAL, _newest(query, approvals, last))


def lasting_pauses(connection: Connection) -> tuple[Pause, ...]:
    """Return the pauses that last, oldest first."""
    return _values(connection, pauses, _PAUSE, _lasting(pauses))


def _lasting(table: Table) -> Select[Any]:
    return select(table).where(table.c.ended_at.is_(None)).order_by(table.c.id)


def _of_shard(query: Select[Any], table: Table, shard: str) -> Select[Any]:
    return query.where(table.c.shard == plain_text(shard)) if shard else query


def _newest(query: Select[Any], table: Table, last: int) -> Select[Any]:
    return query.order_by(table.c.id.desc()).limit(max(last, 0))


def _has(connection: Connection, table: Table, condition: Any) -> bool:
    return any(True for _ in rows_of(connection, table, select(table).where(condition)))


def _values(
    connection: Connection, table: Table, form: Form[T], query: Select[Any]
) -> tuple[T, ...]:
    return tuple(form.value(row._mapping) for row in rows_of(connection, table, query))


def _ended(
    connection: Connection, table: Table, form: Form[T], row: Any, *, by: str, at: datetime
) -> T:
    """Mark a row that lasts as ended, and return it so."""
    columns = {**row._mapping, "ended_at": plain_instant(at), "ended_by": plain_text(by)}
    change(connection, table, row, columns)
    return form.value(columns)
