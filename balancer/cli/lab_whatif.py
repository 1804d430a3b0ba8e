"""`balancer lab whatif`: whether a changed cluster would hold its VMs, and what the way there would cost."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.options import TIME_LIMIT_S, PolicyOption, SeedOption, TimeLimitOption
from balancer.cli.output import columns, emit, encoding, wants_color

if TYPE_CHECKING:
    from balancer.lab.whatif import Answer


class WhatIfFormat(StrEnum):
    """How the answer is printed."""

    TEXT = "text"
    JSON = "json"


def what_if_command(
    snapshot: Annotated[
        Path, typer.Option("--snapshot", metavar="F", help="The cluster as a snapshot file.")
    ],
    remove_host: Annotated[
        list[str] | None,
        typer.Option("--remove-host", metavar="H", help="Empty this host; by name or id."),
    ] = None,
    fail_host: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-host", metavar="H", help="Let this host fail; HA starts its VMs elsewhere."
        ),
    ] = None,
    add_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--add-host",
            metavar="N[:like=H]",
            help="Add N empty hosts like H, or like the commonest.",
        ),
    ] = None,
    add_vms: Annotated[
        list[str] | None,
        typer.Option(
            "--add-vms",
            metavar="N[:like=V]",
            help="Add N VMs like V or the middle one, or as N:vcpus=2,memory_gib=8,cpu_mhz=900.",
        ),
    ] = None,
    policy: PolicyOption = None,
    report_format: Annotated[
        WhatIfFormat, typer.Option("--format", help="Form of the answer.")
    ] = WhatIfFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the answer to a file.")
    ] = None,
    seed: SeedOption = 0,
    time_limit: TimeLimitOption = TIME_LIMIT_S,
) -> None:
    """Say whether a changed cluster would hold its VMs, and what it would cost. Changes nothing.

    Changes can be combined and given several times. With --policy alone: what another policy would do.

    Ends with 0 if everything fits; with 3 if a VM finds no host, something that must be met cannot be, or
    CPU demand goes unmet for the change; with 1 on errors.
    """
    from balancer.cli.facts import read_facts
    from balancer.cli.planning import settings_of
    from balancer.lab.whatif import what_if
    from balancer.lab.whatif_options import read_change

    change = read_change(remove_host or (), fail_host or (), add_hosts or (), add_vms or ())
    facts, wanted = read_facts(None, None, snapshot, policy or [])
    answer = what_if(facts, wanted, change, settings=settings_of(seed, time_limit))
    emit(_rendered(answer, report_format, output), output)
    raise typer.Exit(ExitCode.DONE if answer.fits else ExitCode.UNMET)


def _rendered(answer: "Answer", report_format: WhatIfFormat, output: Path | None) -> bytes:
    if report_format is WhatIfFormat.JSON:
        from balancer.expose.document import document_text
        from balancer.lab.whatif_document import what_if_document

        return document_text(what_if_document(answer)).encode()
    from balancer.expose.report_text import LEAST_WIDTH, shows_blocks
    from balancer.expose.text_layout import Paper
    from balancer.lab.whatif_text import what_if_text

    charset = encoding(output)
    paper = Paper(
        width=max(columns(output), LEAST_WIDTH),
        color=wants_color(output),
        ascii_only=not shows_blocks(charset),
    )
    return what_if_text(answer, paper).encode(charset, errors="replace")
