"""`balancer audit`: the log of every decision, refusal and human action, shown and verified. Changes nothing."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.output import emit, encoding

if TYPE_CHECKING:
    from balancer.model.audit import AuditEntry, AuditHead, AuditReport

DIGEST_LENGTH = 64

audit_app = typer.Typer(
    name="audit",
    help="Show and verify the log of decisions, refusals and human actions. Nothing here changes anything.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class AuditFormat(StrEnum):
    """How entries are printed."""

    TEXT = "text"
    JSON = "json"


ConfigOption = Annotated[Path, typer.Option("--config", metavar="F", help="The configuration.")]


@audit_app.command("verify")
def audit_verify(
    config: ConfigOption,
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER:DIGEST",
            help="An `audit head` line of the program's log that must still be there; may be repeated.",
        ),
    ] = None,
) -> None:
    """Read the whole chain and say whether it holds. Ends with 0 if it does, with 1 if not.

    A log that was cut off at its end looks whole by itself: give a head that was logged before.
    """
    from balancer.adapters.store.sqlite import opened_by_command
    from balancer.config import load_config

    heads = [_head(word) for word in head or ()]
    store = opened_by_command(load_config(config).journal.path)
    try:
        report = store.verify_audit(heads=heads)
    finally:
        store.close()
    emit(_report_text(report).encode(encoding(None), errors="replace"), None)
    raise typer.Exit(ExitCode.DONE if report.is_whole else ExitCode.ERROR)


@audit_app.command("list")
def audit_list(
    config: ConfigOption,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="How many, the newest.")
    ] = 50,
    report_format: Annotated[
        AuditFormat, typer.Option("--format", help="Form of the entries.")
    ] = AuditFormat.TEXT,
) -> None:
    """Show the last entries, oldest first: when, who, what, on which cluster, and why."""
    from balancer.adapters.store.sqlite import opened_by_command
    from balancer.config import load_config

    store = opened_by_command(load_config(config).journal.path)
    try:
        entries = store.audit_entries(last=last)
    finally:
        store.close()
    if report_format is AuditFormat.JSON:
        text = json.dumps([_document(entry) for entry in entries], indent=2) + "\n"
    else:
        text = "".join(f"{_line(entry)}\n" for entry in entries)
    emit(text.encode(encoding(None), errors="replace"), None)


def _head(word: str) -> "AuditHead":
    from balancer.model.audit import AuditHead

    number, _, digest = word.partition(":")
    is_number = number.isascii() and number.isdigit() and int(number) > 0
    if not is_number or len(digest) != DIGEST_LENGTH:
        raise typer.BadParameter(
            f"{word!r} is not NUMBER:DIGEST with a digest of {DIGEST_LENGTH} characters, as the line "
            "`audit head` of the program's log has them"
        )
    return AuditHead(number=int(number), digest=digest)


def _report_text(report: "AuditReport") -> str:
    lines = [f"entries  {report.entries}", f"head     {report.entries}:{report.head}"]
    lines += [f"fault    entry {fault.number} {fault.detail}" for fault in report.faults]
    lines.append("the chain holds" if report.is_whole else "the chain does NOT hold")
    return "\n".join(lines) + "\n"


def _line(entry: "AuditEntry") -> str:
    from balancer.expose.escape import visible

    note = entry.note
    facts = " ".join(f"{name}={value}" for name, value in sorted(note.facts.items()))
    parts = (note.actor, note.action, note.shard, note.subject, note.reason, facts)
    words = "  ".join(part for part in parts if part)
    return visible(f"{entry.number:>6}  {note.at:%Y-%m-%d %H:%M:%S}  {words}")


def _document(entry: "AuditEntry") -> dict[str, object]:
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
