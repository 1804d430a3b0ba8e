"""The ways to forecast that compete, VM by VM: levels, smoothing, and usual courses shifted to the level of late.

Pure arrays. All of them are worked out for every VM; which one counts is chosen in `forecast_choice`.
"""

from functools import lru_cache

import numpy as np

from balancer.assess.forecast_season import COURSES
from balancer.assess.forecast_smoothing import Smoothing
from balancer.model.history import Figures

LATE_STEPS = 96
"""So many of the newest steps are smoothed: of what is older a weight of 0.1 leaves 4 parts in 100,000."""

LEVEL_STEPS = 6
"""The level of late: a mean over half an hour of steps of five minutes."""

SMOOTHINGS = (
    Smoothing(level=1.0),
    Smoothing(level=0.7),
    Smoothing(level=0.4),
    Smoothing(level=0.2),
    Smoothing(level=0.1),
    Smoothing(level=0.4, trend=0.1, damping=0.9),
)

MODELS = (
    "mean of half an hour",
    *(f"smoothing {one.level:g}" + (" with trend" if one.trend else "") for one in SMOOTHINGS),
    *COURSES,
)
"""What the models are called, in the order of the arrays."""

DEFAULT = MODELS.index("smoothing 0.4")
"""What counts for a VM of which too little is known to choose."""


@lru_cache(maxsize=8)
def weights_of(leads: tuple[int, ...]) -> Figures:
    """Return the weights of the models without a season, for leads in steps: (models, leads, `LATE_STEPS`).

    Worked out once for each set of leads: never to be written to.
    """
    mean = np.zeros((len(leads), LATE_STEPS), dtype=np.float32)
    mean[:, -LEVEL_STEPS:] = 1.0 / LEVEL_STEPS
    return np.stack((mean, *(one.weights(LATE_STEPS, leads) for one in SMOOTHINGS)))


def forecasts(weights: Figures, late: Figures, usual_now: Figures, usual_ahead: Figures) -> Figures:
    """Return what each model forecasts: (models, leads, VMs), NaN where it has nothing to go by.

    `weights` are those of `weights_of`, `late` the newest `LATE_STEPS` figures (steps, VMs) without gaps.
    `usual_now` (courses, VMs) is usual over the same half hour as the level, `usual_ahead` (courses, leads, VMs)
    at each lead.
    """
    level = late[-LEVEL_STEPS:].mean(axis=0)
    shifted = usual_ahead + (level - usual_now)[:, np.newaxis]
    result: Figures = np.maximum(np.concatenate((weights @ late, shifted)), np.float32(0.0))
    return result
