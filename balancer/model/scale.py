"""Figures in one byte: equal steps of the logarithm, so that small and large ones are as exact.

Code 0 is "not known", 1 is 0 (and what is too small to tell from it), the other 254 are 5 % apart: a figure
that is read back differs by at most 2.5 % from the one that was kept.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from balancer.model.history import Figures
from balancer.model.rollup import Measure

Codes = npt.NDArray[np.uint8]

RATIO = 1.05
"""Of one code to the next."""

WORST_ERROR_RATIO = RATIO**0.5 - 1.0
"""How far a figure that is read back may be from the one that was kept, between the least and the most."""

UNKNOWN, ZERO, _LEAST = 0, 1, 2

LEAST: Mapping[Measure, float] = {
    Measure.CPU: 4.0,
    Measure.ACTIVE: 4.0,
    Measure.CONSUMED: 64.0,
    Measure.READY: 0.01,
}
"""The least figure above 0 of each measure, in its unit. The most is 230,000 times as much: 920 GHz of CPU,
0.9 TiB of active and 14 TiB of consumed memory, 2,300 % of ready time. What is more counts as that."""

_STEP = float(np.log(RATIO))


def table(measure: Measure) -> Figures:
    """Return the figure that each of the 256 codes stands for."""
    figures = LEAST[measure] * RATIO ** (np.arange(256) - _LEAST)
    figures[UNKNOWN], figures[ZERO] = np.nan, 0.0
    return figures.astype(np.float32)


TABLES: Mapping[Measure, Figures] = {measure: table(measure) for measure in Measure}


def encoded(measure: Measure, figures: Figures) -> Codes:
    """Return the codes nearest to figures; what is negative, infinite or no number is not known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.log(figures * np.float32(1.0 / LEAST[measure])) * np.float32(1.0 / _STEP)
    is_known = (figures >= 0.0) & (figures < np.inf)
    codes = np.clip(np.where(is_known, steps, 0.0) + (_LEAST + 0.5), ZERO, 255).astype(np.uint8)
    codes[~is_known] = UNKNOWN
    return codes


def decoded(measure: Measure, codes: Codes) -> Figures:
    """Return what codes stand for."""
    return TABLES[measure][codes]
