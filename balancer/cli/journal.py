"""`balancer journal`: what was moved, when, why, and what became of it. Changes nothing."""

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.options import DEFAULT_CONFIG, OneClusterOption, RunningConfigOption
from balancer.cli.output import columns, emit, encoding
from balancer.model.outcome import MoveState, RowQuery

if TYPE_CHECKING:
    from balancer.config import Config
    from balancer.model.outcome import JournalRow
    from balancer.model.past import Past, Quarantine
    from balancer.ports import Store

journal_app = typer.Typer(
    name="journal",
    help="What was moved, when, why, and what became of it. Nothing here changes anything.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class JournalFormat(StrEnum):
    """How rows are printed."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[JournalFormat, typer.Option("--format", help="Form of the answer.")]


@journal_app.command("list")
def list_rows(
    config: RunningConfigOption = DEFAULT_CONFIG,
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
) -> None:
    """List moves, oldest first, with what became of them."""
    from balancer.cli.journal_access import journal_of
    from balancer.config import load_config

    query = RowQuery(
        vm=vm.strip(),
        states=frozenset(state or ()),
        since=_since(since) if since else None,
        last=last,
    )
    settings = load_config(config)
    with journal_of(settings) as store:
        narrow = _within(query, store, settings, cluster or "", plan)
        rows = store.find_rows(narrow) if narrow else ()
    _print_rows(rows, report_format)


def _within(
    query: "RowQuery", store: "Store", settings: "Config", cluster: str, plan: str
) -> "RowQuery | None":
    """Narrow a query to a cluster and a plan; None where the cluster has no rows, as nothing was planned there."""
    from balancer.cli.journal_access import chosen_shards
    from balancer.control import cluster_id_of

    if plan:
        kept = store.find_plan(plan.strip().lower())
        query = replace(query, plan=kept.plan_id if kept else plan.strip())
    if not cluster:
        return query
    shard, _ = chosen_shards(settings, cluster)
    found = cluster_id_of(store, shard)
    return replace(query, vcenter=shard.partition("/")[0], cluster=found) if found else None


def _print_rows(rows: "Sequence[JournalRow]", report_format: JournalFormat) -> None:
    from balancer.expose.journal_view import rows_document, rows_text

    if report_format is JournalFormat.JSON:
        _print_document(rows_document(rows))
    else:
        _print_text(rows_text(rows, width=columns(None) if sys.stdout.isatty() else None))


@journal_app.command("show")
def show_row(
    row: Annotated[int, typer.Argument(metavar="ROW", min=1, help="Number of a row, as in list.")],
    config: RunningConfigOption = DEFAULT_CONFIG,
    report_format: FormatOption = JournalFormat.TEXT,
) -> None:
    """Show one move: every state it went through, its plan and approval, its verdict, what was learnt from it."""
    from balancer.cli.journal_access import journal_of
    from balancer.config import load_config
    from balancer.expose.journal_view import row_document, row_text
    from balancer.records import story_of

    with journal_of(load_config(config)) as store:
        story = story_of(store, row)
    if report_format is JournalFormat.JSON:
        _print_document(row_document(story))
    else:
        _print_text(row_text(story))


@journal_app.command("quarantines")
def list_quarantines(
    config: RunningConfigOption = DEFAULT_CONFIG,
    cluster: OneClusterOption = None,
    report_format: FormatOption = JournalFormat.TEXT,
) -> None:
    """List the VMs and hosts that are left alone for a while, and why."""
    from balancer.cli.journal_access import chosen_shards, journal_of
    from balancer.config import load_config
    from balancer.expose.journal_view import quarantines_document, quarantines_text

    settings = load_config(config)
    _, shards = chosen_shards(settings, cluster)
    with journal_of(settings) as store:
        found = [one for shard in shards for one in _quarantined(store, shard)]
    if report_format is JournalFormat.JSON:
        _print_document(quarantines_document(found))
    else:
        _print_text(quarantines_text(found))


def _quarantined(store: "Store", shard: str) -> "tuple[Quarantine, ...]":
    now = datetime.now(UTC)
    return tuple(one for one in _past(store, shard, now).quarantines if now < one.until)


@journal_app.command("verdicts")
def list_verdicts(
    config: RunningConfigOption = DEFAULT_CONFIG,
    cluster: OneClusterOption = None,
    moves: Annotated[bool, typer.Option("--moves", help="With the moves of each batch.")] = False,
    report_format: FormatOption = JournalFormat.TEXT,
) -> None:
    """List what the batches of the last 30 days did, as measured, newest first; as JSON oldest first."""
    from balancer.cli.journal_access import chosen_shards, journal_of
    from balancer.config import load_config
    from balancer.execute.review import MEMORY
    from balancer.expose.journal_view import verdicts_document
    from balancer.expose.text_layout import Paper
    from balancer.expose.verdict_text import verdicts_text
    from balancer.model.after_action import after_actions

    settings = load_config(config)
    _, shards = chosen_shards(settings, cluster)
    since = datetime.now(UTC) - MEMORY
    with journal_of(settings) as store:
        found = [one for shard in shards for one in after_actions(_past(store, shard, since))]
    if report_format is JournalFormat.JSON:
        _print_document(verdicts_document(found))
    else:
        _print_text(verdicts_text(found, Paper(width=columns(None)), with_moves=moves))


def _past(store: "Store", shard: str, since: datetime) -> "Past":
    """Return what is remembered of a cluster; nothing where nothing was planned there yet."""
    from balancer.control import cluster_id_of
    from balancer.model.past import Past

    cluster = cluster_id_of(store, shard)
    return store.past(shard.partition("/")[0], cluster, since) if cluster else Past()


def _since(text: str) -> datetime:
    """Return the instant that is meant: so long ago, or a date and time (UTC where no zone is given)."""
    ago = re.fullmatch(r"(\d{1,6})([smhdw])", text.strip().lower())
    if ago:
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNIT_S[ago[2]])
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        allowed = "a span as 90m, 24h or 7d, or a date as 2026-05-01 or 2026-05-01T14:30"
        raise typer.BadParameter(
            f"'{text}' is no time; allowed: {allowed}", param_hint="--since"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _print_text(text: str) -> None:
    emit(text.encode(encoding(None), errors="backslashreplace"), None)


def _print_document(document: dict[str, object]) -> None:
    from balancer.expose.document import document_text

    emit(document_text(document).encode(), None)
