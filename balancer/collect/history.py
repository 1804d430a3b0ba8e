"""Demand of the VMs of one cluster, and use of its hosts, over the last weeks, in memory.

Owns which snapshot counts, by the source's clock, and what of it is remembered. What lies on disk is the store's;
what is expected is read from here by `assess.forecast`. Mutable bookkeeping of one cluster, for one thread.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from math import inf

import numpy as np

from balancer.collect.history_ledger import EXACT_STEPS, Ledger, Reading
from balancer.collect.history_step import SampleFigures
from balancer.model.history import Figures, HistoryView, identity_of
from balancer.model.rollup import Block, Kind, Measure, Series, Statistic
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds
from balancer.model.vm import PowerState, Vm

STEP_S: Seconds = 300.0
"""Length of one step; of several readings within one their mean counts."""

BELIEVED_AFTER = 3
"""So many snapshots in a row, each later than the one before and all older than what is remembered, are taken for a
clock that was set back. Fewer are late arrivals and change nothing."""

CPU, ACTIVE = Series(Measure.CPU, Statistic.MEAN), Series(Measure.ACTIVE, Statistic.MEAN)
USED = Series(Measure.CONSUMED, Statistic.MEAN)


Row = np.ndarray[tuple[int], np.dtype[np.float64]]


class DemandHistory:
    """The newest `steps` steps of each VM, and of each host. Nothing known is NaN.

    A VM that was resized, or seen powered off, is unknown before; see `history_columns` for who is forgotten.
    """

    def __init__(self, *, steps: int, step_s: Seconds = STEP_S) -> None:
        self._steps, self._step_s = max(steps, EXACT_STEPS), step_s
        ledger = partial(Ledger, steps=self._steps, step_s=step_s)
        self._vms, self._hosts = (
            ledger(Kind.VM, kept=(CPU, ACTIVE)),
            ledger(Kind.HOST, kept=(CPU, USED)),
        )
        self._last: int | None = None
        self._taken_at_s = self._refused_at_s = -inf
        self._refused = 0

    @property
    def last(self) -> int | None:
        """Return the number of the present step, None before the first. It begins at `last * step_s`, Unix time."""
        return self._last

    @property
    def nbytes(self) -> int:
        """Return the bytes of what is remembered."""
        return self._vms.nbytes + self._hosts.nbytes

    def __len__(self) -> int:
        """Return how many VMs are remembered."""
        return len(self._vms.columns)

    def take(self, snapshot: Snapshot) -> None:
        """Remember what a snapshot shows of running VMs and of hosts; one that is not newer changes nothing."""
        at_s = snapshot.taken_at.timestamp()
        if not self._counts(at_s):
            return
        self._forward(int(at_s // self._step_s))
        assert self._last is not None
        vms = snapshot.running_vms
        if len(vms) < len(snapshot.vms):
            off = [identity_of(vm) for vm in snapshot.vms if vm.power is PowerState.OFF]
            self._vms.begin_anew(off, self._last + 1)
        silent = {host.id for host in snapshot.hosts if not host.state.answers}
        if silent:
            vms = tuple(vm for vm in vms if vm.host not in silent)
        self._vms.read(self._last, _of_vms(vms))
        self._hosts.read(self._last, _of_hosts(snapshot, silent))

    def view(self, steps: int | None = None, *, vms: slice = slice(None)) -> HistoryView:
        """Return the newest `steps` steps, all where None, of all VMs or of some of the columns; a copy.

        All VMs at once take 4 bytes for each figure: whoever works on weeks of many does so slice by slice.

        Raises:
            ValueError: nothing was taken yet.
        """
        last = self._known_last()
        first = last + 1 - min(steps or self._steps, self._steps)
        columns = slice(*vms.indices(len(self)))
        return HistoryView(
            ends_at=datetime.fromtimestamp((last + 1) * self._step_s, UTC),
            step_s=self._step_s,
            vms=self._vms.columns.names[columns],
            cpu_mhz=self._vms.figures(CPU, first, last, columns),
            memory_mib=self._vms.figures(ACTIVE, first, last, columns),
        )

    def host_usage(self, steps: int | None = None) -> tuple[tuple[HostId, ...], Figures, Figures]:
        """Return the hosts, and what they used over the newest steps: CPU in MHz, memory in MiB, (steps, hosts).

        Raises:
            ValueError: nothing was taken yet.
        """
        last = self._known_last()
        first = last + 1 - min(steps or self._steps, self._steps)
        every = slice(0, len(self._hosts.columns))
        cpu = self._hosts.figures(CPU, first, last, every)
        names = tuple(HostId(name) for name in self._hosts.columns.names)
        return names, cpu, self._hosts.figures(USED, first, last, every)

    def blocks(self, first: int, last: int) -> tuple[Block, ...]:
        """Return all that is kept of VMs and hosts over some of the newest `EXACT_STEPS` steps."""
        return self._vms.block(first, last), self._hosts.block(first, last)

    def fill(self, block: Block, *, until: datetime | None = None) -> None:
        """Add what somebody else knows of the past, up to the present step, where nothing is known here.

        For roll-ups from the store and for a vCenter's historic statistics. `until` is the present, by the source's
        clock, where nothing was taken yet: what a block has later is left out. A member of another size than now is
        left out; a block of longer steps stands for each of the steps that it covers.

        Raises:
            ValueError: nothing was taken yet, and `until` is not given.
        """
        if self._last is None and until is not None:
            self._last = int(until.timestamp() // self._step_s)
        ledger = self._vms if block.kind is Kind.VM else self._hosts
        ledger.fill(block, self._known_last())

    def _known_last(self) -> int:
        if self._last is None:
            raise ValueError("nothing is remembered yet: take a snapshot first")
        return self._last

    def _counts(self, at_s: Seconds) -> bool:
        """Whether a snapshot of this time is to be remembered."""
        if at_s > self._taken_at_s:
            self._refused = 0
            self._taken_at_s = at_s
            return True
        self._refused = self._refused + 1 if at_s > self._refused_at_s else 1
        self._refused_at_s = at_s
        if self._refused < BELIEVED_AFTER:
            return False
        self._refused, self._taken_at_s = 0, at_s
        return True

    def _forward(self, step: int) -> None:
        if step == self._last:
            return
        for ledger in (self._vms, self._hosts):
            if self._last is not None and step < self._last:
                ledger.rewind(step, self._last)
            else:
                ledger.begin(step, self._last)
        self._last = step


def _of_vms(vms: Sequence[Vm]) -> Reading:
    none = np.full(len(vms), np.nan)
    others = (none, none, none)  # of these the snapshot has the mean, or the newest sample
    means = (
        _row([vm.cpu_demand_mhz for vm in vms]),
        _row([vm.memory_active_mib for vm in vms]),
        _row([vm.memory_consumed_mib for vm in vms]),
        _row([vm.cpu_ready_percent for vm in vms]),
    )
    return Reading(
        names=[vm.uuid or vm.id for vm in vms],  # identity_of, without a call for each
        vcpus=np.array([vm.vcpus for vm in vms], dtype=np.int64),
        memory_mib=np.array([vm.memory_mib for vm in vms], dtype=np.float64),
        sampled=SampleFigures(
            means=np.array(means),
            deviations=np.array((_row([vm.cpu_demand_stddev_mhz for vm in vms]), *others)),
            p95s=np.array((_row([vm.cpu_demand_p95_mhz for vm in vms]), *others)),
            maxima=np.array((_row([vm.cpu_demand_max_mhz for vm in vms]), *others)),
        ),
    )


def _of_hosts(snapshot: Snapshot, silent: Collection[HostId]) -> Reading:
    hosts = tuple(host for host in snapshot.hosts if host.id not in silent)
    cpu = [(h.cpu_usage_mhz, h.cpu_usage_p95_mhz, h.cpu_usage_max_mhz) for h in hosts]
    memory = [(h.memory_usage_mib, h.memory_usage_p95_mib, h.memory_usage_max_mib) for h in hosts]
    means, p95s, maxima = (
        np.array((cpu, memory), dtype=np.float64).reshape(2, -1, 3).transpose(2, 0, 1)
    )
    return Reading(
        names=[host.id for host in hosts],
        vcpus=np.full(len(hosts), -1, dtype=np.int64),
        memory_mib=np.full(len(hosts), -1.0),
        sampled=SampleFigures(
            means=means, deviations=np.full_like(means, np.nan), p95s=p95s, maxima=maxima
        ),
    )


def _row(figures: Sequence[float | None]) -> Row:
    return np.array(figures, dtype=np.float64)  # None becomes NaN
