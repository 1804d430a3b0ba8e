"""The forecast of one cluster from cycle to cycle: what is costly is worked out anew at times only.

Owns when the usual course of the day and the choice of models are learnt again, and for whom what was learnt
holds. Mutable bookkeeping of one cluster, for one thread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from balancer.assess.forecast import Forecast, Remembered, level_of, peak_of
from balancer.assess.forecast_choice import Choice, blended, choose, unjudged
from balancer.assess.forecast_judge import Judge
from balancer.assess.forecast_models import LATE_STEPS, LEVEL_STEPS, forecasts, weights_of
from balancer.assess.forecast_season import COURSES, Times, days_of
from balancer.assess.forecast_slots import Slots, slots_of
from balancer.assess.forecast_smoothing import carried
from balancer.model.events import ForecastError
from balancer.model.history import Figures, HistoryView
from balancer.model.units import Seconds
from balancer.policy.types import DemandReading, ForecastKind

LEARNT_FOR_S: Seconds = 21_600.0
"""So long, by the source's clock, holds what was learnt."""

SETTLED_STEPS = 12
"""Where nothing is known of a VM in the first hour of what is smoothed, eight hours ago, nothing that was learnt
counts for it: it is new, was resized or started anew."""

CAUTIOUS = 0.9
"""The quantile of its figures of late that a VM counts with whose figure is missing."""

