"""`balancer plan`: a dry run. Reads a live cluster or a snapshot file and prints what would be done.

It holds no client that could move a VM, and writes nothing but its report.
"""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.options import (
    TIME_LIMIT_S,
    ClusterOption,
    ConfigOption,
    PolicyOption,
    SeedOption,
    SnapshotOption,
    TimeLimitOption,
)
from balancer.cli.output import columns, emit, encoding, require_room, wants_color

if TYPE_CHECKING:
    from balancer.expose.origin import Origin
    from balancer.expose.report_rows import ReportView
    from balancer.model.past import Past
    from balancer.model.plan import Plan
    from balancer.model.snapshot import Snapshot
    from balancer.policy.types import Policy


class ReportFormat(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


def plan(
    config: ConfigOption = None,
    cluster: ClusterOption = None,
    snapshot: SnapshotOption = None,
    policy: PolicyOption = None,
    report_format: Annotated[
        ReportFormat, typer.Option("--format", help="Form of the report.")
    ] = ReportFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the report to a file.")
    ] = None,
    seed: SeedOption = 0,
    time_limit: TimeLimitOption = TIME_LIMIT_S,
    certify: Annotated[
        bool,
        typer.Option("--certify", help="Add lower bounds: what no plan for this cluster can beat."),
    ] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="End with 2 where changes are proposed.")
    ] = False,
) -> None:
    """Print what would be done to a cluster, and why. Changes nothing.

    With --config it is planned as the daemon would: what its journal remembers counts too, such as VMs and
    hosts that are left alone, requests to empty a host, and what earlier batches did.

    Ends with 0; with 3 if some must-rule or evacuation cannot be met; with 4 if the facts are too old
    or too few to plan from; with 1 on errors.
    """
    from balancer.cli.facts import configured_mode, read_facts
    from balancer.cli.memory import remembered
    from balancer.cli.planning import settings_of
    from balancer.planner import plan_snapshot
    from balancer.policy.in_force import mode_in_force

    require_room((output,), inputs=(config, snapshot, *map(Path, policy or ())))
    facts, wanted = read_facts(config, cluster, snapshot, policy or [])
    settings = settings_of(seed, time_limit, certify=certify)
    in_force = mode_in_force(wanted, configured_mode(config, cluster), facts.taken_at)
    past, wanted = remembered(config, cluster, facts, wanted)
    made = plan_snapshot(facts, wanted, settings=settings, in_force=in_force, past=past)
    made = _certified(made, facts, wanted, past) if certify else made
    made = _told_of(made, config)
    origin = _origin(config, snapshot, output if report_format is ReportFormat.JSON else None)
    emit(_rendered(made, facts, wanted, report_format, output, origin=origin), output)
    raise typer.Exit(_exit_code(made, detailed=detailed_exitcode))


def _certified(plan: "Plan", snapshot: "Snapshot", policy: "Policy", past: "Past | None") -> "Plan":
    from balancer.cli.planning import need_behind
    from balancer.plan.certify import certify

    need, wanted = need_behind(plan, snapshot, policy, past)
    return replace(plan, bound=certify(need, wanted, plan))


def _told_of(plan: "Plan", config: Path | None) -> "Plan":
    """Return the plan with what only a command knows of how it was made."""
    if plan.brief is None:
        return plan
    import hashlib

    digest = hashlib.sha256(config.read_bytes()).hexdigest()[:16] if config else ""
    return replace(plan, brief=replace(plan.brief, trigger="command", config_digest=digest))


def _origin(config: Path | None, snapshot: Path | None, output: Path | None) -> "Origin":
    from balancer.expose.origin import Origin

    return Origin(
        config=str(config) if config else "",
        file=str(output) if output else "",
        has_snapshot_file=snapshot is not None,
    )


def _rendered(
    plan: "Plan",
    snapshot: "Snapshot",
    policy: "Policy",
    report_format: ReportFormat,
    output: Path | None,
    *,
    origin: "Origin",
) -> bytes:
    if report_format is ReportFormat.JSON:
        from balancer.expose.document import document_text, plan_document

        return document_text(plan_document(plan, snapshot, policy=policy, origin=origin)).encode()
    from balancer.expose.report_view import report_view

    view = report_view(plan, snapshot, policy, origin=origin)
    match report_format:
        case ReportFormat.MARKDOWN:
            from balancer.expose.report_markdown import markdown_of

            return markdown_of(view).encode()
        case ReportFormat.HTML:
            from balancer.expose.report_html import html_of

            return html_of(view).encode()
        case ReportFormat.TEXT:
            return _text(view, output)


def _text(view: "ReportView", output: Path | None) -> bytes:
    from balancer.expose.report_text import LEAST_WIDTH, shows_blocks, text_of
    from balancer.expose.text_layout import Paper

    charset = encoding(output)
    paper = Paper(
        width=max(columns(output), LEAST_WIDTH),
        color=wants_color(output),
        ascii_only=not shows_blocks(charset),
    )
    return text_of(view, paper).encode(charset, errors="replace")


def _exit_code(plan: "Plan", *, detailed: bool) -> ExitCode:
    from balancer.model.plan import PlanStatus

    if plan.status is PlanStatus.REFUSED:
        return ExitCode.REFUSED
    if plan.status is PlanStatus.DEGRADED:
        return ExitCode.UNMET
    return ExitCode.CHANGES if detailed and plan.moves else ExitCode.DONE
