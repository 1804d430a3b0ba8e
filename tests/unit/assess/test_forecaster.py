"""What VMs are expected to want over the next hour, from what is remembered of them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from balancer.assess.forecast import Forecast
from balancer.assess.forecast_models import LATE_STEPS
from balancer.assess.forecaster import Forecaster
from balancer.model.history import Figures, HistoryView
from balancer.policy.types import DemandReading, ForecastKind
from tests.support.remembered import DAY, Recorded, recorded

PROFILE = DemandReading(forecast=ForecastKind.PROFILE)


def daily(days: int, course: Figures) -> Figures:
    """Return one VM whose days are alike, up to noon of the last."""
    return np.tile(course, days)[DAY // 2 : -DAY // 2, np.newaxis]


def peak(first: int, last: int, day: int = DAY) -> Figures:
    """Return a day of 100 MHz with 1,000 MHz in some of its steps."""
    course = np.full(day, 100.0, dtype=np.float32)
    course[first:last] = 1000.0
    return course


def profile_of(cpu_mhz: Figures) -> Forecast:
    return Forecaster(recorded(cpu_mhz)).forecast(PROFILE)


def test_a_peak_that_comes_every_day_is_seen_coming() -> None:
    after_noon = daily(6, peak(DAY // 2 + 3, DAY // 2 + 9))
    slots = profile_of(after_noon).cpu_slots_mhz[:, 0]
    assert np.allclose(slots, [100.0, 1000.0, 1000.0, 100.0], rtol=0.05)


@pytest.mark.parametrize(
    ("rests", "most_mhz"),
    [
        pytest.param({0, 1}, 200.0, id="the second day of a quiet weekend"),
        pytest.param({1, 2}, 800.0, id="the first day after it"),
    ],
)
def test_a_day_is_expected_to_be_like_that_day_of_earlier_weeks(
    rests: set[int], most_mhz: float
) -> None:
    """Of days counted back from today, those that rest have no peak after noon."""
    work, rest = peak(DAY // 2 + 3, DAY // 2 + 15), peak(0, 0)
    days = [rest if ago % 7 in rests else work for ago in reversed(range(25))]
    known = np.concatenate(days)[: -DAY // 2, np.newaxis]
    found = profile_of(known).cpu_slots_mhz[:, 0].max()
    assert bool(found > most_mhz) is (most_mhz > 500.0)


def test_a_vm_that_was_never_known_is_expected_to_want_nobody_knows_what() -> None:
    known = daily(6, peak(0, 9))
    both = np.hstack((known, np.full_like(known, np.nan)))
    made = profile_of(both)
    assert np.isnan(made.cpu_slots_mhz[:, 1]).all()
    assert np.isfinite(made.cpu_slots_mhz[:, 0]).all()


def test_what_was_learnt_counts_for_no_vm_that_began_anew() -> None:
    """A VM that is known for an hour alone is expected at its level, whatever it wanted on earlier days."""
    known = daily(6, peak(DAY // 2 + 3, DAY // 2 + 9))
    known[-LATE_STEPS:-12] = np.nan
    assert np.allclose(profile_of(known).cpu_slots_mhz, 100.0)


def test_the_spread_is_the_error_that_forecasts_have_had() -> None:
    """Not the variance of demand: what varies in the same way every day is no risk."""
    course = peak(0, DAY // 3)
    noise = np.random.default_rng(3).normal(0.0, 50.0, (14 * DAY, 2)).astype(np.float32)
    both = np.hstack([np.tile(course, 14)[:, np.newaxis], np.full((14 * DAY, 1), 550.0)]) + noise
    spread = profile_of(both[: -DAY // 2]).cpu_stddev_mhz
    assert spread == pytest.approx([50.0, 50.0], rel=0.5)


def test_a_longer_horizon_has_longer_slots_and_not_more() -> None:
    day = DemandReading(forecast=ForecastKind.PROFILE, horizon_s=86_400.0)
    made = Forecaster(recorded(daily(6, peak(0, 9)))).forecast(day)
    assert (len(made.cpu_slots_mhz), made.slot_s) == (8, 10_800.0)


@pytest.mark.parametrize(
    ("kind", "errors"),
    [
        pytest.param(ForecastKind.SAMPLE, {900.0: 0.5, 1800.0: 0.5, 3600.0: 0.5}, id="sample"),
        pytest.param(ForecastKind.LEVEL, {900.0: 0.75, 1800.0: 0.75, 3600.0: 0.75}, id="level"),
    ],
)
def test_forecasts_are_judged_once_it_is_known_what_came(
    kind: ForecastKind, errors: dict[float, float]
) -> None:
    """First 0, then 100 MHz are wanted up to the forecast, and 200 MHz after it."""
    mhz = np.array([0.0, 100.0, *[200.0] * 14], dtype=np.float32)[:, np.newaxis]
    memory: Growing = Growing(mhz)
    forecaster = Forecaster(memory)
    reading = DemandReading(forecast=kind, window_s=600.0)
    found = {}
    for steps in range(2, len(mhz) + 1):
        memory.steps = steps
        forecaster.forecast(reading)
        for error in forecaster.errors:
            if error.resource == "cpu":
                found.setdefault(error.horizon_s, error.ratio)
    assert found == errors
    assert not any(error.ratio for error in forecaster.errors if error.resource == "memory")


class Growing:
    """A history to which a step is added at a time."""

    def __init__(self, cpu_mhz: Figures) -> None:
        self._whole = recorded(cpu_mhz).everything
        self.steps = 1

    def __len__(self) -> int:
        return len(self._whole.vms)

    def view(self, steps: int | None = None, *, vms: slice = slice(None)) -> HistoryView:
        behind = len(self._whole.cpu_mhz) - self.steps
        known = replace(
            self._whole,
            ends_at=self._whole.ends_at - timedelta(seconds=behind * self._whole.step_s),
            cpu_mhz=self._whole.cpu_mhz[: self.steps],
            memory_mib=self._whole.memory_mib[: self.steps],
        )
        return Recorded(known).view(steps, vms=vms)
