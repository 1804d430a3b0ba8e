"""`balancer import rvtools`: an RVTools export as a snapshot file."""

from pathlib import Path
from typing import Annotated

import typer


def rvtools(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An xlsx file, or csv files as a folder or zip.")
    ],
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="C", help="Which one, where the export has several."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the snapshot to a file.")
    ] = None,
    split_host_usage: Annotated[
        bool,
        typer.Option(
            "--split-host-usage",
            help="Assume that VMs without figures share what their host uses: CPU by vCPUs, memory by size.",
        ),
    ] = False,
) -> None:
    """Make a snapshot of one cluster of an RVTools export. Asks no vCenter.

    What is wrong in the export is mended by a rule or refused, and all of it is told on standard error, by
    rule with counts and the first places. What the export does not say stays unknown.

    Ends with 1 if something cannot be mended: nothing is written then.
    """
    from balancer.adapters.imports import import_rvtools
    from balancer.cli.import_report import finish
    from balancer.cli.output import require_room

    require_room((output,), inputs=(file,))
    finish(import_rvtools(file, cluster, split_host_usage=split_host_usage), output)
