"""Which of a source's clusters is meant: by name or id, with those that can be seen where none fits."""

from balancer.model.errors import SourceError
from balancer.ports import ClusterRef, Inventory


def find_cluster(inventory: Inventory, name: str) -> ClusterRef:
    """Return the cluster of that name or id.

    Raises:
        SourceError: the vCenter shows no such cluster; the message lists those that can be seen.
    """
    clusters = inventory.clusters()
    for cluster in clusters:
        if name in (cluster.name, cluster.id):
            return cluster
    seen = ", ".join(sorted(cluster.name for cluster in clusters)) or "none"
    raise SourceError(
        f"looking for cluster '{name}': the vCenter shows no cluster of that name to this account. "
        f"It shows: {seen}. Mend the name in the configuration, or give the account the right to read it."
    )
