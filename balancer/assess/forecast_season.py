"""What the VMs of a history usually want at each time of the day. Pure arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.model.history import Figures, HistoryView
from balancer.model.units import Seconds

DAY_S: Seconds = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Season:
    """`usual` (slots of the day, VMs) begins at midnight UTC; NaN where a VM has no earlier day."""

    slot_s: Seconds
    usual: Figures

    def at(self, times_s: npt.NDArray[np.float64]) -> Figures:
        """Return what is usual at each of the times (seconds of the epoch): (times, VMs)."""
        return self.usual[((times_s % DAY_S) // self.slot_s).astype(np.intp)]


def season_of(view: HistoryView, slot_s: Seconds) -> Season:
    """Return the usual CPU demand by time of day: the mean of that slot over the days of the history."""
    steps = len(view.cpu_mhz)
    ends_s = view.ends_at.timestamp()
    begins = ends_s - view.step_s * np.arange(steps, 0, -1)
    slots = round(DAY_S / slot_s)
    slot = ((begins % DAY_S) // slot_s).astype(np.intp)
    known = np.isfinite(view.cpu_mhz)
    filled = np.where(known, view.cpu_mhz, np.float32(0.0))
    total = np.zeros((slots, len(view.vms)), dtype=np.float32)
    count = np.zeros_like(total)
    np.add.at(total, slot, filled)
    np.add.at(count, slot, known)
    with np.errstate(invalid="ignore"):
        return Season(slot_s=slot_s, usual=total / count)
