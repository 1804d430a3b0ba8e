"""A history that is an array: demand of VMs over days, for tests and benchmarks of the forecast."""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from balancer.model.history import Figures, HistoryView
from tests.support.builders import NOON

DAY = 288
"""Steps of five minutes."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is remembered of VMs, named by their numbers."""

    everything: HistoryView

    def __len__(self) -> int:
        return len(self.everything.vms)

    def view(self, steps: int | None = None, *, vms: slice = slice(None)) -> HistoryView:
        whole = self.everything
        since = slice(-steps if steps else None, None)
        return replace(
            whole,
            vms=whole.vms[vms],
            cpu_mhz=whole.cpu_mhz[since, vms],
            memory_mib=whole.memory_mib[since, vms],
        )


def recorded(cpu_mhz: Figures, *, ends_at_step: int = 0) -> Recorded:
    """Return a history of steps of five minutes, (steps, VMs), up to noon or so many steps later.

    Active memory is 1,000 MiB.
    """
    cpu = np.asarray(cpu_mhz, dtype=np.float32)
    return Recorded(
        HistoryView(
            ends_at=NOON + timedelta(minutes=5 * ends_at_step),
            step_s=300.0,
            vms=tuple(str(number) for number in range(cpu.shape[1])),
            cpu_mhz=cpu,
            memory_mib=np.full_like(cpu, 1000.0),
        )
    )
