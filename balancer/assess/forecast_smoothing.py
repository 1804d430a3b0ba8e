"""Exponential smoothing of many series at once: each forecast is a weighted sum of the figures of late.

Simple smoothing and Holt's with a damped trend are linear in what they smooth, so that their weights are worked
out once and applied to all VMs in one product of matrices. Pure arrays.

Source: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, sections 8.1 and 8.2.
"""

from dataclasses import dataclass

import numpy as np

from balancer.model.history import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """`level` is how much of each new figure goes into the level (0..1), `trend` how much into the trend.

    `damping` is what is left of the trend after each step. Simple smoothing has no trend: 0.
    """

    level: float
    trend: float = 0.0
    damping: float = 0.0

    def weights(self, steps: int, leads: tuple[int, ...]) -> Figures:
        """Return the weight of each of `steps` figures, oldest first, in the forecast of each lead: (leads, steps).

        The level begins with the oldest figure, the trend with 0. A lead of 1 is the step after the newest.
        """
        level, trend = np.zeros(steps), np.zeros(steps)
        level[0] = 1.0
        for new in np.eye(steps):
            before = level
            level = self.level * new + (1.0 - self.level) * (before + self.damping * trend)
            trend = self.trend * (level - before) + (1.0 - self.trend) * self.damping * trend
        reach = [sum(self.damping**step for step in range(1, lead + 1)) for lead in leads]
        return np.array([level + much * trend for much in reach], dtype=np.float32)


def carried(figures: Figures) -> Figures:
    """Return figures (steps, VMs) with the last known in place of NaN, before the first known that one.

    A VM of which nothing is known stays NaN.
    """
    is_known = np.isfinite(figures)
    gaps = np.flatnonzero(~np.logical_and.reduce(is_known, axis=0))
    if not len(gaps):
        return figures
    result = figures.copy()
    there, some = is_known[:, gaps], figures[:, gaps]
    steps = np.arange(len(figures), dtype=np.int32)[:, np.newaxis]
    last = np.maximum.accumulate(np.where(there, steps, np.int32(-1)), axis=0)
    at = np.where(last >= 0, last, there.argmax(axis=0))
    result[:, gaps] = some[at, np.arange(len(gaps))]
    return result
