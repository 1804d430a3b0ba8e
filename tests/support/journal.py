"""Rows in a journal for tests: written under a lease and an allowance that stand in nobody's way."""

from balancer.model.lease import Allowance, Permit
from balancer.model.outcome import JournalEntry
from balancer.ports import Store

SHARD = "vc1/arranged"
ANY_NUMBER = Allowance(
    open_in_vcenter=10**6, open_in_cluster=10**6, open_on_source=10**6, open_on_target=10**6
)


def begun(store: Store, entry: JournalEntry, allowance: Allowance = ANY_NUMBER) -> int:
    """Write an intent as some other process would, and return its row."""
    lease = store.take_lease(SHARD, "arranged", at=entry.intended_at, lasts_s=60.0)
    assert lease is not None
    try:
        return store.begin(entry, Permit(lease=lease, allowance=allowance))
    finally:
        store.give_back(lease)
