"""The hash chain of the audit log: what an entry's digest covers, and whether a row of entries holds. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from balancer.adapters.store.forms import plain_instant, plain_text
from balancer.model.audit import AuditEntry, AuditFault, AuditHead, AuditNote, AuditReport

GENESIS = "0" * 64
"""The digest before the first entry."""


def next_entry(last: AuditEntry | None, note: AuditNote) -> AuditEntry:
    """Return a note as the entry that follows the last one, in the form that can be written.

    Raises:
        StoreError: the note's time has no zone.
    """
    note = _writable(note)
    number = last.number + 1 if last else 1
    previous = last.digest if last else GENESIS
    return AuditEntry(
        number=number, note=note, previous=previous, digest=_digest(number, previous, note)
    )


def verified(entries: Iterable[AuditEntry], heads: Iterable[AuditHead] = ()) -> AuditReport:
    """Follow the chain from its first entry; `entries` in the order of their numbers, `heads` in any."""
    faults: list[AuditFault] = []
    expected = {head.number: head.digest for head in heads}
    number, last = 0, GENESIS
    for entry in entries:
        number += 1
        faults += [
            AuditFault(number=entry.number, detail=detail)
            for detail in _faults(entry, number, last, expected.pop(entry.number, ""))
        ]
        number, last = entry.number, entry.digest
    faults += [
        AuditFault(number=missing, detail=f"is missing: the log ends at {number}")
        for missing in sorted(expected)
    ]
    return AuditReport(entries=number, head=last, faults=tuple(faults))


def _faults(entry: AuditEntry, number: int, previous: str, noted: str) -> Iterator[str]:
    if entry.number != number:
        yield f"number {number} was expected"
    if entry.previous != previous:
        yield "does not follow the entry before it"
    if not is_whole(entry):
        yield "was changed after it was written"
    if noted and noted != entry.digest:
        yield "is not the entry whose digest was noted"


def is_whole(entry: AuditEntry) -> bool:
    """Whether an entry is as it was written."""
    return entry.digest == _digest(entry.number, entry.previous, entry.note)


def facts_text(note: AuditNote) -> str:
    """Return the facts as canonical JSON."""
    return json.dumps(dict(note.facts), sort_keys=True, separators=(",", ":"), default=str)


def _writable(note: AuditNote) -> AuditNote:
    """Return a note as it is read back: text that every file takes, facts that JSON has words for."""
    return replace(
        note,
        at=datetime.fromisoformat(plain_instant(note.at)),
        action=plain_text(note.action),
        actor=plain_text(note.actor),
        shard=plain_text(note.shard),
        subject=plain_text(note.subject),
        reason=plain_text(note.reason),
        facts=MappingProxyType(json.loads(facts_text(note))),
    )


def _digest(number: int, previous: str, note: AuditNote) -> str:
    parts = (
        number,
        previous,
        plain_instant(note.at),
        note.action,
        note.actor,
        note.shard,
        note.subject,
        note.reason,
        facts_text(note),
    )
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
