"""What the VMs will want: from demand over the last days to figures over the horizon. Pure arrays.

A forecast is a level with a spread (mean and standard deviation over a window of late), or a profile: one
value for each slot of the horizon.
"""

from dataclasses import dataclass

import numpy as np

from balancer.model.history import Figures, HistoryView
from balancer.model.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """What each VM of a history is expected to want; arrays by VM, NaN where nothing is known.

    `cpu_mhz` (VMs,) with `cpu_stddev_mhz` (VMs,) is the level; `cpu_slots_mhz` and `memory_slots_mib`
    (slots, VMs) are the profile, of no slots where there is none.
    """

    vms: tuple[str, ...]
    cpu_mhz: Figures
    cpu_stddev_mhz: Figures
    slot_s: Seconds
    cpu_slots_mhz: Figures
    memory_slots_mib: Figures


def level_of(view: HistoryView, window_s: Seconds) -> Forecast:
    """Return mean and standard deviation over the last `window_s`, without a profile."""
    steps = max(round(window_s / view.step_s), 1)
    late = view.cpu_mhz[-steps:]
    known = np.isfinite(late)
    count = known.sum(axis=0)
    filled = np.where(known, late, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / count
        squares = np.where(known, (late - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count - 1, 1)
    none = np.empty((0, len(view.vms)), dtype=np.float32)
    return Forecast(
        vms=view.vms,
        cpu_mhz=mean.astype(np.float32),
        cpu_stddev_mhz=np.sqrt(squares).astype(np.float32),
        slot_s=view.step_s,
        cpu_slots_mhz=none,
        memory_slots_mib=none,
    )
