"""Which model forecasts a VM best, judged by what each would have said over the last days. Pure arrays.

The error is the mean square over moments of the past and all slots of the horizon. What counts is the sum of
the VMs on a host: forecasts of least square error are right on average, while those of least absolute error
forget rare bursts, which then come on several VMs at once. The blend of all models, the better the more weight,
is one of the candidates.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.assess.forecast_models import (
    DEFAULT,
    LATE_STEPS,
    LEVEL_STEPS,
    MODELS,
    forecasts,
    weights_of,
)
from balancer.assess.forecast_season import Days
from balancer.assess.forecast_smoothing import carried
from balancer.model.history import Figures, HistoryView
from balancer.model.units import DAY_S, Seconds

JUDGED_S: Seconds = 5 * DAY_S
"""The models are judged over so long at the end of the history, at most half of what is known."""

EVERY_S: Seconds = 5_700.0
"""From one moment that is judged to the next: 95 minutes, so that they fall on all times of day."""

FEWEST_MOMENTS = 6
"""A VM that was known at fewer moments has the default model, and a spread that is not known."""

LEAST_SQUARE = 1.0
"""No error is taken for smaller, in MHz squared: what was never wrong would have all weight."""

SHARPNESS = 4.0
"""A model of twice the mean square error has a sixteenth of the weight in the blend. Measured on recorded load
(docs/understand/forecast.md): 1, 2 and 4 differ by less than 2 %."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """What forecasts each VM in each slot of the horizon.

    `weights` (models, slots, VMs) sum up to 1; `spread_mhz` (slots, VMs) is the root of the mean square error
    of late, NaN where it is not known.
    """

    weights: Figures
    spread_mhz: Figures


def choose(view: HistoryView, days: Days, leads: tuple[int, ...]) -> Choice:
    """Judge all models on a history, for leads in steps, and choose for each VM and lead.

    `days` are those of the history.

    The error of a lead counts half, the mean over all of them the other half: what comes once a day is seen at
    few moments, and at some leads at none.
    """
    moments = _moments(view, max(leads))
    if not len(moments):
        return unjudged(len(leads), len(view.vms))
    said, came = _replayed(view, days, moments, leads)
    error, count = _mean_square(said - came[:, np.newaxis])
    error[2 * count < count.max(axis=0)] = np.inf
    error += error.mean(axis=1, keepdims=True)
    share = _shares(error)
    blend_error, _ = _mean_square(blended(said, share) - came)
    blend_error += blend_error.mean(axis=0)
    is_single = error.min(axis=0) <= blend_error
    default, is_judged = unjudged(len(leads), len(view.vms)), count.max(axis=0) >= FEWEST_MOMENTS
    spread = np.sqrt(np.minimum(error.min(axis=0), blend_error) / 2.0)
    weights = np.where(is_single, _only(error.argmin(axis=0)), share)
    return Choice(
        weights=np.where(is_judged, weights, default.weights).astype(np.float32),
        spread_mhz=np.where(is_judged, spread, np.nan).astype(np.float32),
    )


def unjudged(slots: int, vms: int) -> Choice:
    """Return the default model for so many VMs, with a spread that is not known."""
    unknown = np.full((slots, vms), np.nan, dtype=np.float32)
    return Choice(weights=_only(np.full((slots, vms), DEFAULT)), spread_mhz=unknown)


def blended(said: Figures, weights: Figures) -> Figures:
    """Return the weighted mean of what models say, (..., models, slots, VMs), of those that say something."""
    known = np.isfinite(said)
    shares = np.where(known, weights, np.float32(0.0))
    total = (np.where(known, said, np.float32(0.0)) * shares).sum(axis=-3)
    with np.errstate(invalid="ignore"):
        result: Figures = total / shares.sum(axis=-3)
    return result


def _moments(view: HistoryView, furthest: int) -> npt.NDArray[np.intp]:
    """Return the moments to judge at, as the number of steps known by then, oldest first."""
    steps = len(view.cpu_mhz)
    known = np.isfinite(view.cpu_mhz).any(axis=1)
    half = (steps - int(known.argmax())) // 2
    last = steps - furthest
    first = max(LATE_STEPS, steps - min(half, round(JUDGED_S / view.step_s)))
    every = max(round(EVERY_S / view.step_s), 1)
    return np.arange(last, first - 1, -every, dtype=np.intp)[::-1]


def _replayed(
    view: HistoryView, days: Days, moments: npt.NDArray[np.intp], leads: tuple[int, ...]
) -> tuple[Figures, Figures]:
    """Return what each model would have said and what came: (moments, models, leads, VMs), (moments, leads, VMs).

    A usual course is learnt from the days before the first moment alone.
    """
    weights = weights_of(leads)
    first = moments[0] - LATE_STEPS
    known = carried(view.cpu_mhz[first:])
    begin_s = view.ends_at.timestamp() - len(view.cpu_mhz) * view.step_s
    times_s = begin_s + moments * view.step_s
    past = days.before(int(times_s[0] // DAY_S) - days.first)
    ahead = times_s[:, np.newaxis] + (np.array(leads) - 0.5) * view.step_s
    level = times_s[:, np.newaxis] + (np.arange(-LEVEL_STEPS, 0) + 0.5) * view.step_s
    usual = past.usual(np.concatenate((level, ahead), axis=1).ravel())
    usual = usual.reshape(len(usual), len(moments), -1, len(view.vms))
    said = np.empty((len(moments), len(MODELS), len(leads), len(view.vms)), dtype=np.float32)
    came = np.empty((len(moments), len(leads), len(view.vms)), dtype=np.float32)
    for at, moment in enumerate(moments):
        now, then = usual[:, at, :LEVEL_STEPS].mean(axis=1), usual[:, at, LEVEL_STEPS:]
        late = known[moment - LATE_STEPS - first : moment - first]
        said[at] = forecasts(weights, late, now, then)
        came[at] = view.cpu_mhz[moment + np.array(leads) - 1]
        came[at, :, ~np.isfinite(view.cpu_mhz[moment - LEVEL_STEPS : moment]).any(axis=0)] = np.nan
    return said, came


def _mean_square(errors: Figures) -> tuple[Figures, npt.NDArray[np.intp]]:
    """Return the mean square over the moments of what is known, infinite where nothing is, and the count."""
    known = np.isfinite(errors)
    count = known.sum(axis=0)
    total = (np.where(known, errors, np.float32(0.0)) ** 2).sum(axis=0)
    return np.where(count, total / np.maximum(count, 1), np.inf), count


def _shares(error: Figures) -> Figures:
    """Return the weights of the blend: the smaller a model's mean square error, the larger; they sum up to 1."""
    bounded = np.maximum(error, LEAST_SQUARE)
    best = bounded.min(axis=0)
    share = np.where(np.isfinite(error), bounded / np.where(np.isfinite(best), best, 1.0), np.inf)
    share = share**-SHARPNESS
    result: Figures = share / np.maximum(share.sum(axis=0), np.finfo(np.float32).tiny)
    return result


def _only(model: npt.NDArray[np.intp]) -> Figures:
    """Return weights that give all to one model (slots, VMs): (models, slots, VMs)."""
    which = np.arange(len(MODELS))[:, np.newaxis, np.newaxis]
    result: Figures = (which == model).astype(np.float32)
    return result
