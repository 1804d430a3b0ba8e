"""From a configuration to a vCenter: which cluster is meant, and the connection that reads it.

It owns the choice of the cluster and the translation of settings. The commands that only plan are given
an inventory and nothing that could move a VM.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from balancer.config import Cluster, Config, VCenter, file_problems, load_config
from balancer.model.errors import InputError, SourceError
from balancer.model.insight import ServerAnswer
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId

if TYPE_CHECKING:
    from balancer.ports import Inventory


def chosen_cluster(config: Config, wanted: str | None) -> Cluster:
    """Return the one cluster that is meant: named as `cluster` or `vcenter/cluster`, or the only one.

    Raises:
        BalancerError: none or several fit; the message lists all.
    """
    from balancer.api.scene import named_one

    return named_one({f"{one.vcenter}/{one.name}": one for one in config.clusters}, wanted)


def read_cluster(config: Config, cluster: Cluster) -> Snapshot:
    """Connect, read the cluster once, and log out.

    Raises:
        InputError: a file with a secret or certificate is wrong.
        SourceError: the vCenter cannot be asked, or does not show the cluster.
    """
    from balancer.collect.cluster_choice import find_cluster

    with inventory_of(config.vcenter_of(cluster)) as inventory:
        return inventory.snapshot(find_cluster(inventory, cluster.name))


def server_check(config: Path, cluster: str | None, vm: VmId, target: HostId) -> ServerAnswer:
    """Ask vCenter's own check of a migration, on a connection of its own.

    No answer is an answer with its reason, so that what we found ourselves is told all the same.
    """
    settings = load_config(config)
    chosen = chosen_cluster(settings, cluster)
    try:
        with inventory_of(settings.vcenter_of(chosen)) as inventory:
            return inventory.check(vm, target)
    except SourceError as err:
        return ServerAnswer(unanswered=str(err))


@contextmanager
def inventory_of(vcenter: VCenter) -> "Iterator[Inventory]":
    """Give the reading side of a vCenter; leaving the block logs out."""
    from balancer.adapters.vsphere.configured import settings_of
    from balancer.adapters.vsphere.connection import connect

    with connect(settings_of(vcenter)) as connection:
        yield connection.inventory


def require_files(config: Config, cluster: Cluster) -> None:
    """Check the files that the cluster's vCenter needs, before anything is connected.

    Raises:
        InputError: some are missing, unreadable or empty; all are listed.
    """
    vcenter = config.vcenter_of(cluster)
    problems = file_problems(config.model_copy(update={"vcenters": (vcenter,)}))
    if problems:
        raise InputError(f"vCenter {vcenter.name}", problems)
