"""The ports of one process of the state machine: they let the oracle look on, and fail as the machine says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from balancer.adapters.store.memory import MemoryStore
from balancer.model.errors import StoreError
from balancer.model.insight import ServerAnswer
from balancer.model.lease import Lease, Permit
from balancer.model.outcome import JournalEntry, MigrationOrder, TaskView
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds, VmId
from balancer.ports import ClusterRef
from tests.proof.actors import Actor
from tests.proof.oracle import Oracle
from tests.proof.world import World


class InventoryPort:
    """`ports.Inventory` of one process."""

    def __init__(self, actor: Actor, world: World, oracle: Oracle) -> None:
        self._actor, self._world, self._oracle = actor, world, oracle

    def clusters(self) -> tuple[ClusterRef, ...]:
        self._actor.live()
        return self._world.clusters()

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        self._actor.live()
        return self._world.snapshot(cluster)

    def refresh(self, base: Snapshot, *, vms: Iterable[VmId], hosts: Iterable[HostId]) -> Snapshot:
        self._actor.live()
        vms, hosts = list(vms), list(hosts)
        fresh = self._world.refresh(base, vms=vms, hosts=hosts)
        if hosts:
            mind = self._oracle.mind(self._actor)
            mind.seen = replace(self._world.truth, in_flight=fresh.in_flight)
            mind.seen_s = self._world.clock.monotonic()
        return fresh

    def check(self, vm: VmId, target: HostId) -> ServerAnswer:
        self._actor.live()
        return self._world.check(vm, target)

    def tasks(self, tasks: Sequence[str]) -> Mapping[str, TaskView]:
        self._actor.live()
        return self._world.tasks(tasks)

    def __getattr__(self, name: str) -> Any:
        self._actor.live()
        return getattr(self._world, name)


class MigratorPort:
    """`ports.Migrator` of one process; after the call there is a moment in which it may be killed."""

    def __init__(self, actor: Actor, world: World, oracle: Oracle) -> None:
        self._actor, self._world, self._oracle = actor, world, oracle

    def submit(self, order: MigrationOrder) -> str:
        self._actor.live()
        self._oracle.sends(self._actor, order)
        self._world.asker = self._actor
        task = self._world.submit(order)
        self._actor.pause(0.0)
        return task


class StorePort:
    """`ports.Store` of one process. `trouble` says what is wrong with the disk, empty for nothing."""

    def __init__(
        self, actor: Actor, store: MemoryStore, oracle: Oracle, trouble: Callable[[], str]
    ) -> None:
        self._actor, self._store, self._oracle = actor, store, oracle
        self._trouble = trouble

    def take_lease(
        self, shard: str, holder: str, *, at: datetime, lasts_s: Seconds
    ) -> Lease | None:
        self._ready()
        asked_s = self._oracle.time.elapsed_s
        lease = self._store.take_lease(shard, holder, at=at, lasts_s=lasts_s)
        if lease is not None:
            self._oracle.leased(self._actor, lease, asked_s=asked_s)
        return lease

    def renew_lease(self, lease: Lease, *, at: datetime, lasts_s: Seconds) -> Lease:
        self._ready()
        asked_s = self._oracle.time.elapsed_s
        renewed = self._store.renew_lease(lease, at=at, lasts_s=lasts_s)
        self._oracle.leased(self._actor, renewed, asked_s=asked_s)
        return renewed

    def begin(self, entry: JournalEntry, permit: Permit) -> int:
        """Write an intent; with `late error` it is written although an error is told."""
        self._ready()
        row = self._store.begin(entry, permit)
        self._oracle.intended(self._actor, row)
        if self._trouble() == "late error":
            raise StoreError("the disk answered with an error after the commit")
        self._actor.pause(0.0)
        return row

    def _ready(self) -> None:
        self._actor.live()
        if self._trouble() == "down":
            raise StoreError("the journal cannot be written: no space left on device")

    def __getattr__(self, name: str) -> Any:
        self._ready()
        return getattr(self._store, name)
