"""Real-time statistics of hosts and VMs, and the way back to quickStats where they cannot be had.

Owns the course of a reading: one kind of entity at a time, in batches, some of them side by side, for a
bounded time and with a bounded number of failures, so that it can slow neither vCenter nor a cycle down. Never
costs a snapshot: whatever fails here leaves the figures of quickStats, and says so once in the log and in every
count. Sits between the inventory and `perf`.
"""

import logging
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from pyVmomi import vim
from pyVmomi.VmomiSupport import ManagedObject

from balancer.adapters.vsphere.batches import BatchSize
from balancer.adapters.vsphere.counters import HOST_COUNTERS, VM_COUNTERS, Counter
from balancer.adapters.vsphere.figures import Freshness, freshness, host_with, vm_with
from balancer.adapters.vsphere.observer import RequestObserver
from balancer.adapters.vsphere.perf import Cause, Offer, Refused, offer_of, query
from balancer.adapters.vsphere.queue import Queue, side_by_side
from balancer.adapters.vsphere.reading import ReadClient
from balancer.adapters.vsphere.retrieve import reference
from balancer.adapters.vsphere.samples import FAULTS, Samples
from balancer.adapters.vsphere.session import Opened, Session
from balancer.model.host import Host, HostState
from balancer.model.snapshot import Statistics
from balancer.model.units import HostId, Seconds
from balancer.model.vm import Blocker, Vm

log = logging.getLogger(__name__)

READ_WITHIN_S: Seconds = 20.0
"""All statistics of one snapshot. What has had no turn by then keeps the figures of quickStats."""

MOST_FAILURES = 10
"""Refused queries in one reading before it gives up; from 50 entities down to 1 takes six."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Hosts and VMs with their figures, and where these come from."""

    hosts: tuple[Host, ...]
    vms: tuple[Vm, ...]
    statistics: Statistics


@dataclass(slots=True)
class _Reading:
    """What one reading found: samples by entity, and why others have none."""

    ends_at: Seconds
    samples: dict[str, Samples] = field(default_factory=dict)
    causes: dict[str, Cause] = field(default_factory=dict)
    refusal: Refused | None = None
    failures: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def give_up(self, keys: Iterable[str], why: Refused) -> None:
        self.refusal = self.refusal or why
        self.causes.update((key, why.cause) for key in keys)


