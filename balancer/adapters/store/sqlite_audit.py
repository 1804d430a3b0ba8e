"""The audit log in the file: a chain that only grows. Other parts append to it in their own transactions."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, select

from balancer.adapters.store.advice import DAMAGED
from balancer.adapters.store.chain import facts_text, is_whole, next_entry, verified
from balancer.adapters.store.examine import rows_of
from balancer.adapters.store.file import JournalFile
from balancer.adapters.store.forms import plain_instant
from balancer.adapters.store.rows import put
from balancer.adapters.store.tables import audit
from balancer.model.audit import AuditEntry, AuditHead, AuditNote, AuditReport
from balancer.model.errors import StoreError


class SqliteAudit:
    """`ports.Audit` in the file."""

    def __init__(self, file: JournalFile) -> None:
        self._audit_file = file

    def note(self, note: AuditNote) -> None:
        """Append an entry to the chain."""
        with self._audit_file.writing("write to the audit log") as connection:
            append(connection, note)

    def audit_entries(self, *, last: int) -> tuple[AuditEntry, ...]:
        """Return the last entries, oldest first."""
        query = select(audit).order_by(audit.c.number.desc()).limit(max(last, 0))
        with self._audit_file.reading("read the audit log") as connection:
            found = [_entry(row) for row in rows_of(connection, audit, query)]
        return tuple(reversed(found))

    def verify_audit(self, *, heads: Iterable[AuditHead] = ()) -> AuditReport:
        """Read the whole chain and say what does not hold."""
        with self._audit_file.reading("read the audit log") as connection:
            rows = connection.execute(select(audit).order_by(audit.c.number))
            return verified((_legible(row) for row in rows), heads)


def append(connection: Connection, note: AuditNote) -> None:
    """Append an entry to the chain, in the transaction of what it tells of."""
    query = select(audit).order_by(audit.c.number.desc()).limit(1)
    last = next((_entry(row) for row in rows_of(connection, audit, query)), None)
    if last is not None and not is_whole(last):
        raise StoreError(f"entry {last.number} of the audit log was changed. {DAMAGED}")
    put(connection, audit, _columns(next_entry(last, note)))


def _columns(entry: AuditEntry) -> dict[str, Any]:
    note = entry.note
    return {
        "number": entry.number,
        "at": plain_instant(note.at),
        "action": note.action,
        "actor": note.actor,
        "shard": note.shard,
        "subject": note.subject,
        "reason": note.reason,
        "facts": facts_text(note),
        "previous": entry.previous,
        "digest": entry.digest,
    }


def _entry(row: Any) -> AuditEntry:
    note = AuditNote(
        at=datetime.fromisoformat(row.at),
        action=row.action,
        actor=row.actor,
        shard=row.shard,
        subject=row.subject,
        reason=row.reason,
        facts=MappingProxyType(json.loads(row.facts)),
    )
    return AuditEntry(number=row.number, note=note, previous=row.previous, digest=row.digest)


def _legible(row: Any) -> AuditEntry:
    """Return an entry as it is; what is wrong with it is for the chain to say, also where it cannot be read."""
    try:
        return _entry(row)
    except (ValueError, TypeError):
        note = AuditNote(at=datetime.min.replace(tzinfo=UTC), action="illegible")
        return AuditEntry(
            number=row.number, note=note, previous=str(row.previous), digest=str(row.digest)
        )
