"""`balancer policy show`: the policy in force on a cluster, or for one VM, with where each value comes from."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from balancer.cli.options import ClusterOption, ConfigOption, PolicyOption, SnapshotOption
from balancer.cli.output import columns, emit, encoding, require_room, wants_color


class ShowFormat(StrEnum):
    """How a policy is printed."""

    TEXT = "text"
    JSON = "json"


def policy_show(
    config: ConfigOption = None,
    cluster: ClusterOption = None,
    snapshot: SnapshotOption = None,
    policy: PolicyOption = None,
    vm: Annotated[
        str | None, typer.Option("--vm", metavar="V", help="What holds for this VM, by name or id.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="For windows, as 2026-12-24T22:00:00+01:00. Default: now, or the snapshot's time.",
        ),
    ] = None,
    report_format: Annotated[
        ShowFormat, typer.Option("--format", help="Form of the answer.")
    ] = ShowFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the answer to a file.")
    ] = None,
) -> None:
    """Show the policy in force, with the file and line of each value.

    The mode in force and what holds it there, windows and when they change, every setting with its
    origin, and every rule with how many VMs and hosts it selects. With --vm: the rules that name the VM,
    the hosts they leave it, its mode, and the goals that leave it alone. Changes nothing.
    """
    from balancer.api.lookup import find_vm
    from balancer.cli.facts import configured_mode, read_policy_facts
    from balancer.expose.document import document_text
    from balancer.expose.policy_show_text import show_document, show_text
    from balancer.expose.report_text import shows_blocks
    from balancer.expose.text_layout import Paper
    from balancer.policy.overview import view_policy

    require_room((output,), inputs=(config, snapshot, *map(Path, policy or ())))
    when = _moment(at) if at is not None else None
    facts, policies = read_policy_facts(config, cluster, snapshot, policy or [])
    view = view_policy(
        policies,
        facts,
        when or facts.taken_at,
        configured=configured_mode(config, cluster),
        vm=find_vm(facts, vm) if vm is not None else None,
    )
    if report_format is ShowFormat.JSON:
        emit(document_text(show_document(view)).encode(), output)
        return
    charset = encoding(output)
    paper = Paper(
        width=columns(output), color=wants_color(output), ascii_only=not shows_blocks(charset)
    )
    emit(show_text(view, paper).encode(charset, errors="replace"), output)


def _moment(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise typer.BadParameter(
            f"--at '{text}' is no date and time with a time zone, such as 2026-12-24T22:00:00+01:00"
        )
    return when