CHUNK = 512
"""VMs that are learnt of at a time, so that weeks of 10,000 need no more memory than weeks of these."""


Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Learnt:
    """What holds for a while: which model for whom, and the usual courses (courses, slots of the day, VMs).

    `usual` begins with the slot of `begin_s`, and reaches as far as anybody will ask.
    """

    at_s: Seconds
    ahead: Slots
    vms: tuple[str, ...]
    choice: Choice
    begin_s: Seconds
    slot_s: Seconds
    usual: Figures

    def holds(self, now_s: Seconds, ahead: Slots) -> bool:
        """Whether it is of now, and for this horizon."""
        return ahead == self.ahead and 0.0 <= now_s - self.at_s < LEARNT_FOR_S

    def usual_at(self, times_s: Times) -> Figures:
        """Return what is usual at times: (courses, times, VMs)."""
        return self.usual[:, ((times_s - self.begin_s) // self.slot_s).astype(np.intp)]

    def of(self, vms: tuple[str, ...], settled: Bools) -> "_Learnt":
        """Return what holds for these VMs, in their order: nothing for those that are not known or not settled."""
        if vms is self.vms and settled.all():
            return self
        column = {name: at for at, name in enumerate(self.vms)}
        at = np.array([column.get(name, -1) for name in vms], dtype=np.intp)
        is_known = (at >= 0) & settled
        default = unjudged(len(self.choice.spread_mhz), len(vms))
        if not is_known.any():
            usual = np.full((len(COURSES), self.usual.shape[1], len(vms)), np.nan, np.float32)
            return replace(self, vms=vms, choice=default, usual=usual)
        choice = Choice(
            weights=np.where(is_known, self.choice.weights[..., at], default.weights),
            spread_mhz=np.where(is_known, self.choice.spread_mhz[..., at], default.spread_mhz),
        )
        usual = np.where(is_known, self.usual[..., at], np.float32(np.nan))
        return replace(self, vms=vms, choice=choice, usual=usual)


class Forecaster:
    """Forecasts of the VMs of one history. `errors` are those that became known with the newest forecast."""

    def __init__(self, history: Remembered) -> None:
        self.errors: tuple[ForecastError, ...] = ()
        self._history = history
        self._judge = Judge()
        self._learnt: _Learnt | None = None
        self._shown: tuple[_Learnt, Bools, _Learnt] | None = None

    def forecast(self, reading: DemandReading) -> Forecast:
        """Return what the VMs are expected to want, in the form that the policy asks for.

        What has become known of earlier forecasts is judged: see `errors`.

        Raises:
            ValueError: nothing is remembered yet.
        """
        newest = self._history.view(1)
        now_s = newest.ends_at.timestamp()
        self.errors = self._judge.judged(self._history, now_s)
        made = self._made(reading, newest)
        self._judge.note(made, now_s)
        return made

    def cautious_mhz(self, vm: str) -> float | None:
        """Return what a VM counts with that has no figure now; None where nothing is known of it of late.

        That is the quantile `CAUTIOUS` of what it wanted in the last `LATE_STEPS` steps, eight hours.
        """
        late = self._history.view(LATE_STEPS)
        figures = late.cpu_mhz[:, late.vms.index(vm)] if vm in late.vms else np.empty(0)
        known = figures[np.isfinite(figures)]
        return float(np.quantile(known, CAUTIOUS)) if len(known) else None

    def _made(self, reading: DemandReading, newest: HistoryView) -> Forecast:
        if reading.forecast is ForecastKind.SAMPLE:
            return level_of(newest)
        window = self._history.view(max(round(reading.window_s / newest.step_s), 1))
        if reading.forecast is ForecastKind.PEAK:
            return peak_of(window)
        level = level_of(window)
        if reading.forecast is ForecastKind.LEVEL:
            return level
        late = self._history.view(LATE_STEPS)
        ahead = slots_of(reading.horizon_s, newest.step_s)
        return _profile(late, level, self._what_holds(late, ahead))

    def _what_holds(self, late: HistoryView, ahead: Slots) -> _Learnt:
        """Return what was learnt, for the VMs of now; for the same VMs it is put in their order once."""
        if self._learnt is None or not self._learnt.holds(late.ends_at.timestamp(), ahead):
            self._learnt = learn(self._history, ahead)
        settled = np.logical_or.reduce(np.isfinite(late.cpu_mhz[:SETTLED_STEPS]), axis=0)
        if self._shown is not None:
            learnt, before, shown = self._shown
            is_same = learnt is self._learnt and shown.vms is late.vms
            if is_same and np.array_equal(before, settled):
                return shown
        shown = self._learnt.of(late.vms, settled)
        self._shown = self._learnt, settled, shown
        return shown


def learn(history: Remembered, ahead: Slots) -> _Learnt:
    """Choose models and learn the usual courses from all that is remembered."""
    parts = [_learn_some(view, ahead) for view in _views(history)]
    first = parts[0]
    choices = [part.choice for part in parts]
    return replace(
        first,
        vms=history.view(1).vms,
        choice=Choice(
            weights=np.concatenate([one.weights for one in choices], axis=-1),
            spread_mhz=np.concatenate([one.spread_mhz for one in choices], axis=-1),
        ),
        usual=np.concatenate([part.usual for part in parts], axis=-1),
    )


def _views(history: Remembered) -> Iterator[HistoryView]:
    for first in range(0, max(len(history), 1), CHUNK):
        yield history.view(vms=slice(first, first + CHUNK))


def _learn_some(view: HistoryView, ahead: Slots) -> _Learnt:
    days, now_s = days_of(view), view.ends_at.timestamp()
    begin_s = (now_s - LEVEL_STEPS * view.step_s) // days.slot_s * days.slot_s
    end_s = now_s + LEARNT_FOR_S + ahead.count * ahead.slot_s
    times_s = np.arange(begin_s, end_s + days.slot_s, days.slot_s) + days.slot_s / 2
    return _Learnt(
        at_s=now_s,
        ahead=ahead,
        vms=view.vms,
        choice=choose(view, days, ahead.leads),
        begin_s=begin_s,
        slot_s=days.slot_s,
        usual=days.usual(times_s),
    )


def _profile(late: HistoryView, level: Forecast, learnt: _Learnt) -> Forecast:
    now_s, ahead = late.ends_at.timestamp(), learnt.ahead
    newest = carried(late.cpu_mhz)
    missing = LATE_STEPS - len(newest)
    if missing > 0:
        newest = np.concatenate((np.repeat(newest[:1], missing, axis=0), newest))
    usual_now = learnt.usual_at(_middles(now_s, late.step_s, range(1 - LEVEL_STEPS, 1)))
    usual_ahead = learnt.usual_at(_middles(now_s, late.step_s, ahead.leads))
    said = forecasts(weights_of(ahead.leads), newest, usual_now.mean(axis=1), usual_ahead)
    slots = blended(said, learnt.choice.weights)
    spread = np.sqrt((learnt.choice.spread_mhz**2).mean(axis=0))
    return replace(
        level,
        cpu_mhz=slots.mean(axis=0),
        cpu_stddev_mhz=np.where(np.isfinite(spread), spread, level.cpu_stddev_mhz),
        slot_s=ahead.slot_s,
        cpu_slots_mhz=slots,
    )


def _middles(now_s: Seconds, step_s: Seconds, leads: Sequence[int]) -> Times:
    """Return the times of the middles of steps; a lead of 1 is the step that begins now."""
    return now_s + step_s * (np.array(leads, dtype=np.float64) - 0.5)
