"""Questions and changes on the daemon's journal file, beside the daemon and without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from balancer.api.answer import Answer
from balancer.api.operations import OPERATIONS
from balancer.api.scene import Scene, Watched
from balancer.cli.actor import by_me
from balancer.cli.journal_access import journal_of, shard_of
from balancer.config import Cluster, Config, load_config
from balancer.model.snapshot import Snapshot
from balancer.policy.compose import PolicySet
from balancer.ports import Store


@contextmanager
def local_desk(config: Path) -> Iterator["Local"]:
    """Give the desk of a configuration. Raises `InputError`, `BalancerError`, `StoreError`."""
    settings = load_config(config)
    with journal_of(settings) as store:
        yield Local(scene_of(settings, store))


def scene_of(settings: Config, store: Store) -> Scene:
    """Return what is asked beside a daemon: nobody knows here what it saw last."""
    clusters = {shard_of(one): one for one in settings.clusters}
    known = tuple(_watched(settings, one) for one in settings.clusters)
    return Scene(
        store=store,
        now=_now,
        clusters=lambda: known,
        read=lambda cluster: _read(settings, clusters[cluster.shard]),
        stop_path=settings.stop_path,
    )


class Local:
    """A `desk.Desk` on a journal."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def text(self, name: str, *, width: int | None, **words: object) -> str:
        """Return the answer for people."""
        return self._answer(name, words).text(width)

    def document(self, name: str, **words: object) -> dict[str, object]:
        """Return the answer for programs."""
        return self._answer(name, words).document

    def change(self, name: str, *, reason: str, **words: object) -> str:
        """Make a change in the name of the user of this process."""
        return OPERATIONS[name].act(self._scene, by_me(reason), **words).text(None)

    def _answer(self, name: str, words: dict[str, object]) -> Answer:
        return OPERATIONS[name].act(self._scene, **words)


def _now() -> datetime:
    return datetime.now(UTC)


def _watched(settings: Config, cluster: Cluster) -> Watched:
    policies: partial[PolicySet] = partial(settings.policies_of, cluster)
    read_once = cache(policies)
    return Watched(
        vcenter=cluster.vcenter,
        name=cluster.name,
        mode=cluster.mode,
        interval_s=cluster.interval_s,
        policy_at=lambda when: read_once().at(when),
    )


def _read(settings: Config, cluster: Cluster) -> Snapshot:
    from balancer.cli.source import read_cluster, require_files

    require_files(settings, cluster)
    return read_cluster(settings, cluster)
