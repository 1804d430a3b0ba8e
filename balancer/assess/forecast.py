"""What the VMs will want: from demand over the last days to figures over the horizon. Pure arrays.

A forecast is a level with a spread (mean and standard deviation over a window of late), or a profile: one
value for each slot of the horizon, with the error that such forecasts have had.
"""

from dataclasses import dataclass

import numpy as np

from balancer.model.history import Figures, HistoryView
from balancer.model.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """What each VM of a history is expected to want; arrays by VM, NaN where nothing is known.

    `cpu_mhz` (VMs,) with `cpu_stddev_mhz` (VMs,) is the mean over the horizon, `memory_mib` (VMs,) active memory.
    `cpu_slots_mhz` (slots, VMs) is the profile, of no slots where there is none. `cpu_cautious_mhz` (VMs,) is what
    counts for a VM that has no figure now: a high quantile of what it wanted of late.
    """

    vms: tuple[str, ...]
    cpu_mhz: Figures
    cpu_stddev_mhz: Figures
    memory_mib: Figures
    cpu_cautious_mhz: Figures
    slot_s: Seconds
    cpu_slots_mhz: Figures


CAUTIOUS = 0.9
"""The quantile of its known figures over the last hours that a VM without a figure counts with."""


def level_of(view: HistoryView, window_s: Seconds) -> Forecast:
    """Return mean and standard deviation over the last `window_s`, without a profile."""
    steps = max(round(window_s / view.step_s), 1)
    mean, stddev = _mean_and_deviation(view.cpu_mhz[-steps:])
    memory, _ = _mean_and_deviation(view.memory_mib[-steps:])
    return Forecast(
        vms=view.vms,
        cpu_mhz=mean,
        cpu_stddev_mhz=stddev,
        memory_mib=memory,
        cpu_cautious_mhz=quantile_of(view.cpu_mhz, CAUTIOUS),
        slot_s=view.step_s,
        cpu_slots_mhz=np.empty((0, len(view.vms)), dtype=np.float32),
    )


def quantile_of(figures: Figures, share: float) -> Figures:
    """Return the quantile of each VM's known figures, the next one above it; NaN where none is known."""
    ordered = np.sort(figures, axis=0)  # NaN comes last
    count = np.isfinite(figures).sum(axis=0)
    place = np.ceil(share * np.maximum(count - 1, 0)).astype(np.intp)
    result: Figures = np.take_along_axis(ordered, place[np.newaxis], axis=0)[0]
    return result


def _mean_and_deviation(late: Figures) -> tuple[Figures, Figures]:
    known = np.isfinite(late)
    count = known.sum(axis=0)
    filled = np.where(known, late, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / count
        squares = np.where(known, (late - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count - 1, 1)
    return mean.astype(np.float32), np.sqrt(squares).astype(np.float32)
