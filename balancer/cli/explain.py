"""`balancer explain`: why a VM moves or stays, why it may not go somewhere, what a host gives and takes.

Plans once, as `balancer plan` does with the same options, and explains that plan. It holds no client that
could move a VM, and writes nothing but its answer.
"""

from enum import StrEnum
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
from balancer.cli.output import columns, emit, encoding, wants_color

if TYPE_CHECKING:
    from pathlib import Path

    from balancer.api.explaining import Question
    from balancer.model.insight import ServerAnswer
    from balancer.model.plan import Plan
    from balancer.model.units import HostId, VmId


class ExplainFormat(StrEnum):
    """How an explanation is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def explain(
    vm: Annotated[
        str | None, typer.Option("--vm", metavar="V", help="Why this VM moves or stays.")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="H",
            help="What this host gives and takes; with --vm: why that VM may or may not go there.",
        ),
    ] = None,
    config: ConfigOption = None,
    cluster: ClusterOption = None,
    snapshot: SnapshotOption = None,
    policy: PolicyOption = None,
    report_format: Annotated[
        ExplainFormat, typer.Option("--format", help="Form of the answer.")
    ] = ExplainFormat.TEXT,
    seed: SeedOption = 0,
    time_limit: TimeLimitOption = TIME_LIMIT_S,
) -> None:
    """Say why a VM moves or stays, or what a host gives and takes. Changes nothing.

    With --vm and --host every check is listed with its outcome; with --config vCenter's own is asked too.

    VMs and hosts are named by name or id. Ends with 0; with 4 if the facts are too old or too few to
    plan from; with 1 on errors, such as an unknown name.
    """
    if vm is None and host is None:
        raise typer.BadParameter("give --vm, --host or both")
    from balancer.api.explaining import Question, meant
    from balancer.cli.facts import read_facts
    from balancer.cli.memory import remembered
    from balancer.cli.planning import need_behind, settings_of
    from balancer.planner import plan_snapshot

    facts, wanted = read_facts(config, cluster, snapshot, policy or [])
    vm_id, host_id = meant(facts, vm, host)
    past, wanted = remembered(config, cluster, facts, wanted)
    plan = plan_snapshot(facts, wanted, settings=settings_of(seed, time_limit), past=past)
    need, fitted = need_behind(plan, facts, wanted, past)
    server = _server_answer(config, cluster, vm_id, host_id)
    question = Question(need=need, policy=fitted, plan=plan, vm=vm_id, host=host_id, server=server)
    emit(_answer(question, report_format), None)
    raise typer.Exit(_exit_code(plan))


def _server_answer(
    config: "Path | None", cluster: str | None, vm: "VmId | None", host: "HostId | None"
) -> "ServerAnswer | None":
    """Ask vCenter's own check; None for a snapshot, or where no pair was named."""
    if config is None or vm is None or host is None:
        return None
    from balancer.cli.source import server_check

    return server_check(config, cluster, vm, host)


def _answer(question: "Question", report_format: ExplainFormat) -> bytes:
    from balancer.api.explaining import explanation
    from balancer.expose.document import document_text

    document, view = explanation(question)
    if report_format is ExplainFormat.JSON:
        return document_text(document).encode()
    if report_format is ExplainFormat.MARKDOWN:
        from balancer.expose.explain_markdown import explain_markdown

        return explain_markdown(view).encode()
    from balancer.expose.explain_text import explain_text
    from balancer.expose.report_text import shows_blocks

    charset = encoding(None)
    text = explain_text(
        view,
        width=columns(None),
        color=wants_color(None),
        ascii_only=not shows_blocks(charset),
    )
    return text.encode(charset, errors="replace")


def _exit_code(plan: "Plan") -> ExitCode:
    from balancer.model.plan import PlanStatus

    return ExitCode.REFUSED if plan.status is PlanStatus.REFUSED else ExitCode.DONE
