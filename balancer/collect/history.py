"""Demand of the VMs of one cluster over the last weeks, in memory: a ring of equal steps.

Owns when what is known of a VM begins anew (resized, started again) and where each reading belongs. What
lies on disk is the store's; what is expected is read from here by `assess.forecast`. Mutable bookkeeping of
one cluster, for one thread.
"""

from datetime import UTC, datetime

import numpy as np

from balancer.model.history import Figures, HistoryView, identity_of
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds
from balancer.model.vm import Vm

STEP_S: Seconds = 300.0
"""Length of one step; of several readings within one the last counts."""


class DemandHistory:
    """The steps that are remembered, at most `steps` of them; all figures are float32, NaN where none."""

    def __init__(self, *, steps: int, step_s: Seconds = STEP_S) -> None:
        self._steps, self._step_s = steps, step_s
        self._column: dict[str, int] = {}
        self._cpu = _empty(steps, 0)
        self._memory = _empty(steps, 0)
        self._last: int | None = None

    def take(self, snapshot: Snapshot) -> None:
        """Remember what a snapshot shows of its running VMs."""
        step = int(snapshot.taken_at.timestamp() // self._step_s)
        if self._last is not None and step < self._last:
            return
        self._forward(step)
        vms = snapshot.running_vms
        self._widen(vms)
        columns = np.array([self._column[identity_of(vm)] for vm in vms], dtype=np.intp)
        self._cpu[-1, columns] = [_figure(vm.cpu_demand_mhz) for vm in vms]
        self._memory[-1, columns] = [_figure(vm.memory_active_mib) for vm in vms]

    def view(self, steps: int | None = None) -> HistoryView:
        """Return the newest `steps` steps, all where None; the arrays are views, not copies.

        Raises:
            ValueError: nothing was taken yet.
        """
        if self._last is None:
            raise ValueError("nothing is remembered yet: take a snapshot first")
        first = 0 if steps is None else max(self._steps - steps, 0)
        return HistoryView(
            ends_at=datetime.fromtimestamp((self._last + 1) * self._step_s, UTC),
            step_s=self._step_s,
            vms=tuple(self._column),
            cpu_mhz=self._cpu[first:],
            memory_mib=self._memory[first:],
        )

    def _forward(self, step: int) -> None:
        by = 0 if self._last is None else min(step - self._last, self._steps)
        self._last = step
        if by:
            for figures in (self._cpu, self._memory):
                figures[:-by] = figures[by:]
                figures[-by:] = np.nan

    def _widen(self, vms: tuple[Vm, ...]) -> None:
        new = [key for key in map(identity_of, vms) if key not in self._column]
        if new:
            self._column.update((key, len(self._column) + at) for at, key in enumerate(new))
            more = _empty(self._steps, len(new))
            self._cpu = np.hstack((self._cpu, more))
            self._memory = np.hstack((self._memory, more))


def _empty(steps: int, vms: int) -> Figures:
    return np.full((steps, vms), np.nan, dtype=np.float32)


def _figure(value: float | None) -> float:
    return np.nan if value is None else value
