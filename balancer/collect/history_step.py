"""One step of history while it lasts: what several readings within it come to.

Each reading is a mean over the samples of its source; where these were read, with their deviation, 95th percentile
and maximum. Of a step are kept the mean of the readings, and percentile and maximum: those of the samples where
they are told, else as far as mean and deviation tell.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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


Exact = npt.NDArray[np.float64]
Cells = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int, int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleFigures:
    """What the samples behind one reading come to, each array of the shape (measures, columns).

    What is not known is NaN; a figure below 0, or infinite, is not known either. Without a mean nothing counts.
    """

    means: Exact
    deviations: Exact
    p95s: Exact
    maxima: Exact


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
        self._sampled, self._late = np.zeros(shape), np.zeros(shape)

    def add(self, columns: Places, reading: SampleFigures) -> None:
        """Take a reading of some of the columns."""
        mean, is_known = self._placed(columns, reading.means)
        spread, _ = self._placed(columns, reading.deviations)
        p95, is_sampled = self._placed(columns, reading.p95s)
        top, is_seen = self._placed(columns, reading.maxima)
        spread[~is_known] = 0.0
        is_sampled &= is_known
        self._count += is_known
        self._sum += mean
        self._squares += mean**2 + spread**2
        self._sampled += is_sampled
        np.maximum(self._late, p95, out=self._late, where=is_sampled)
        top = np.where(is_seen & is_known, top, mean + MAX_SIGMAS * spread)
        np.maximum(self._top, top, out=self._top)

    def figures(self) -> Figures:
        """Return mean, 95th percentile and maximum, measure by measure: (3 x measures, columns).

        The maximum is the greatest of the readings'. So is the percentile where all of them tell theirs: it then
        shows a burst that lies in one of them. Where only some do, what mean and deviation tell counts where it is
        more.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum / self._count
            deviation = np.sqrt(np.maximum(self._squares / self._count - mean**2, 0.0))
        top = np.where(self._count > 0, self._top, np.nan)
        derived = mean + P95_SIGMAS * deviation
        is_told = (self._sampled == self._count) & (self._count > 0)
        p95 = np.minimum(np.where(is_told, self._late, np.maximum(derived, self._late)), top)
        stacked = np.stack((mean, np.maximum(p95, mean), np.maximum(top, mean)), axis=1)
        return stacked.reshape(len(Statistic) * self._measures, -1).astype(np.float32)

    def fit(self, columns: int) -> None:
        """Have room for so many columns."""
        more = columns - self._count.shape[1]
        if more > 0:
            widened = [np.pad(each, ((0, 0), (0, more))) for each in self._all()]
            self._count, self._sum, self._squares, self._top, self._sampled, self._late = widened

    def drop(self, column: int, last: int) -> None:
        """Put the last column in the place of one that goes, or of itself: then nothing is known of it."""
        if last < self._count.shape[1]:
            for each in self._all():
                each[:, column] = each[:, last]
                each[:, last] = 0.0

    def _all(self) -> tuple[Cells, ...]:
        return self._count, self._sum, self._squares, self._top, self._sampled, self._late

    def _placed(self, columns: Places, figures: Exact) -> tuple[Cells, Flags]:
        """Return figures at their columns, 0 where not known, and where they are known."""
        placed = np.full_like(self._sum, np.nan)
        placed[:, columns] = figures
        is_known: Flags = (placed >= 0.0) & (placed < np.inf)
        placed[~is_known] = 0.0
        return placed, is_known
