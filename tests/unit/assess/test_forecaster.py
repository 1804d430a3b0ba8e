"""What VMs are expected to want over the next hour, from what is remembered of them."""

import numpy as np
import pytest

from balancer.assess.forecast import Forecast
from balancer.assess.forecaster import Forecaster
from balancer.model.history import Figures
from balancer.policy.types import DemandReading, ForecastKind
from tests.support.remembered import DAY, recorded

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
