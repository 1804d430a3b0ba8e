"""One step of history while it lasts: what several readings within it come to.

Each reading is a mean over the samples of its source, for CPU with their deviation. Of a step are kept the mean of
the readings, and the 95th percentile and the maximum as far as these two tell.
"""

import numpy as np

from balancer.collect.history_ring import Places
from balancer.model.history import Figures
from balancer.model.rollup import Statistic

P95_SIGMAS = 1.645
"""The 95th percentile of a normal distribution lies so many deviations above its mean."""

MAX_SIGMAS = 1.736
"""The greatest of 15 normal figures is expected so many deviations above their mean.

Fifteen samples of 20 s are five minutes. Source: order statistics of the normal distribution, n = 15, as tabulated
by Harter, "Expected values of normal order statistics", Biometrika 48 (1961).
"""


class OpenStep:
    """The readings of the present step; arrays by (measure, column)."""

    def __init__(self, measures: int) -> None:
        self._measures = measures
        self.clear(0)

    def clear(self, columns: int) -> None:
        """Begin a step of which nothing is known."""
        shape = (self._measures, columns)
        self._count, self._sum = np.zeros(shape), np.zeros(shape)
        self._squares, self._top = np.zeros(shape), np.zeros(shape)

    def add(self, columns: Places, means: Figures, deviations: Figures) -> None:
        """Take a reading: (measures, columns given); NaN is not known, as is a figure below 0."""
        mean, spread = np.zeros_like(self._sum), np.zeros_like(self._sum)
        is_known = np.zeros(self._sum.shape, dtype=bool)
        is_known[:, columns] = (means >= 0.0) & (means < np.inf)
        mean[:, columns], spread[:, columns] = means, deviations
        mean[~is_known] = 0.0
        spread[~(is_known & (spread > 0.0))] = 0.0
        self._count += is_known
        self._sum += mean
        self._squares += mean**2 + spread**2
        np.maximum(self._top, mean + MAX_SIGMAS * spread, out=self._top)

    def figures(self) -> Figures:
        """Return mean, 95th percentile and maximum, measure by measure: (3 x measures, columns)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum / self._count
            deviation = np.sqrt(np.maximum(self._squares / self._count - mean**2, 0.0))
        top = np.where(self._count > 0, self._top, np.nan)
        p95 = np.minimum(mean + P95_SIGMAS * deviation, top)
        stacked = np.stack((mean, np.maximum(p95, mean), np.maximum(top, mean)), axis=1)
        return stacked.reshape(len(Statistic) * self._measures, -1).astype(np.float32)

    def fit(self, columns: int) -> None:
        """Have room for so many columns."""
        more = columns - self._count.shape[1]
        if more > 0:
            widened = [np.pad(each, ((0, 0), (0, more))) for each in self._all()]
            self._count, self._sum, self._squares, self._top = widened

    def drop(self, column: int, last: int) -> None:
        """Put the last column in the place of one that goes, or of itself: then nothing is known of it."""
        if last < self._count.shape[1]:
            for each in self._all():
                each[:, column] = each[:, last]
                each[:, last] = 0.0

    def _all(self) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], ...]:
        return self._count, self._sum, self._squares, self._top
