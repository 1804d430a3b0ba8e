"""What is usual at a time of day, from the days that are known."""

from datetime import timedelta

import numpy as np
import pytest

from balancer.assess.forecast_season import COURSES, SLOT_S, days_of
from balancer.model.history import Figures, HistoryView
from tests.support.builders import NOON
from tests.support.remembered import DAY, recorded


def by_day(*mhz: float) -> Figures:
    """Return one VM that wants so much all day, up to noon of the last day."""
    return np.repeat(np.array(mhz, dtype=np.float32), DAY)[: -DAY // 2, np.newaxis]


def usual(view: HistoryView, *, hours: float = 1.0) -> dict[str, float]:
    """Return what is usual so long after noon."""
    at = np.array([NOON.timestamp() + hours * 3600.0])
    found = days_of(view).usual(at)[:, 0, 0]
    return dict(zip(COURSES, found.tolist(), strict=True))


def test_the_middle_of_the_days_is_usual() -> None:
    view = recorded(by_day(100.0, 900.0, 200.0, 300.0, 400.0, 7000.0)).everything
    found = usual(view)
    assert found["median of the days"] == pytest.approx(np.quantile([100, 900, 200, 300, 400], 0.5))
    quartiles = np.quantile([100, 900, 200, 300, 400], [0.25, 0.5, 0.75]).mean()
    assert found["mean of the quartiles"] == pytest.approx(quartiles)


def test_days_that_are_not_known_do_not_count() -> None:
    view = recorded(by_day(np.nan, 100.0, np.nan, 300.0, 7000.0)).everything
    assert usual(view)["median of the days"] == pytest.approx(200.0)


def test_one_day_makes_nothing_usual() -> None:
    found = usual(recorded(by_day(np.nan, 100.0, np.nan)).everything)
    assert np.isnan(list(found.values())).all()


def test_the_same_day_of_two_earlier_weeks_is_usual_in_the_week() -> None:
    mhz = [float(day) for day in range(16)]
    found = usual(recorded(by_day(*mhz)).everything)
    assert found["same day of earlier weeks"] == pytest.approx((1.0 + 8.0) / 2)
    assert np.isnan(usual(recorded(by_day(*mhz[4:])).everything)["same day of earlier weeks"])


def test_slots_begin_at_midnight_whenever_the_history_begins() -> None:
    course = np.zeros(DAY, dtype=np.float32)
    course[150:153] = 900.0  # a quarter of an hour from 12:30
    days = np.tile(course, 4)[: -DAY // 2, np.newaxis]
    for cut in (0, 1, 100):
        view = recorded(days[cut:]).everything
        slots = [usual(view, hours=0.25 * n + 0.1)["median of the days"] for n in range(4)]
        assert slots == [0.0, 0.0, 900.0, 0.0]


def test_a_history_in_hours_is_known_by_the_hour() -> None:
    view = HistoryView(
        ends_at=NOON - timedelta(hours=12),
        step_s=3600.0,
        vms=("a",),
        cpu_mhz=np.tile(np.arange(24, dtype=np.float32), 3)[:, np.newaxis],
        memory_mib=np.zeros((72, 1), dtype=np.float32),
    )
    assert usual(view, hours=1.5)["median of the days"] == 13.0
    assert view.step_s > SLOT_S
