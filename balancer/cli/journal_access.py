"""The daemon's journal, opened beside it: SQLite in WAL mode lets several processes read and write one file.

Commands that ask a running daemon for something write there what the daemon reads. No vCenter is asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from balancer.config import Cluster, Config
from balancer.model.errors import BalancerError

if TYPE_CHECKING:
    from balancer.adapters.store.sqlite import SqliteStore
    from balancer.approvals import KnownPlan
    from balancer.ports import Store


@contextmanager
def journal_of(config: Config, *, may_make: bool = False) -> "Iterator[SqliteStore]":
    """Give the journal of a configuration.

    Raises:
        BalancerError: there is none yet, which most often means another configuration than the daemon's.
        StoreError: it cannot be opened.
    """
    from balancer.adapters.store.sqlite import SqliteStore, opened_by_command

    path = config.journal.path
    if not may_make and not path.exists():
        raise BalancerError(
            f"There is no journal {path}. The daemon makes it at its first start: give the configuration that "
            f"the daemon runs with. To keep a daemon from moving anything before its first start, make the "
            f"file {config.stop_path}."
        )
    store = opened_by_command(path) if path.exists() else SqliteStore(path)
    try:
        yield store
    finally:
        store.close()


def shard_of(cluster: Cluster) -> str:
    """Return what a cluster's pauses, plans and leases go by in the journal."""
    return f"{cluster.vcenter}/{cluster.name}"


def kept_plan(store: "Store", settings: Config, key: str) -> "tuple[KnownPlan, Cluster]":
    """Return the plan that a number or digest names, and its cluster; raises `BalancerError`."""
    from balancer.api import plans
    from balancer.cli.local import scene_of

    known, found = plans.kept_plan(scene_of(settings, store), key)
    return known, next(one for one in settings.clusters if shard_of(one) == found.shard)
