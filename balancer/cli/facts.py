"""Where the commands that only look take their facts from: a live cluster, or a snapshot file."""

from pathlib import Path

import typer

from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy


def read_facts(
    config: Path | None, cluster: str | None, snapshot: Path | None, policies: list[str]
) -> tuple[Snapshot, Policy]:
    """Return the snapshot and the policy that the options `--config`, `--snapshot` and so on name.

    Raises:
        BadParameter: the options do not fit together.
        BalancerError: a file is wrong, or the cluster cannot be read.
    """
    if (config is None) == (snapshot is None):
        raise typer.BadParameter("give either --config or --snapshot")
    if cluster is not None and config is None:
        raise typer.BadParameter("--cluster chooses among the clusters of --config")
    if snapshot is not None:
        from balancer.adapters.files import read_snapshot
        from balancer.policy.load import load_policies

        return read_snapshot(snapshot), load_policies(policies)
    from balancer.cli.source import chosen_cluster, read_cluster, require_files
    from balancer.config import load_config
    from balancer.policy.load import load_policies

    settings = load_config(config or Path())
    chosen = chosen_cluster(settings, cluster)
    require_files(settings, chosen)
    wanted = (
        load_policies(policies, folders=settings.policy_folders)
        if policies
        else settings.policy_of(chosen)
    )
    return read_cluster(settings, chosen), wanted
