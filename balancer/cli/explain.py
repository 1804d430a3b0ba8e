"""`balancer explain`: why a VM moves or stays, why it may not go somewhere, what a host gives and takes.

Plans once, as `balancer plan` does with the same options, and explains that plan. It holds no client that
could move a VM, and writes nothing but its answer.
"""

from dataclasses import dataclass, replace
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
from balancer.model.errors import BalancerError

if TYPE_CHECKING:
    from pathlib import Path

    from balancer.expose.explanation import Explanation
    from balancer.model.insight import ServerAnswer
    from balancer.model.need import Need
    from balancer.model.plan import Plan
    from balancer.model.snapshot import Snapshot
    from balancer.model.units import HostId, VmId
    from balancer.policy.types import Policy


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
    from balancer.cli.facts import read_facts
    from balancer.cli.memory import remembered
    from balancer.cli.planning import need_behind, settings_of
    from balancer.planner import plan_snapshot

    facts, wanted = read_facts(config, cluster, snapshot, policy or [])
    vm_id, host_id = _meant(facts, vm, host)
    past, wanted = remembered(config, cluster, facts, wanted)
    plan = plan_snapshot(facts, wanted, settings=settings_of(seed, time_limit), past=past)
    need, fitted = need_behind(plan, facts, wanted, past)
    server = _server_answer(config, cluster, vm_id, host_id)
    scope = _Scope(need=need, policy=fitted, plan=plan, vm=vm_id, host=host_id, server=server)
    emit(_answer(scope, report_format), None)
    raise typer.Exit(_exit_code(plan))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What is asked about, and the plan it is asked of."""

    need: "Need"
    policy: "Policy"
    plan: "Plan"
    vm: "VmId | None"
    host: "HostId | None"
    server: "ServerAnswer | None" = None

    @property
    def snapshot(self) -> "Snapshot":
        return self.need.snapshot


def _meant(
    facts: "Snapshot", vm: str | None, host: str | None
) -> "tuple[VmId | None, HostId | None]":
    from balancer.cli.lookup import find_host, find_vm

    vm_id = find_vm(facts, vm) if vm is not None else None
    host_id = find_host(facts, host) if host is not None else None
    if vm_id and facts.vm_by_id[vm_id].host == host_id:
        raise BalancerError(
            f"{vm} is on {host} already. Leave --host out to see why it stays or moves."
        )
    return vm_id, host_id


def _server_answer(
    config: "Path | None", cluster: str | None, vm: "VmId | None", host: "HostId | None"
) -> "ServerAnswer | None":
    """Ask vCenter's own check; None for a snapshot, or where no pair was named."""
    if config is None or vm is None or host is None:
        return None
    from balancer.cli.source import server_check

    return server_check(config, cluster, vm, host)


def _answer(scope: _Scope, report_format: ExplainFormat) -> bytes:
    if scope.vm is None:
        return _of_host(scope, report_format)
    from balancer.expose.document import document_text
    from balancer.expose.explain_document import vm_document
    from balancer.expose.explain_view import vm_view
    from balancer.plan.insight import explain_vm

    insight = explain_vm(scope.need, scope.policy, scope.plan, scope.vm, host=scope.host)
    if scope.server is not None:
        targets = tuple(replace(target, server=scope.server) for target in insight.targets)
        resting = tuple(replace(target, server=scope.server) for target in insight.resting)
        insight = replace(insight, targets=targets, resting=resting)
    if report_format is ExplainFormat.JSON:
        return document_text(vm_document(insight, scope.plan, scope.snapshot)).encode()
    return _written(vm_view(insight, scope.snapshot, of_pair=scope.host is not None), report_format)


def _of_host(scope: _Scope, report_format: ExplainFormat) -> bytes:
    from balancer.expose.document import document_text
    from balancer.expose.explain_document import host_document
    from balancer.expose.explain_view import host_view
    from balancer.plan.host_insight import explain_host

    assert scope.host is not None, "the command asks for a VM, a host or both"
    insight = explain_host(scope.need, scope.policy, scope.plan, scope.host)
    if report_format is ExplainFormat.JSON:
        return document_text(host_document(insight, scope.plan, scope.snapshot)).encode()
    return _written(host_view(insight, scope.snapshot), report_format)


def _written(explanation: "Explanation", report_format: ExplainFormat) -> bytes:
    if report_format is ExplainFormat.MARKDOWN:
        from balancer.expose.explain_markdown import explain_markdown

        return explain_markdown(explanation).encode()
    from balancer.expose.explain_text import explain_text
    from balancer.expose.report_text import shows_blocks

    charset = encoding(None)
    text = explain_text(
        explanation,
        width=columns(None),
        color=wants_color(None),
        ascii_only=not shows_blocks(charset),
    )
    return text.encode(charset, errors="replace")


def _exit_code(plan: "Plan") -> ExitCode:
    from balancer.model.plan import PlanStatus

    return ExitCode.REFUSED if plan.status is PlanStatus.REFUSED else ExitCode.DONE
