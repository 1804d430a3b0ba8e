"""`balancer report`: what was done, predicted beside measured, by batch, plan or span of time. Changes nothing.

Reads the daemon's journal alone; no vCenter is asked. The report itself is `aftermath`, its forms are `expose`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.options import DEFAULT_CONFIG, OneClusterOption, RunningConfigOption
from balancer.cli.output import columns, emit, encoding, require_room, wants_color
from balancer.cli.plan import ReportFormat

if TYPE_CHECKING:
    from balancer.model.aftermath import Aftermath


def report(
    config: RunningConfigOption = DEFAULT_CONFIG,
    cluster: OneClusterOption = None,
    batch: Annotated[
        str,
        typer.Option(
            "--batch",
            metavar="B",
            help="One batch, or the beginning of its name.",
            show_default=False,
        ),
    ] = "",
    plan: Annotated[
        str,
        typer.Option(
            "--plan", metavar="PLAN", help="One plan, by number, digest or id.", show_default=False
        ),
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Begun since: 90m, 24h, 7d, or 2026-05-01. Default without --batch and --plan: 24h.",
            show_default=False,
        ),
    ] = "",
    report_format: Annotated[
        ReportFormat, typer.Option("--format", help="Form of the report.")
    ] = ReportFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the report to a file.")
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="End with 5 where not all moves were made.")
    ] = False,
) -> None:
    """Report what was done: moves made, failed and not sent, predicted beside measured, and whether it helped.

    Ends with 0, also where nothing was done; with 1 on errors, also where there is no such batch or plan.
    """
    from balancer.api.reporting import report as report_of
    from balancer.cli.journal_access import journal_of
    from balancer.cli.local import scene_of
    from balancer.config import load_config

    require_room((output,), inputs=(config,))
    settings = load_config(config)
    with journal_of(settings) as store:
        scene = scene_of(settings, store)
        done = report_of(scene, cluster=cluster, batch=batch, plan=plan, since=since)
    emit(rendered(done, report_format, output), output)
    raise typer.Exit(_exit_code(done, detailed=detailed_exitcode))


def _exit_code(done: "Aftermath", *, detailed: bool) -> ExitCode:
    totals = done.totals
    is_whole = totals.made == totals.moves and not totals.not_sent
    return ExitCode.PARTLY if detailed and not is_whole else ExitCode.DONE


def rendered(done: "Aftermath", report_format: ReportFormat, output: Path | None) -> bytes:
    """Return the report in the form that is asked for."""
    from balancer.api import reporting
    from balancer.expose.document import document_text

    match report_format:
        case ReportFormat.JSON:
            return document_text(reporting.report_document(done)).encode()
        case ReportFormat.MARKDOWN:
            return reporting.markdown_report(done).encode()
        case ReportFormat.HTML:
            return reporting.html_report(done).encode()
        case ReportFormat.TEXT:
            return _text(done, output)


def _text(done: "Aftermath", output: Path | None) -> bytes:
    from balancer.expose.action_text import action_text_of
    from balancer.expose.action_view import action_view
    from balancer.expose.report_text import LEAST_WIDTH, shows_blocks
    from balancer.expose.text_layout import Paper

    charset = encoding(output)
    paper = Paper(
        width=max(columns(output), LEAST_WIDTH),
        color=wants_color(output),
        ascii_only=not shows_blocks(charset),
    )
    return action_text_of(action_view(done), paper).encode(charset, errors="replace")
