"""Where the commands that only look take their facts from: a live cluster, or a snapshot file."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from balancer.model.snapshot import Snapshot
from balancer.policy.mode import Mode
from balancer.policy.types import Policy

if TYPE_CHECKING:
    from balancer.policy.compose import PolicySet


def read_facts(
    config: Path | None, cluster: str | None, snapshot: Path | None, policies: list[str]
) -> tuple[Snapshot, Policy]:
    """Return the snapshot and the policy that the options `--config`, `--snapshot` and so on name.

    Raises:
        BadParameter: the options do not fit together.
        BalancerError: a file is wrong, or the cluster cannot be read.
    """
    facts, wanted = read_policies_of(config, cluster, snapshot, policies)
    return facts, wanted.at(facts.taken_at)


def read_policies_of(
    config: Path | None, cluster: str | None, snapshot: Path | None, policies: list[str]
) -> "tuple[Snapshot, PolicySet]":
    """Return the snapshot and the policies that the options name, for every moment. Raises as `read_facts`."""
    _check_options(config, cluster, snapshot)
    if snapshot is not None:
        from balancer.adapters.files import read_snapshot
        from balancer.policy.compose import load_policy_set

        facts = read_snapshot(snapshot)
        return facts, load_policy_set(policies, cluster=facts.cluster.name)
    from balancer.cli.source import chosen_cluster, read_cluster, require_files
    from balancer.config import load_config

    settings = load_config(config or Path())
    chosen = chosen_cluster(settings, cluster)
    require_files(settings, chosen)
    named = chosen.model_copy(update={"policies": tuple(policies)}) if policies else chosen
    wanted = settings.policies_of(named)
    return read_cluster(settings, chosen), wanted


def configured_mode(config: Path | None, cluster: str | None) -> Mode:
    """Return the mode of the cluster that the options name; automatic for a snapshot file, which has none."""
    if config is None:
        return Mode.AUTOMATIC
    from balancer.cli.source import chosen_cluster
    from balancer.config import load_config

    return chosen_cluster(load_config(config), cluster).mode


def read_snapshot_of(config: Path | None, cluster: str | None, snapshot: Path | None) -> Snapshot:
    """Return the snapshot that the options name, without a policy. Raises as `read_facts`."""
    _check_options(config, cluster, snapshot)
    if snapshot is not None:
        from balancer.adapters.files import read_snapshot

        return read_snapshot(snapshot)
    from balancer.cli.source import chosen_cluster, read_cluster, require_files
    from balancer.config import load_config

    settings = load_config(config or Path())
    chosen = chosen_cluster(settings, cluster)
    require_files(settings, chosen)
    return read_cluster(settings, chosen)


def _check_options(config: Path | None, cluster: str | None, snapshot: Path | None) -> None:
    if (config is None) == (snapshot is None):
        raise typer.BadParameter("give either --config or --snapshot")
    if cluster is not None and config is None:
        raise typer.BadParameter("--cluster chooses among the clusters of --config")
