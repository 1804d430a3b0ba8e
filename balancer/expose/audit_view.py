"""Entries of the audit log for people, in a terminal or a pipe, and as JSON. Names are made safe."""

from collections.abc import Iterator, Mapping, Sequence

from balancer.expose.escape import visible
from balancer.model.audit import AuditEntry, AuditReport

ENTRIES_SCHEMA = "balancer/audit/v1"
REPORT_SCHEMA = "balancer/audit-report/v1"

Json = dict[str, object]


def entries_text(entries: Sequence[AuditEntry]) -> str:
    """Return entries a line each: when, who, what, on which cluster, and why."""
    return "".join(f"{_line(entry)}\n" for entry in entries)


def entries_document(entries: Sequence[AuditEntry]) -> Json:
    """Return entries as JSON, oldest first."""
    return {"schema": ENTRIES_SCHEMA, "entries": [entry_document(entry) for entry in entries]}


def report_text(report: AuditReport) -> str:
    """Return whether the chain holds, and each fault."""
    return report_document_text(report_document(report))


def report_document_text(document: Mapping[str, object]) -> str:
    """Return the same of the document."""
    faults = document.get("faults")
    lines = [f"entries  {document.get('entries')}", f"head     {document.get('head')}"]
    for fault in faults if isinstance(faults, list) else ():
        lines.append(f"fault    entry {fault.get('entry')} {fault.get('detail')}")
    lines.append("the chain holds" if document.get("holds") is True else "the chain does NOT hold")
    return "".join(f"{visible(line)}\n" for line in lines)


def report_document(report: AuditReport) -> Json:
    """Return the same as JSON."""
    return {
        "schema": REPORT_SCHEMA,
        "holds": report.is_whole,
        "entries": report.entries,
        "head": f"{report.entries}:{report.head}",
        "faults": [{"entry": fault.number, "detail": fault.detail} for fault in report.faults],
    }


def _line(entry: AuditEntry) -> str:
    note = entry.note
    facts = " ".join(f"{name}={value}" for name, value in _flat(note.facts))
    parts = (note.actor, note.action, note.shard, note.subject, note.reason, facts)
    words = "  ".join(part for part in parts if part)
    return visible(f"{entry.number:>6}  {note.at:%Y-%m-%d %H:%M:%S}  {words}")


def _flat(facts: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Yield the facts by name, those within others as `outer.inner`."""
    for name, value in sorted(facts.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def entry_document(entry: AuditEntry) -> Json:
    """Return one entry as JSON."""
    note = entry.note
    return {
        "number": entry.number,
        "at": note.at.isoformat(),
        "actor": note.actor,
        "action": note.action,
        "shard": note.shard,
        "subject": note.subject,
        "reason": note.reason,
        "facts": dict(note.facts),
        "previous": entry.previous,
        "digest": entry.digest,
    }
