"""The memory of demand of every cluster that the daemon works on: filled from the store, and written to it.

Owns when a cluster's past is read (before its first snapshot counts), when the source is asked what it remembers
(at the first snapshot, where the store knows little), and when roll-ups are written (as an hour ends, and at the
stop). No safety hangs on it: where the store fails, that is told, and the memory goes on alone.
"""

import logging
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import numpy as np

from balancer.backfill import Backfill
from balancer.collect.history import ACTIVE, CPU, STEP_S, USED, DemandHistory
from balancer.collect.rollups import hour_of
from balancer.foresight import RememberedDemand
from balancer.model.errors import StoreError
from balancer.model.events import ForecastError
from balancer.model.rollup import SERIES_OF, Kind, Series
from balancer.model.snapshot import Snapshot
from balancer.model.units import HOUR_S, Seconds
from balancer.policy.types import Policy
from balancer.ports import Clock, History, PastDemand

log = logging.getLogger(__name__)

STEPS_OF_HOUR = round(HOUR_S / STEP_S)
STEPS_OF_DAY = 24 * STEPS_OF_HOUR

STOP_WITHIN_S: Seconds = 1.5
"""How long a stop waits for what is not written yet. What is not done by then is lost: an hour at most."""

WEEK_DAYS = 7
KNOWN_ENOUGH = 6 / 7
"""The share of the last week's steps that must be known for the source not to be asked what it remembers."""

LOOKED_AT = 256
"""So many VMs are looked at for what is known; of the others as much is."""

_DAY = timedelta(days=1)
_EXACT = timedelta(hours=2)
_LONG: dict[Kind, tuple[Series, ...]] = {Kind.VM: (CPU, ACTIVE), Kind.HOST: (CPU, USED)}