class StatisticsReader:
    """Reads the statistics of one vCenter. Safe for several threads."""

    def __init__(
        self,
        session: Session,
        *,
        observer: RequestObserver,
        sleep: Callable[[Seconds], None] = time.sleep,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        self._client = ReadClient(session, sleep)
        self._name = session.settings.name
        self._observer = observer
        self._monotonic = monotonic
        self._size = BatchSize()
        self._concurrency = min(session.settings.concurrency, session.settings.pool_size)
        self._offer: tuple[Opened, Offer] | None = None
        self._told: Cause | None = None
        self._lock = threading.Lock()

    def applied(
        self, hosts: Sequence[Host], vms: Sequence[Vm], *, now: datetime, all_hosts: Iterable[Host]
    ) -> Sampled:
        """Return hosts and VMs with the figures of their newest samples, where there are any.

        `now` is the server's clock. `all_hosts` are those on which the VMs may stand.

        Raises:
            SourceError: the server is not there, or the login was refused.
        """
        silent = {
            host.id
            for host in all_hosts
            if not host.state.answers or host.state is HostState.STANDBY
        }
        host_keys = [host.id for host in hosts if host.id not in silent]
        asked = [vm for vm in vms if _is_sampled(vm, silent)]
        vm_keys = [vm.id for vm in sorted(asked, key=lambda vm: (vm.host, vm.id))]
        reading = _Reading(ends_at=self._monotonic() + READ_WITHIN_S)
        self._read(reading, vim.VirtualMachine, vm_keys, VM_COUNTERS)
        self._read(reading, vim.HostSystem, host_keys, HOST_COUNTERS)
        found = reading.samples
        outcomes = {key: _outcome(reading, key, now) for key in (*vm_keys, *host_keys)}
        self._tell("vm", [outcomes[key] for key in vm_keys])
        self._tell("host", [outcomes[key] for key in host_keys])
        self._tell_faults(reading)
        self._log(reading)
        return Sampled(
            hosts=tuple(host_with(h, found[h.id], now) if h.id in found else h for h in hosts),
            vms=tuple(vm_with(v, found[v.id], now) if v.id in found else v for v in vms),
            statistics=_kind(outcomes.values()),
        )

    def _read(
        self,
        reading: _Reading,
        kind: type[ManagedObject],
        keys: Sequence[str],
        wanted: Sequence[Counter],
    ) -> None:
        """Read one kind of entity: one query at a time until one is answered, then several at a time.

        After a refusal it goes on with one at a time again, so that a server in trouble is not asked more
        often than it would be by turns.
        """
        queue = Queue(keys)
        if reading.refusal is not None and reading.failures >= MOST_FAILURES:
            reading.give_up(queue.drop(), reading.refusal)
        step = partial(self._step, reading, queue, kind, wanted)
        while queue.holds_any():
            step()
            if queue.is_calm:
                side_by_side(queue, step, workers=self._concurrency)

    def _step(
        self,
        reading: _Reading,
        queue: Queue,
        kind: type[ManagedObject],
        wanted: Sequence[Counter],
    ) -> None:
        """Ask for the next batch. An answer calms the queue, a refusal ends its calm."""
        size = self._size.begun()
        try:
            batch = queue.taken(size)
            if not batch:
                return
            answer = self._asked(reading, kind, batch, wanted)
            with reading.lock:
                if answer is None:
                    queue.put_back(batch)
                elif isinstance(answer, Refused):
                    self._after_refusal(reading, queue, answer, batch)
                else:
                    self._size.worked(len(batch))
                    reading.samples.update((samples.id, samples) for samples in answer)
                    queue.is_calm = True
        finally:
            self._size.ended(size)

    def _after_refusal(
        self, reading: _Reading, queue: Queue, why: Refused, batch: list[str]
    ) -> None:
        """Put back what is still to be asked after a query was refused, or give all of it up."""
        queue.is_calm = False
        if (
            len(batch) <= self._size.current()
        ):  # a larger one was on its way when the size was halved
            reading.failures += 1
        has_ended = why.cause in (Cause.NOT_OFFERED, Cause.OUT_OF_TIME)
        is_barred = why.cause is Cause.NO_PERMISSION and why.entity not in batch
        if has_ended or is_barred or reading.failures >= MOST_FAILURES:
            reading.failures = MOST_FAILURES
            reading.give_up([*batch, *queue.drop()], why)
            return
        if why.entity in batch or len(batch) == 1:
            key = why.entity if why.entity and why.entity in batch else batch[0]
            reading.give_up([key], why)
            queue.put_back(each for each in batch if each != key)
            return
        self._size.refused(len(batch))
        queue.put_back(batch)

    def _asked(
        self,
        reading: _Reading,
        kind: type[ManagedObject],
        keys: Sequence[str],
        wanted: Sequence[Counter],
    ) -> tuple[Samples, ...] | Refused | None:
        """Return the samples, or why there are none; None where smaller batches are due by now."""
        left_s = reading.ends_at - self._monotonic()
        if left_s <= 0:
            why = f"{READ_WITHIN_S:g} s were not enough for all of it"
            return Refused(cause=Cause.OUT_OF_TIME, detail=why)

        def work(opened: Opened) -> tuple[Samples, ...] | Refused | None:
            refs = [reference(opened, kind, key) for key in keys]
            offer = self._offered(opened, refs[0])
            if isinstance(offer, Refused):
                return offer
            if len(keys) > self._size.current():
                return None  # the server's limit was learnt, or another query was refused
            meters = offer.catalogue.of(wanted)
            if not meters:
                return ()
            return query(opened, refs, meters, interval_s=offer.interval_s, within_s=left_s)

        return self._client.run("read the statistics", work)

    def _offered(self, opened: Opened, probe: ManagedObject) -> Offer | Refused:
        with self._lock:
            known = self._offer
        if known is not None and known[0] is opened:
            return known[1]
        offer = offer_of(opened, probe)
        if isinstance(offer, Refused):
            return offer
        if offer.most_metrics is not None:
            self._size.limit(offer.most_metrics // len(VM_COUNTERS))
        with self._lock:
            self._offer = (opened, offer)
        return offer

    def _tell(self, kind: str, outcomes: Iterable[Freshness | Cause]) -> None:
        """Tell every outcome that there is, the zeros too."""
        counts = Tally(outcomes)
        for word in (*Freshness, *Cause):
            self._observer.sampled(kind, word.value, counts[word])

    def _tell_faults(self, reading: _Reading) -> None:
        """Tell how many values were none, by cause, the zeros too."""
        counts: Tally[str] = Tally()
        for samples in reading.samples.values():
            counts.update(samples.faults)
        for fault in FAULTS:
            self._observer.faulty_samples(fault, counts[fault])

    def _log(self, reading: _Reading) -> None:
        """Write one line when statistics begin to be missing for another cause, one when they are back."""
        why = reading.refusal
        cause = why.cause if why is not None else None
        with self._lock:
            before, self._told = self._told, cause
        if cause is before:
            return
        if why is None:
            log.info("statistics are read again", extra={"source": self._name})
            return
        facts = {"source": self._name, "cause": why.cause.value, "detail": why.detail}
        log.warning(
            "statistics are not read for all, quickStats stand in",
            extra=facts | {"entities": len(reading.causes), "mend": MENDS[why.cause]},
        )


MENDS: Mapping[Cause, str] = {
    Cause.NO_PERMISSION: "give the account the Read-only role on the objects it is to read",
    Cause.REFUSED: "see the vCenter's log; a limit on statistics queries may be set too low",
    Cause.TIMEOUT: "see whether the vCenter or its hosts are overloaded",
    Cause.BROKEN: "see whether something between here and the vCenter cuts connections",
    Cause.UNREADABLE: "report it with the vCenter's version",
    Cause.GONE: "nothing; the object was removed while it was read",
    Cause.NOT_OFFERED: "see whether the vCenter's performance service runs",
    Cause.OUT_OF_TIME: "see whether the vCenter or its hosts are overloaded",
}


def _is_sampled(vm: Vm, silent: set[HostId]) -> bool:
    return vm.is_running and vm.host not in silent and Blocker.INACCESSIBLE not in vm.blockers


def _outcome(reading: _Reading, key: str, now: datetime) -> Freshness | Cause:
    if key in reading.samples:
        return freshness(reading.samples[key], now)
    return reading.causes.get(key, Freshness.NONE)


def _kind(outcomes: Collection[Freshness | Cause]) -> Statistics:
    fresh = sum(1 for outcome in outcomes if outcome is Freshness.FRESH)
    if fresh == len(outcomes):
        return Statistics.REAL_TIME
    return Statistics.PARTLY if fresh else Statistics.QUICK_STATS
