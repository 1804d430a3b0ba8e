"""Rows in a journal for tests: written under a lease and an allowance that stand in nobody's way."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from balancer.adapters.store.sqlite import SqliteStore
from balancer.model.lease import Allowance, Permit
from balancer.model.outcome import JournalEntry, JournalStep, MoveState
from balancer.model.plan import MoveReason
from balancer.model.units import ClusterId, HostId, MoveId, Seconds, VmId
from balancer.ports import Store
from tests.support.builders import NOON

CLUSTER = ClusterId("domain-c1")
SHARD = "vc1/arranged"
ANY_NUMBER = Allowance(
    open_in_vcenter=10**6, open_in_cluster=10**6, open_on_source=10**6, open_on_target=10**6
)


def begun(
    store: Store, entry: JournalEntry, allowance: Allowance = ANY_NUMBER, *, shard: str = SHARD
) -> int:
    """Write an intent as some other process would, and return its row."""
    lease = store.take_lease(shard, "arranged", at=entry.intended_at, lasts_s=60.0)
    assert lease is not None
    try:
        return store.begin(entry, Permit(lease=lease, allowance=allowance))
    finally:
        store.give_back(lease)


def permit_of(store: Store, *, shard: str = SHARD, lasts_s: Seconds = 1e6) -> Permit:
    """Return a permit under a lease that was taken at noon and lasts for days."""
    lease = store.take_lease(shard, "arranged", at=NOON, lasts_s=lasts_s)
    assert lease is not None
    return Permit(lease=lease, allowance=ANY_NUMBER)


def entry(number: int = 1, **facts: Any) -> JournalEntry:
    """Return what is written of vm-N before it is sent from host-1 to host-2 at noon."""
    defaults: dict[str, Any] = {
        "vcenter": "vc1",
        "cluster": CLUSTER,
        "plan_id": "p1",
        "cycle_id": "c1",
        "move_id": MoveId(f"m-{number}"),
        "vm": VmId(f"vm-{number}"),
        "vm_name": f"vm{number}",
        "vm_uuid": f"uuid-{number}",
        "source": HostId("host-1"),
        "target": HostId("host-2"),
        "reason": MoveReason.BALANCE,
        "expected_seconds": 12.5,
        "intended_at": NOON,
    }
    return JournalEntry(**(defaults | facts))


def step(state: MoveState, seconds: float = 1.0, **facts: Any) -> JournalStep:
    """Return a state that a row takes some seconds after noon."""
    return JournalStep(state=state, at=NOON + timedelta(seconds=seconds), **facts)


@contextmanager
def sqlite_store(path: Path, **options: Any) -> Iterator[SqliteStore]:
    """Open a journal's file, and close it at the end."""
    store = SqliteStore(path, **options)
    try:
        yield store
    finally:
        store.close()
