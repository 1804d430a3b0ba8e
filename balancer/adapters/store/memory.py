"""Everything that must outlive the process, in memory: for the demonstration, the simulation and tests.

The twin of the SQLite store: one suite of tests runs over both. Never to be used against a real vCenter,
where a crash must not lose what was sent.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from balancer.adapters.store import notes
from balancer.adapters.store.memory_records import MemoryAudit, MemoryControls, MemoryOfClusters
from balancer.adapters.store.permits import check_intent, check_lease
from balancer.adapters.store.steps import after_step, first_row
from balancer.model.errors import StoreError
from balancer.model.lease import Lease, Permit
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep, MoveState, RowQuery
from balancer.model.past import Past
from balancer.model.units import ClusterId, Seconds


class MemoryStore(MemoryControls, MemoryOfClusters, MemoryAudit):
    """A `ports.Store` that keeps values in lists. Safe to share between threads."""

    def __init__(self) -> None:
        lock = threading.RLock()
        MemoryControls.__init__(self, lock, self.note)
        MemoryOfClusters.__init__(self, lock, self.note)
        MemoryAudit.__init__(self, lock)
        self._lock = lock
        self._rows: dict[int, JournalRow] = {}
        self._shards: dict[int, str] = {}
        self._steps: dict[int, list[JournalStep]] = {}
        self._leases: dict[str, Lease] = {}

    def take_lease(
        self, shard: str, holder: str, *, at: datetime, lasts_s: Seconds
    ) -> Lease | None:
        """Return a new lease with a higher token, or None while somebody else's lasts."""
        with self._lock:
            last = self._leases.get(shard)
            if last and last.holder != holder and at < last.expires_at:
                return None
            token = last.token + 1 if last else 1
            ends = at + timedelta(seconds=lasts_s)
            lease = Lease(shard=shard, holder=holder, token=token, expires_at=ends)
            self._leases[shard] = lease
            return lease

    def renew_lease(self, lease: Lease, *, at: datetime, lasts_s: Seconds) -> Lease:
        """Return the lease with a later end; raises `IntentRefused` where it is not the newest any more."""
        with self._lock:
            check_lease(lease, self._leases.get(lease.shard))
            renewed = replace(lease, expires_at=at + timedelta(seconds=lasts_s))
            self._leases[lease.shard] = renewed
            return renewed

    def give_back(self, lease: Lease) -> None:
        """End a lease now, if it is still the newest."""
        with self._lock:
            newest = self._leases.get(lease.shard)
            if newest and newest.token == lease.token:
                ended = datetime.min.replace(tzinfo=UTC)
                self._leases[lease.shard] = replace(lease, expires_at=ended)

    def leases(self) -> tuple[Lease, ...]:
        """Return the newest lease of each shard, ended or not, by shard."""
        with self._lock:
            return tuple(self._leases[shard] for shard in sorted(self._leases))

    def begin(self, entry: JournalEntry, permit: Permit) -> int:
        """Write an INTENT row and return its id; see `ports.Journal`."""
        with self._lock:
            row = first_row(max(self._rows, default=0) + 1, entry)
            check_intent(
                entry,
                permit,
                newest=self._leases.get(permit.lease.shard),
                pauses=self.pauses(),
                rows=self._select(lambda row: row.entry.vcenter == entry.vcenter),
            )
            self._rows[row.id] = row
            self._shards[row.id] = permit.lease.shard
            step = JournalStep(state=MoveState.INTENT, at=entry.intended_at)
            self._steps[row.id] = [step]
            self.note(notes.of_intent(row.id, entry, permit.lease))
            return row.id

    def advance(self, row: int, step: JournalStep) -> None:
        """Write the next state of a row.

        Raises:
            StoreError: there is no such row, or it has ended.
        """
        with self._lock:
            before = self._rows.get(row)
            if before is None:
                raise StoreError(f"the journal has no row {row}; nothing was written")
            self._rows[row] = after_step(before, step)
            self._steps[row].append(step)
            self.note(notes.of_step(before, step, self._shards[row]))

    def open_rows(self, vcenter: str) -> tuple[JournalRow, ...]:
        """Return the rows whose end is not known, oldest first."""
        return self._select(lambda row: row.entry.vcenter == vcenter and row.state.is_open)

    def rows_since(
        self, vcenter: str, cluster: ClusterId, since: datetime
    ) -> tuple[JournalRow, ...]:
        """Return the rows intended at or after `since`, oldest first."""
        return self.find_rows(RowQuery(vcenter=vcenter, cluster=cluster, since=since))

    def find_rows(self, query: RowQuery) -> tuple[JournalRow, ...]:
        """Return the newest rows that a query asks for, oldest first."""
        found = self._select(lambda row: _is_asked_for(row, query))
        if query.last is None:
            return found
        return found[-query.last :] if query.last > 0 else ()

    def steps_of(self, row: int) -> tuple[JournalStep, ...]:
        """Return the states that a row went through, oldest first."""
        with self._lock:
            return tuple(self._steps.get(row, ()))

    def past(self, vcenter: str, cluster: ClusterId, since: datetime) -> Past:
        """Return all that is remembered since then, every open row, and the breaker as it is."""
        with self._lock:
            rows = self._select(
                lambda row: (
                    (row.entry.vcenter, row.entry.cluster) == (vcenter, cluster)
                    and (row.entry.intended_at >= since or row.state.is_open)
                )
            )
            return self.remembered(rows, vcenter, cluster, since)

    def forget(self, before: datetime) -> int:
        """Drop what was over before then, and return how many rows; see `ports.Upkeep`."""
        with self._lock:
            newest = max(self._rows, default=0)
            old = [
                row.id
                for row in self._rows.values()
                if row.ended_at is not None and row.ended_at < before and row.id < newest
            ]
            steps = sum(len(self._steps.pop(row)) for row in old)
            for row in old:
                del self._rows[row], self._shards[row]
            return len(old) + steps + self._forget_controls(before) + self._forget_past(before)

    def _select(self, wanted: Callable[[JournalRow], bool]) -> tuple[JournalRow, ...]:
        with self._lock:
            return tuple(row for row in self._rows.values() if wanted(row))


def _is_asked_for(row: JournalRow, query: RowQuery) -> bool:
    entry = row.entry
    return (
        query.row in (None, row.id)
        and query.vcenter in ("", entry.vcenter)
        and query.cluster in (None, "", entry.cluster)
        and query.vm in ("", entry.vm, entry.vm_name)
        and (not query.states or row.state in query.states)
        and query.plan in ("", entry.plan_id)
        and (query.since is None or entry.intended_at >= query.since)
        and (query.until is None or entry.intended_at < query.until)
    )
