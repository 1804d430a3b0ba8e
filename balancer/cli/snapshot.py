"""`balancer snapshot`: records a live cluster as a snapshot file, on request without its names."""

from pathlib import Path
from typing import Annotated

import typer

from balancer.cli.options import ClusterOption
from balancer.cli.output import emit, require_room


def snapshot(
    config: Annotated[Path, typer.Option("--config", metavar="F", help="The configuration.")],
    cluster: ClusterOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write to a file.")
    ] = None,
    anonymize: Annotated[
        bool,
        typer.Option(
            "--anonymize",
            help="Replace names, UUIDs, tags, attributes and folders; ids and figures stay.",
        ),
    ] = False,
) -> None:
    """Record a cluster as a snapshot file, to plan from it later or elsewhere. Changes nothing."""
    from balancer.adapters.files import snapshot_bytes
    from balancer.adapters.files.anonymize import anonymized
    from balancer.cli.source import chosen_cluster, read_cluster, require_files
    from balancer.config import load_config

    require_room((output,), inputs=(config,))
    settings = load_config(config)
    chosen = chosen_cluster(settings, cluster)
    require_files(settings, chosen)
    recorded = read_cluster(settings, chosen)
    emit(snapshot_bytes(anonymized(recorded) if anonymize else recorded), output)
