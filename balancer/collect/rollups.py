"""From five-minute figures to those of an hour. Pure arrays.

The steps of an hour are kept as mean, 95th percentile and maximum. An hour's mean is that of its steps, its maximum
the greatest of theirs. Its 95th percentile is taken over three figures for each step, as likely as one another,
that have the step's mean and the deviation that its own percentile tells: exact for steady steps, and a peak of one
step in twelve is seen.
"""

from collections.abc import Mapping

import numpy as np

from balancer.collect.history_step import P95_SIGMAS
from balancer.model.history import Figures
from balancer.model.rollup import Block, Measure, Series, Statistic
from balancer.model.units import HOUR_S

_THREE_POINTS = (-(1.5**0.5), 0.0, 1.5**0.5)
"""Three equally likely figures around 0 whose standard deviation is 1."""

_RANK = 0.95


def hour_of(block: Block) -> Block:
    """Return one step of an hour that stands for all steps of a block, which lie within one."""
    measures = dict.fromkeys(series.measure for series in block.figures)
    figures: dict[Series, Figures] = {}
    for measure in measures:
        figures |= _rolled(measure, block.figures)
    start = block.starts_at.replace(minute=0, second=0, microsecond=0)
    return Block(
        kind=block.kind,
        starts_at=start,
        step_s=HOUR_S,
        members=block.members,
        figures=figures,
    )


def _rolled(measure: Measure, figures: Mapping[Series, Figures]) -> dict[Series, Figures]:
    mean, p95, top = (figures[Series(measure, statistic)] for statistic in Statistic)
    is_known = np.isfinite(mean)
    count = is_known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_means = np.where(is_known, mean, 0.0).sum(axis=0) / count
        greatest = np.where(is_known, top, -np.inf).max(axis=0)
        deviation = np.maximum(p95 - mean, 0.0) / P95_SIGMAS
        points = np.concatenate([mean + deviation * each for each in _THREE_POINTS])
    points = np.sort(np.where(np.isfinite(points), points, -np.inf), axis=0)
    rank = len(points) - len(_THREE_POINTS) * count + np.ceil(_RANK * len(_THREE_POINTS) * count)
    at = np.clip(rank.astype(np.intp) - 1, 0, len(points) - 1)
    late = np.take_along_axis(points, at[np.newaxis], axis=0)[0]
    late = np.clip(late, of_means, greatest)
    rolled = {Statistic.MEAN: of_means, Statistic.P95: late, Statistic.MAX: greatest}
    return {
        Series(measure, statistic): np.where(count > 0, row, np.nan).astype(np.float32)[np.newaxis]
        for statistic, row in rolled.items()
    }
