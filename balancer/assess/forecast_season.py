"""What VMs usually want at a time of the day, or of the week, from what they wanted on earlier days. Pure arrays.

Days are those of UTC: where clocks are set forward or back, the old course fades out as days pass.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.model.history import Figures, HistoryView
from balancer.model.units import DAY_S, Seconds

SLOT_S: Seconds = 900.0
"""The day is known in slots of so long, or of one step of the history where that is longer."""

FEWEST_DAYS = 2
"""So many days must be known at a time of day before anything is usual then."""

WEEK = 7
QUARTILES = (0.25, 0.5, 0.75)

COURSES = ("median of the days", "mean of the quartiles", "same day of earlier weeks")
"""The kinds of usual course, in the order of the arrays."""

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Days:
    """Mean CPU demand (days, slots of the day, VMs), NaN where nothing is known. `first` is a day of the epoch."""

    first: int
    slot_s: Seconds
    mhz: Figures

    def before(self, day: int) -> "Days":
        """Return the days before one of them, which counts from the first."""
        return Days(first=self.first, slot_s=self.slot_s, mhz=self.mhz[: max(day, 0)])

    def usual(self, times_s: Times) -> Figures:
        """Return what is usual at times, in seconds of the epoch: (courses, times, VMs), NaN where not known."""
        slot = ((times_s % DAY_S) // self.slot_s).astype(np.intp)
        needed, back = np.unique(slot, return_inverse=True)
        daily = _quantiles(self.mhz[:, needed])[:, back]
        weekly = self._same_weekday((times_s // DAY_S).astype(np.intp) - self.first, slot)
        return np.concatenate((daily, weekly[np.newaxis]))

    def _same_weekday(self, day: npt.NDArray[np.intp], slot: npt.NDArray[np.intp]) -> Figures:
        """Return the mean of one and two weeks earlier; NaN where less than two weeks are known in all."""
        days, vms = len(self.mhz), self.mhz.shape[2]
        if days < 2 * WEEK:
            return np.full((len(slot), vms), np.nan, dtype=np.float32)
        total = np.zeros((len(slot), vms), dtype=np.float32)
        count = np.zeros_like(total)
        for weeks in (1, 2):
            then = day - weeks * WEEK
            is_there = (then >= 0) & (then < days)
            found = self.mhz[np.where(is_there, then, 0), slot]
            known = np.isfinite(found) & is_there[:, np.newaxis]
            total += np.where(known, found, np.float32(0.0))
            count += known
        with np.errstate(invalid="ignore"):
            return total / count


def days_of(view: HistoryView) -> Days:
    """Return a history by days: those that it reaches into, the one that is not over among them."""
    per_slot = max(round(SLOT_S / view.step_s), 1)
    slot_s = per_slot * view.step_s
    begin_s = view.ends_at.timestamp() - len(view.cpu_mhz) * view.step_s
    first = int(begin_s // DAY_S)
    lead = round((begin_s - first * DAY_S) / view.step_s)
    per_day = round(DAY_S / slot_s) * per_slot
    days = -(-(lead + len(view.cpu_mhz)) // per_day)
    steps = np.full((days * per_day, len(view.vms)), np.nan, dtype=np.float32)
    steps[lead : lead + len(view.cpu_mhz)] = view.cpu_mhz
    parts = steps.reshape(days, -1, per_slot, len(view.vms))
    return Days(first=first, slot_s=slot_s, mhz=_mean(parts))


def _mean(parts: Figures) -> Figures:
    """Return the mean of what is known over the third axis."""
    known = np.isfinite(parts)
    total = np.where(known, parts, np.float32(0.0)).sum(axis=2)
    with np.errstate(invalid="ignore"):
        result: Figures = total / known.sum(axis=2, dtype=np.float32)
    return result


def _quantiles(daily: Figures) -> Figures:
    """Return the median over the days, and the mean of the quartiles: (2, slots, VMs)."""
    days, slots, vms = daily.shape
    if not days:
        return np.full((2, slots, vms), np.nan, dtype=np.float32)
    ordered = np.sort(daily, axis=0)  # NaN comes last
    count = np.isfinite(daily).sum(axis=0)
    low, middle, high = (_quantile(ordered, count, share) for share in QUARTILES)
    result: Figures = np.stack((middle, (low + middle + high) / 3.0)).astype(np.float32)
    result[:, count < FEWEST_DAYS] = np.nan
    return result


def _quantile(ordered: Figures, count: npt.NDArray[np.intp], share: float) -> Figures:
    """Return a quantile of the first `count` of the ordered figures, between two of them by weight."""
    place = share * np.maximum(count - 1, 0)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low = np.take_along_axis(ordered, below[np.newaxis], axis=0)[0]
    high = np.take_along_axis(ordered, above[np.newaxis], axis=0)[0]
    result: Figures = low + (place - below).astype(np.float32) * (high - low)
    return result
