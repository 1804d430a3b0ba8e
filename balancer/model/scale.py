"""Figures in one byte: equal steps of the logarithm, so that small and large ones are as exact.

Code 0 is "not known", 1 is 0 (and what is too small to tell from it), the other 254 are 5 % apart, of ready time
15 %: a figure that is read back differs by at most 2.5 % (7.3 %) from the one that was kept.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from balancer.model.history import Figures
from balancer.model.rollup import Measure

Codes = npt.NDArray[np.uint8]

RATIO: Mapping[Measure, float] = {
    Measure.CPU: 1.05,
    Measure.ACTIVE: 1.05,
    Measure.CONSUMED: 1.05,
    Measure.READY: 1.15,
}
"""Of one code to the next. Ready time jumps by factors from step to step: its digits would be a third of a file."""

UNKNOWN, ZERO, _LEAST = 0, 1, 2

LEAST: Mapping[Measure, float] = {
    Measure.CPU: 4.0,
    Measure.ACTIVE: 4.0,
    Measure.CONSUMED: 64.0,
    Measure.READY: 0.01,
}
"""The least figure above 0 of each measure, in its unit. The most is 230,000 times as much: 920 GHz of CPU,
0.9 TiB of active and 14 TiB of consumed memory (of ready time more than there can be). What is more counts as that.
"""


def worst_error_ratio(measure: Measure) -> float:
    """Return how far a figure that is read back may be from the one that was kept, between least and most."""
    return float(RATIO[measure] ** 0.5 - 1.0)


def table(measure: Measure) -> Figures:
    """Return the figure that each of the 256 codes stands for."""
    figures = LEAST[measure] * RATIO[measure] ** (np.arange(256.0) - _LEAST)
    figures[UNKNOWN], figures[ZERO] = np.nan, 0.0
    return figures.astype(np.float32)


TABLES: Mapping[Measure, Figures] = {measure: table(measure) for measure in Measure}


def encoded(measure: Measure, figures: Figures) -> Codes:
    """Return the codes nearest to figures; what is negative, infinite or no number is not known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.log(figures * np.float32(1.0 / LEAST[measure]))
        steps = whole * np.float32(1.0 / np.log(RATIO[measure]))
    is_known = (figures >= 0.0) & (figures < np.inf)
    codes = np.clip(np.where(is_known, steps, 0.0) + (_LEAST + 0.5), ZERO, 255).astype(np.uint8)
    codes[~is_known] = UNKNOWN
    return codes


def decoded(measure: Measure, codes: Codes, out: Figures | None = None) -> Figures:
    """Return what codes stand for, in `out` where that is given."""
    return np.take(TABLES[measure], codes, out=out, mode="clip")
