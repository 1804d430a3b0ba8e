"""Exponential smoothing gives the numbers of a library that is known for it."""

import numpy as np
import pytest
from statsmodels.tsa.holtwinters import Holt, SimpleExpSmoothing

from balancer.assess.forecast_smoothing import Smoothing, carried

SERIES = np.random.default_rng(1).gamma(2.0, 300.0, 60)
LEADS = (1, 2, 5)


@pytest.mark.parametrize("level", [0.1, 0.4, 0.7, 1.0])
def test_simple_smoothing_is_that_of_statsmodels(level: float) -> None:
    model = SimpleExpSmoothing(SERIES, initialization_method="known", initial_level=SERIES[0])
    reference = model.fit(smoothing_level=level, optimized=False).forecast(max(LEADS))
    ours = Smoothing(level=level).weights(len(SERIES), LEADS) @ SERIES
    assert ours == pytest.approx([reference[lead - 1] for lead in LEADS], rel=1e-5)


def test_smoothing_with_a_damped_trend_is_that_of_statsmodels() -> None:
    model = Holt(
        SERIES,
        damped_trend=True,
        initialization_method="known",
        initial_level=SERIES[0],
        initial_trend=0.0,
    )
    fixed = {"smoothing_level": 0.4, "smoothing_trend": 0.1, "damping_trend": 0.9}
    reference = model.fit(optimized=False, **fixed).forecast(max(LEADS))
    ours = Smoothing(level=0.4, trend=0.1, damping=0.9).weights(len(SERIES), LEADS) @ SERIES
    assert ours == pytest.approx([reference[lead - 1] for lead in LEADS], rel=1e-5)


def test_what_is_not_known_is_what_was_known_last() -> None:
    nan = np.nan
    gaps = np.array([[nan, 1.0, nan], [2.0, nan, nan], [nan, 3.0, nan]], dtype=np.float32)
    filled = [[2.0, 1.0, nan], [2.0, 1.0, nan], [2.0, 3.0, nan]]
    assert np.array_equal(carried(gaps), np.array(filled, dtype=np.float32), equal_nan=True)
    assert np.isnan(gaps[0, 0])
