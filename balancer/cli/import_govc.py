"""`balancer import govc`: what `govc object.save` wrote, as a snapshot file."""

from pathlib import Path
from typing import Annotated

import typer


def govc(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="The folder, or a tar or zip of it; several count as one."
        ),
    ],
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="C", help="Which one, where the dump has several."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the snapshot to a file.")
    ] = None,
) -> None:
    """Make a snapshot of one cluster of a dump of govc object.save. Asks no vCenter.

    Broken, missing and double objects are mended by a rule or refused, and all of it is told on standard error,
    with the file and the line. What the dump does not say stays unknown.

    Ends with 1 if something cannot be mended: nothing is written then.
    """
    from balancer.adapters.imports.govc import import_govc
    from balancer.cli.import_report import finish
    from balancer.cli.output import require_room

    require_room((output,), inputs=files)
    finish(import_govc(files, cluster), output)