class ClusterMemory:
    """`Foresight` of one cluster whose history outlives the process."""

    def __init__(
        self,
        key: str,
        store: History | None,
        *,
        memory_days: int,
        most_bytes: int,
        past: PastDemand | None = None,
    ) -> None:
        self._key, self._store, self._days = key, store, memory_days
        self._most_bytes = most_bytes
        self.history = DemandHistory(steps=memory_days * STEPS_OF_DAY)
        self._remembered = RememberedDemand(self.history)
        self._backfill = Backfill(past)
        self._is_loaded = False
        self._lock = threading.Lock()

    def seen(self, snapshot: Snapshot, policy: Policy) -> Snapshot:
        """Remember a snapshot, and return it with what the policy's `demand` asks for."""
        with self._lock:
            if not self._is_loaded:
                self.load(snapshot.taken_at)
                if self._knows_little():
                    self._backfill.ask(snapshot.running_vms, snapshot.taken_at)
            self._take_past(snapshot.taken_at)
            if self._ends_an_hour(snapshot.taken_at):
                self._try("history not written", self._write)
            return self._remembered.seen(snapshot, policy)

    def load(self, until: datetime) -> None:
        """Read what the store has of the days before `until`, the source's clock, that memory holds."""
        self._is_loaded = True
        self._try("history not read", lambda store: self._load(store, until))

    @property
    def errors(self) -> tuple[ForecastError, ...]:
        """How wrong earlier forecasts were, as the newest snapshot showed."""
        return self._remembered.errors

    def close(self) -> None:
        """Write what is not written yet, once no cycle holds the memory."""
        with self._lock:
            if self.history.last is not None:
                self._try("history not written", self._write)

    def _knows_little(self) -> bool:
        if self.history.last is None:
            return True
        steps = min(self._days, WEEK_DAYS) * STEPS_OF_DAY
        some = self.history.view(steps, vms=slice(0, LOOKED_AT))
        known = np.count_nonzero(np.isfinite(some.cpu_mhz).any(axis=1))
        return bool(known < KNOWN_ENOUGH * steps)

    def _take_past(self, until: datetime) -> None:
        """Add what the source remembers, as far as it has come. What was learnt without it is learnt anew."""
        blocks = self._backfill.taken()
        for block in blocks:
            self.history.fill(block, until=until)
        if blocks:
            self._remembered = RememberedDemand(self.history)

    def _ends_an_hour(self, taken_at: datetime) -> bool:
        last = self.history.last
        return last is not None and taken_at.timestamp() // HOUR_S > last // STEPS_OF_HOUR

    def _load(self, store: History, until: datetime) -> None:
        for kind in Kind:
            self._fill(store, kind, until - self._days * _DAY, until, _LONG[kind])
            self._fill(store, kind, until - _EXACT, until, SERIES_OF[kind])

    def _fill(
        self,
        store: History,
        kind: Kind,
        since: datetime,
        until: datetime,
        series: Collection[Series],
    ) -> None:
        for block in store.read(self._key, kind, STEP_S, since=since, until=until, series=series):
            self.history.fill(block, until=until)

    def _write(self, store: History) -> None:
        """Write the hour in which the last snapshot was taken, as far as it is known."""
        last = self.history.last or 0
        for block in self.history.blocks(last // STEPS_OF_HOUR * STEPS_OF_HOUR, last):
            store.put(self._key, block)
            store.put(self._key, hour_of(block))
        store.shrink(self._most_bytes)

    def _try(self, failed: str, work: Callable[[History], None]) -> None:
        if self._store is None:
            return
        try:
            work(self._store)
        except StoreError as err:
            log.error(failed, extra={"cluster": self._key, "error": str(err)})


class Recall:
    """The memories of all clusters. `store` of None: nothing outlives the process.

    Each holds steps of five minutes of `memory_days`. The store keeps them for `five_minute_days`, which are no
    fewer, and hours for `hourly_days`, in `most_bytes` for all clusters together.
    """

    def __init__(
        self,
        store: History | None,
        *,
        five_minute_days: int,
        memory_days: int,
        hourly_days: int,
        most_bytes: int,
    ) -> None:
        self._store = store
        self._five_minute_days, self._hourly_days = five_minute_days, hourly_days
        self._memory_days, self._most_bytes = memory_days, most_bytes
        self._clusters: dict[str, ClusterMemory] = {}
        self._lock = threading.Lock()

    def of(self, key: str, past: PastDemand | None = None) -> ClusterMemory:
        """Return the memory of a cluster, by the key of its watch; the same one each time.

        `past` is what its source remembers, for one that is new.
        """
        with self._lock:
            if key not in self._clusters:
                memory = ClusterMemory(
                    key,
                    self._store,
                    memory_days=self._memory_days,
                    most_bytes=self._most_bytes,
                    past=past,
                )
                self._clusters = {**self._clusters, key: memory}
            return self._clusters[key]

    @property
    def vms(self) -> int:
        """Return how many VMs are remembered."""
        return sum(len(memory.history) for memory in self._clusters.values())

    def oldest_s(self) -> Seconds:
        """Return the Unix time at which the oldest step on disk begins; 0 where none is, or can be read."""
        try:
            oldest = self._store.oldest() if self._store else None
        except StoreError:  # told by whoever reads figures, and counted
            oldest = None
        return oldest.timestamp() if oldest else 0.0

    @property
    def size_bytes(self) -> int:
        """Return what the store takes on the disk."""
        return self._store.size_bytes if self._store else 0

    def keep(self, keys: Collection[str]) -> None:
        """Let go of the clusters that are not worked on any more; what is known of them is written."""
        with self._lock:
            gone = [memory for key, memory in self._clusters.items() if key not in keys]
            self._clusters = {key: each for key, each in self._clusters.items() if key in keys}
        for memory in gone:
            memory.close()

    def keep_up(self, clock: Clock) -> None:
        """Drop what is too old or too much, and put whole days together. A failure is tried again the next day."""
        if self._store is None:
            return
        now = clock.now()
        try:
            self._store.forget_steps(STEP_S, now - self._five_minute_days * _DAY)
            self._store.forget_steps(HOUR_S, now - self._hourly_days * _DAY)
            self._store.condense(now)
            self._store.shrink(self._most_bytes)
        except StoreError as err:
            log.error("history not kept in bounds", extra={"error": str(err)})

    def close(self) -> None:
        """Write what is not written yet, and close the store; neither keeps the process from ending."""
        ending = threading.Thread(target=self._close, daemon=True)
        ending.start()
        ending.join(STOP_WITHIN_S)
        if ending.is_alive():
            facts = {"error": f"it was not done within {STOP_WITHIN_S:g} s of the stop"}
            log.warning("history not written", extra=facts)

    def _close(self) -> None:
        for memory in self._clusters.values():
            memory.close()
        if self._store is not None:
            self._store.close()
