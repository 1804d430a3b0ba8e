"""`balancer policy lint`: says what policies of the right form ask that cannot be, or that does nothing."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.options import ClusterOption, ConfigOption, SnapshotOption
from balancer.cli.output import columns, emit, encoding, require_room, wants_color

if TYPE_CHECKING:
    from balancer.model.snapshot import Snapshot
    from balancer.policy.compose import PolicySet
    from balancer.policy.lint_types import LintFinding


class LintFormat(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


def policy_lint(
    policies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="POLICY",
            help="Policies by name or file, merged in order. Default with --config: the cluster's own.",
        ),
    ] = None,
    config: ConfigOption = None,
    cluster: ClusterOption = None,
    snapshot: SnapshotOption = None,
    report_format: Annotated[
        LintFormat, typer.Option("--format", help="Form of the findings.")
    ] = LintFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the findings to a file.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 on warnings as well as on errors.")
    ] = False,
) -> None:
    """Find rules that cannot hold, contradict each other, or do nothing.

    With a cluster (--snapshot or --config): rules without VMs or hosts, redundant and contradictory ones,
    more VMs than hosts, rules that cannot hold with one host down (the planner is asked too, for 20
    seconds at most). Without one: what can be told from the
    files alone, such as windows that never open and settings without effect.

    Ends with 1 if there are errors, with 0 otherwise.
    """
    from balancer.expose.document import document_text
    from balancer.expose.lint_text import lint_document, lint_text
    from balancer.expose.report_text import shows_blocks
    from balancer.expose.text_layout import Paper
    from balancer.policy.lint_types import Level

    require_room((output,), inputs=(config, snapshot, *map(Path, policies or ())))
    facts, asked = _facts(policies or [], config, cluster, snapshot)
    findings = _findings(facts, asked)
    against = f"cluster {facts.cluster.name}" if facts else "the files alone"
    if report_format is LintFormat.JSON:
        emit(document_text(lint_document(findings, against=against)).encode(), output)
    else:
        charset = encoding(output)
        paper = Paper(
            width=columns(output), color=wants_color(output), ascii_only=not shows_blocks(charset)
        )
        text = lint_text(findings, against=against, paper=paper)
        emit(text.encode(charset, errors="replace"), output)
    bad = {Level.ERROR, Level.WARNING} if strict else {Level.ERROR}
    is_bad = any(finding.level in bad for finding in findings)
    raise typer.Exit(ExitCode.ERROR if is_bad else ExitCode.DONE)


def _findings(facts: "Snapshot | None", asked: "PolicySet") -> "tuple[LintFinding, ...]":
    from balancer.assess.lint import lint, ranked
    from balancer.assess.lint_rules import RuleBook
    from balancer.cli.policy_lint_plans import lint_by_plans
    from balancer.policy.lint_types import FAILING
    from balancer.policy.resolve import resolve

    if facts is None:
        return lint(asked, None, datetime.now(tz=UTC))
    policy = asked.without_windows
    resolved = resolve(facts, policy)
    findings = lint(asked, resolved, facts.taken_at)
    book = RuleBook(snapshot=resolved.snapshot, places=resolved.places)
    known = frozenset(finding.rule for finding in findings if finding.kind in FAILING)
    return ranked((*findings, *lint_by_plans(book, facts, policy, known)))


def _facts(
    policies: list[str], config: Path | None, cluster: str | None, snapshot: Path | None
) -> "tuple[Snapshot | None, PolicySet]":
    from balancer.cli.facts import read_policy_facts
    from balancer.policy.compose import load_policy_set

    if config is None and snapshot is None:
        if cluster is not None:
            raise typer.BadParameter("--cluster chooses among the clusters of --config")
        if not policies:
            raise typer.BadParameter("name policies, or give --config or --snapshot")
        return None, load_policy_set(policies)
    return read_policy_facts(config, cluster, snapshot, policies)
