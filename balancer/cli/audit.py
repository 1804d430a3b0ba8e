"""`balancer audit`: the log of every decision, refusal and human action, shown and verified. Changes nothing."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from balancer.cli.desk import CaFileOption, DaemonConfigOption, TokenFileOption, UrlOption, desk_of
from balancer.cli.exit_codes import ExitCode
from balancer.cli.output import emit_text

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


@audit_app.command("verify")
def audit_verify(
    config: DaemonConfigOption = None,
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER:DIGEST",
            help="An `audit head` line of the program's log that must still be there; may be repeated.",
        ),
    ] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Read the whole chain and say whether it holds. Ends with 0 if it does, with 1 if not.

    A log that was cut off at its end looks whole by itself: give a head that was logged before. Over HTTP this
    takes a token with the role admin.
    """
    from balancer.expose.audit_view import report_document_text

    with desk_of(config, url, token_file, ca_file) as desk:
        report = desk.document("verify", head=tuple(head or ()))
    emit_text(report_document_text(report))
    raise typer.Exit(ExitCode.DONE if report.get("holds") is True else ExitCode.ERROR)


@audit_app.command("list")
def audit_list(
    config: DaemonConfigOption = None,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="How many, the newest.")
    ] = 50,
    report_format: Annotated[
        AuditFormat, typer.Option("--format", help="Form of the entries.")
    ] = AuditFormat.TEXT,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Show the last entries, oldest first: when, who, what, on which cluster, and why."""
    with desk_of(config, url, token_file, ca_file) as desk:
        if report_format is AuditFormat.JSON:
            entries = desk.document("audit", last=last)["entries"]
            emit_text(json.dumps(entries, indent=2) + "\n")
            return
        emit_text(desk.text("audit", width=None, last=last))
