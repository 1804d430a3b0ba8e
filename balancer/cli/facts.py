"""Where the commands that only look take their facts from: a live cluster, or a snapshot file."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from balancer.model.snapshot import Snapshot, SourceKind
from balancer.policy.mode import Mode
from balancer.policy.types import Policy

if TYPE_CHECKING:
    from balancer.policy.compose import PolicySet


def read_facts(
    config: Path | None, cluster: str | None, snapshot: Path | None, policies: list[str]
) -> tuple[Snapshot, Policy]:
    """Return the snapshot and the policy that the options `--config`, `--snapshot` and so on name.

    The policy is the one in force when the snapshot was taken, and the snapshot has its rules. Policies
    that do not apply to the cluster are left out; that, and where policies differ, is told on standard error.

    Raises:
        BadParameter: the options do not fit together.
        BalancerError: a file is wrong, no policy applies, or the cluster cannot be read.
    """
    from balancer.policy.resolve import resolve

    facts, composed = read_policy_facts(config, cluster, snapshot, policies)
    for left_out in composed.left_out:
        typer.echo(f"policy {left_out}", err=True)
    for conflict in composed.conflicts:
        typer.echo(f"policies differ: {conflict}", err=True)
    policy = composed.at(facts.taken_at)
    return resolve(facts, policy).snapshot, policy


def read_policy_facts(
    config: Path | None, cluster: str | None, snapshot: Path | None, policies: list[str]
) -> "tuple[Snapshot, PolicySet]":
    """Return the snapshot as it was read, and all that the policies say; raises as `read_facts`."""
    _check_options(config, cluster, snapshot)
    from balancer.policy.compose import load_policy_set

    if snapshot is not None:
        from balancer.adapters.files import read_snapshot

        facts = read_snapshot(snapshot)
        return facts, load_policy_set(
            policies, vcenter=_vcenter_of(facts), cluster=facts.cluster.name
        )
    from balancer.cli.source import chosen_cluster, read_cluster, require_files
    from balancer.config import load_config

    settings = load_config(config or Path())
    chosen = chosen_cluster(settings, cluster)
    require_files(settings, chosen)
    if policies:
        chosen = chosen.model_copy(update={"policies": tuple(policies)})
    composed = settings.policies_of(chosen)
    return read_cluster(settings, chosen), composed


def configured_mode(config: Path | None, cluster: str | None) -> Mode:
    """Return the mode of the cluster that the options name; automatic for a snapshot file, which has none."""
    if config is None:
        return Mode.AUTOMATIC
    from balancer.cli.source import chosen_cluster
    from balancer.config import load_config

    return chosen_cluster(load_config(config), cluster).mode


def _vcenter_of(snapshot: Snapshot) -> str | None:
    """Return the name of the vCenter that a snapshot was read from, None where none is known."""
    is_read = snapshot.source.kind is SourceKind.VCENTER
    return snapshot.source.name or None if is_read else None


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
