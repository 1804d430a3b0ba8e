"""`balancer journal`: what was moved, when, why, and what became of it. Changes nothing."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from balancer.cli.desk import CaFileOption, DaemonConfigOption, TokenFileOption, UrlOption, desk_of
from balancer.cli.options import OneClusterOption
from balancer.cli.output import columns, emit_document, emit_text
from balancer.model.outcome import MoveState

journal_app = typer.Typer(
    name="journal",
    help="What was moved, when, why, and what became of it. Nothing here changes anything.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class JournalFormat(StrEnum):
    """How rows are printed."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[JournalFormat, typer.Option("--format", help="Form of the answer.")]


@journal_app.command("list")
def list_rows(
    config: DaemonConfigOption = None,
    cluster: OneClusterOption = None,
    vm: Annotated[
        str, typer.Option("--vm", metavar="V", help="Of one VM, by name or id.", show_default=False)
    ] = "",
    state: Annotated[
        list[MoveState] | None, typer.Option("--state", help="In this state; several may be given.")
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Begun since: 90m, 24h, 7d, or 2026-05-01.",
            show_default=False,
        ),
    ] = "",
    plan: Annotated[
        str,
        typer.Option(
            "--plan",
            metavar="PLAN",
            help="Of one plan, by number, digest or id.",
            show_default=False,
        ),
    ] = "",
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="No more than these, the newest.")
    ] = 50,
    report_format: FormatOption = JournalFormat.TEXT,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """List moves, oldest first, with what became of them."""
    wanted = {
        "cluster": cluster,
        "vm": vm,
        "state": tuple(state or ()),
        "since": since,
        "plan": plan,
        "last": last,
    }
    with desk_of(config, url, token_file, ca_file) as desk:
        if report_format is JournalFormat.JSON:
            emit_document(desk.document("journal", **wanted))
            return
        width = columns(None) if sys.stdout.isatty() else None
        emit_text(desk.text("journal", width=width, **wanted))


@journal_app.command("show")
def show_row(
    row: Annotated[int, typer.Argument(metavar="ROW", min=1, help="Number of a row, as in list.")],
    config: DaemonConfigOption = None,
    report_format: FormatOption = JournalFormat.TEXT,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """Show one move: every state it went through, its plan and approval, its verdict, what was learnt from it."""
    with desk_of(config, url, token_file, ca_file) as desk:
        if report_format is JournalFormat.JSON:
            emit_document(desk.document("move", row=row))
            return
        emit_text(desk.text("move", width=None, row=row))


@journal_app.command("quarantines")
def list_quarantines(
    config: DaemonConfigOption = None,
    cluster: OneClusterOption = None,
    report_format: FormatOption = JournalFormat.TEXT,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """List the VMs and hosts that are left alone for a while, and why."""
    with desk_of(config, url, token_file, ca_file) as desk:
        if report_format is JournalFormat.JSON:
            emit_document(desk.document("quarantines", cluster=cluster))
            return
        emit_text(desk.text("quarantines", width=None, cluster=cluster))


@journal_app.command("verdicts")
def list_verdicts(
    config: DaemonConfigOption = None,
    cluster: OneClusterOption = None,
    moves: Annotated[bool, typer.Option("--moves", help="With the moves of each batch.")] = False,
    report_format: FormatOption = JournalFormat.TEXT,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
) -> None:
    """List what the batches of the last 30 days did, as measured, newest first; as JSON oldest first."""
    with desk_of(config, url, token_file, ca_file) as desk:
        if report_format is JournalFormat.JSON:
            emit_document(desk.document("verdicts", cluster=cluster))
            return
        emit_text(desk.text("verdicts", width=columns(None), cluster=cluster, moves=moves))
