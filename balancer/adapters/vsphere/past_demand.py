"""What VMs wanted before we came: the vCenter's own statistics of the last day and week.

Owns the course of the reading: one query at a time, the busiest VMs first, for a bounded time. What cannot be read
is told in one line and left out. Implements `ports.PastDemand`; meant to be read in a thread of its own.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pyVmomi import vim

from balancer.adapters.vsphere.archive import Archive, Period, archive_of
from balancer.adapters.vsphere.batches import BatchSize
from balancer.adapters.vsphere.past_blocks import Known, block_of
from balancer.adapters.vsphere.perf import Cause, Refused, query
from balancer.adapters.vsphere.reading import ReadClient
from balancer.adapters.vsphere.retrieve import Retrieved, Wanted, reference, retrieve_these
from balancer.adapters.vsphere.samples import Samples
from balancer.adapters.vsphere.session import Opened, Session
from balancer.adapters.vsphere.statistics import MENDS
from balancer.model.history import identity_of
from balancer.model.rollup import Block
from balancer.model.units import Seconds
from balancer.model.vm import Vm

log = logging.getLogger(__name__)

READ_WITHIN_S: Seconds = 120.0
"""All of it; what has had no turn by then is learnt as time goes on."""

MOST_FAILURES = 10
REACH = timedelta(days=7)

_MENDS: Mapping[Cause, str] = {
    **MENDS,
    Cause.NOT_OFFERED: "see whether the vCenter's performance service runs and keeps statistics of five minutes",
}
_STARTED = "runtime.bootTime"
_SMALLER = frozenset({Cause.REFUSED, Cause.TIMEOUT})
_OF_ONE = frozenset({Cause.NO_PERMISSION, Cause.GONE})


@dataclass(slots=True)
class _Reading:
    """How far one reading is, and why something is missing in it."""

    ends_at: Seconds
    failures: int = 0
    has_ended: bool = False
    refusal: Refused | None = None
    read: set[str] = field(default_factory=set)

    def refused(self, why: Refused) -> None:
        self.refusal = self.refusal or why
        self.failures += 1


class PastDemandReader:
    """The past of one vCenter's VMs."""

    def __init__(
        self,
        session: Session,
        *,
        sleep: Callable[[Seconds], None] = time.sleep,
        monotonic: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        self._client = ReadClient(session, sleep)
        self._settings = session.settings
        self._monotonic = monotonic
        self._is_closed = threading.Event()

    def close(self) -> None:
        """Ask nothing more."""
        self._is_closed.set()

    def read(self, vms: Sequence[Vm], until: datetime) -> Iterator[Block]:
        """Yield what the vCenter remembers of these VMs; see `ports.PastDemand`.

        CPU demand and active memory are kept from level 2 of statistics on. Where CPU demand is not, usage stands
        in, which is less than what a VM wanted while its host was short of CPU; active memory stays unknown.
        A size of the past is not told: a VM that was enlarged while it ran counts as it was.
        """
        if self._settings.pool_size < 2:
            why = "pool_size is 1, and the only connection is the cycles': 2 would do"
            log.warning("past demand not read", extra={"source": self._settings.name, "error": why})
            return
        reading = _Reading(ends_at=self._monotonic() + READ_WITHIN_S)
        yield from self._read(reading, vms, until)
        self._log(reading, len(vms))

    def _read(self, reading: _Reading, vms: Sequence[Vm], until: datetime) -> Iterator[Block]:
        archive = self._client.run("read what statistics are kept", archive_of)
        if isinstance(archive, Refused):
            reading.refused(archive)
            return
        busiest = sorted(vms, key=lambda vm: (-(vm.cpu_usage_mhz or 0.0), vm.id))
        known = self._known(busiest)
        end = until
        for period in archive.periods:
            since = max(until - timedelta(seconds=period.length_s), until - REACH)
            if since >= end:
                continue
            span = since, min(end + timedelta(seconds=period.step_s), until)
            for samples in self._all(reading, archive, period, list(known), span):
                block = block_of(samples, known, step_s=period.step_s, span=span)
                if block is not None:
                    reading.read.update(member.identity for member in block.members)
                    yield block
            end = since

    def _known(self, vms: Sequence[Vm]) -> dict[str, Known]:
        """Return who these VMs are, in their order; not those of which it is not known when they were started.

        Source: vSphere API, `VirtualMachineRuntimeInfo.bootTime`: set when a VM is powered on, cleared when it is
        powered off, not touched by a resume.
        """
        wanted = Wanted(kind=vim.VirtualMachine, paths=(_STARTED,), is_bulk=True)

        def work(opened: Opened) -> Retrieved:
            refs = [reference(opened, vim.VirtualMachine, vm.id) for vm in vms]
            return retrieve_these(opened, refs, wanted, page_size=self._settings.page_size)

        found = self._client.run("read when VMs were started", work).objects
        started = {facts.id: facts.time(_STARTED) for facts in found}
        return {
            vm.id: Known(identity=identity_of(vm), started_at=at)
            for vm in vms
            if (at := started.get(vm.id)) is not None
        }

    def _all(
        self,
        reading: _Reading,
        archive: Archive,
        period: Period,
        keys: list[str],
        span: tuple[datetime, datetime],
    ) -> Iterator[Sequence[Samples]]:
        """Yield the samples of one period, batch by batch; a batch that is refused is halved."""
        size = BatchSize()
        size.limit(archive.most_metrics // len(period.meters))
        while keys and not reading.has_ended:
            batch = keys[: size.current()]
            answer = self._asked(reading, period, batch, span)
            if not isinstance(answer, Refused):
                size.worked(len(batch))
                del keys[: len(batch)]
                yield answer
                continue
            reading.refused(answer)
            if answer.cause in _OF_ONE and answer.entity in batch:
                keys.remove(answer.entity)
            elif answer.cause in _SMALLER and len(batch) > 1:
                size.refused(len(batch))
            elif answer.cause in _SMALLER:
                del keys[0]
            else:
                reading.has_ended = True
            reading.has_ended |= reading.failures >= MOST_FAILURES

    def _asked(
        self,
        reading: _Reading,
        period: Period,
        keys: Sequence[str],
        span: tuple[datetime, datetime],
    ) -> tuple[Samples, ...] | Refused:
        left_s = reading.ends_at - self._monotonic()
        if left_s <= 0 or self._is_closed.is_set():
            why = f"{READ_WITHIN_S:g} s were not enough for all of it"
            return Refused(cause=Cause.OUT_OF_TIME, detail=why)

        def work(opened: Opened) -> tuple[Samples, ...] | Refused:
            refs = [reference(opened, vim.VirtualMachine, key) for key in keys]
            step_s = period.step_s
            return query(opened, refs, period.meters, interval_s=step_s, within_s=left_s, span=span)

        return self._client.run("read the statistics of the past", work)

    def _log(self, reading: _Reading, asked: int) -> None:
        facts: Mapping[str, object] = {"source": self._settings.name, "vms": len(reading.read)}
        why = reading.refusal
        if why is None or self._is_closed.is_set():
            log.info("past demand read", extra={**facts, "of": asked})
            return
        told = {"of": asked, "cause": why.cause.value, "detail": why.detail}
        log.warning(
            "past demand is not read for all, it is learnt as time goes on",
            extra={**facts, **told, "mend": _MENDS[why.cause]},
        )
