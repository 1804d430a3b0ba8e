"""Curves of a replay made short: what files and pages hold of them, whatever the trace's length.

Of each stretch of time it keeps the mean and the peak of the load of every host, the mean spread, and the unmet
demand up to its end, so that no overload is lost by averaging.
"""

import math
from dataclasses import dataclass

import numpy as np

from balancer.lab.result import Curves, Line
from balancer.model.units import Seconds

MOST_STEPS = 800
"""Steps of a sketch: an hour each for 30 days, 15 minutes for a week. 20 hosts then take 130 kB of a file."""

_ROUND_S = (
    *(60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200),
    86_400,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sketch:
    """Lines over time, each value standing for `step_s`: loads of shape (steps, hosts), the others (steps,)."""

    step_s: Seconds
    mean_load: Line
    peak_load: Line
    unmet_ghz_h: Line
    spread: Line

    @property
    def steps(self) -> int:
        """Return how many values each line has."""
        return len(self.unmet_ghz_h)


def sketch_of(curves: Curves, most: int = MOST_STEPS) -> Sketch:
    """Return the curves in at most `most` steps, each of them as many of the old ones as make a round time."""
    count = len(curves.unmet_ghz_h)
    stride = _stride(count, curves.step_s, most)
    starts = np.arange(0, count, stride)
    sizes = np.diff(np.append(starts, count)).astype(np.float32)
    ends = np.minimum(starts + stride, count) - 1
    return Sketch(
        step_s=curves.step_s * stride,
        mean_load=_summed(curves.host_load, starts) / sizes[:, None],
        peak_load=np.maximum.reduceat(curves.host_load, starts, axis=0)
        if count
        else curves.host_load,
        unmet_ghz_h=curves.unmet_ghz_h[ends],
        spread=_summed(curves.spread, starts) / sizes,
    )


def _summed(line: Line, starts: "np.typing.NDArray[np.intp]") -> Line:
    return np.add.reduceat(line, starts, axis=0) if len(starts) else line


def _stride(count: int, step_s: Seconds, most: int) -> int:
    """Return how many old steps make a new one: the fewest that suffice and, where possible, a round time."""
    least = max(1, math.ceil(count / most))
    rounds = (round_s / step_s for round_s in _ROUND_S)
    fitting = (int(ratio) for ratio in rounds if ratio >= least and ratio == int(ratio))
    found = next(fitting, least)
    return found if least > 1 and found <= 4 * least else least
