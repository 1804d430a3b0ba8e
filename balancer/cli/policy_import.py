"""`balancer policy import-drs`: writes the DRS rules and overrides of a cluster as a policy file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.options import ClusterOption, ConfigOption, SnapshotOption
from balancer.cli.output import emit, require_room

if TYPE_CHECKING:
    from balancer.policy.drs_import import ImportedPolicy


def import_drs(
    config: ConfigOption = None,
    cluster: ClusterOption = None,
    snapshot: SnapshotOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the policy to a file.")
    ] = None,
) -> None:
    """Write a cluster's DRS rules and overrides as a policy. Changes nothing in the cluster.

    The policy asks for the same as the rules do and switches them off for this program, so that plans stay
    as they are. VMs are named; a rule of a VM or host group names the group. Rules that are switched off
    are left out. Ends with 1 if something could not be said in a policy: a comment at the head says what.
    """
    from balancer.cli.facts import read_snapshot_of
    from balancer.policy.drs_import import drs_policy

    require_room((output,), inputs=(config, snapshot))
    imported = drs_policy(read_snapshot_of(config, cluster, snapshot))
    emit(imported.text.encode(), output)
    _tell(imported, output)
    raise typer.Exit(ExitCode.ERROR if imported.untold else ExitCode.DONE)


def _tell(imported: "ImportedPolicy", output: Path | None) -> None:
    from balancer.policy.drs_import import described

    if imported.untold or output is not None:
        print(f"balancer: {described(imported)}", file=sys.stderr)
