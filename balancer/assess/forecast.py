"""What the VMs will want: from demand over the last days to figures over the horizon. Pure arrays.

A forecast is a level with a spread (mean and standard deviation over a window of late), or a profile: one
value for each slot of the horizon, with the error that such forecasts have had.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import Protocol

import numpy as np

from balancer.model.history import Figures, HistoryView
from balancer.model.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """What each VM of a history is expected to want; arrays by VM, NaN where nothing is known.

    `cpu_mhz` (VMs,) with `cpu_stddev_mhz` (VMs,) is the mean over the horizon, `memory_mib` (VMs,) active memory.
    `cpu_slots_mhz` (slots, VMs) is the profile, of no slots where there is none.
    """

    vms: tuple[str, ...]
    cpu_mhz: Figures
    cpu_stddev_mhz: Figures
    memory_mib: Figures
    slot_s: Seconds
    cpu_slots_mhz: Figures

    def cpu_at(self, ahead_s: Seconds) -> Figures:
        """Return what is expected so long ahead (VMs,): in the slot that reaches there, or else in the last."""
        slots = self.cpu_slots_mhz
        if not len(slots):
            return self.cpu_mhz
        result: Figures = slots[min(ceil(ahead_s / self.slot_s), len(slots)) - 1]
        return result


class Remembered(Protocol):
    """What a forecast asks of a history."""

    def __len__(self) -> int:
        """Return how many VMs are remembered."""

    def view(self, steps: int | None = None, *, vms: slice = slice(None)) -> HistoryView:
        """Return the newest steps, all where None, of all VMs or of some of the columns."""


def level_of(window: HistoryView) -> Forecast:
    """Return mean and standard deviation over a window, without a profile."""
    mean, stddev = _mean_and_deviation(window.cpu_mhz)
    memory, _ = _mean_and_deviation(window.memory_mib)
    return Forecast(
        vms=window.vms,
        cpu_mhz=mean,
        cpu_stddev_mhz=stddev,
        memory_mib=memory,
        slot_s=window.step_s,
        cpu_slots_mhz=np.empty((0, len(window.vms)), dtype=np.float32),
    )


def peak_of(window: HistoryView) -> Forecast:
    """Return the highest step of a window, without a deviation and without a profile."""
    level = level_of(window)
    return replace(
        level,
        cpu_mhz=_highest(window.cpu_mhz),
        cpu_stddev_mhz=np.zeros_like(level.cpu_stddev_mhz),
        memory_mib=_highest(window.memory_mib),
    )


def _highest(late: Figures) -> Figures:
    """Return the highest figure of each VM; NaN where none is known."""
    result: Figures = np.fmax.reduce(late, axis=0)
    return result


def _mean_and_deviation(late: Figures) -> tuple[Figures, Figures]:
    known = np.isfinite(late)
    count = known.sum(axis=0)
    filled = np.where(known, late, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / count
        squares = np.where(known, (late - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count - 1, 1)
    return mean.astype(np.float32), np.sqrt(squares).astype(np.float32)
