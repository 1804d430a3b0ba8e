"""How wrong forecasts were, on the metrics page."""

from balancer.assess.forecast_judge import HORIZONS_S
from balancer.expose.metric_labels import FORECAST_HORIZONS
from balancer.model.events import ForecastError, ForecastJudged
from tests.unit.expose.board import Board


def test_errors_of_forecasts_are_told_by_resource_and_horizon() -> None:
    board = Board()
    cpu = ForecastError(resource="cpu", horizon_s=1800.0, ratio=0.3)
    memory = ForecastError(resource="memory", horizon_s=3600.0, ratio=0.1)
    board.cluster.tell(ForecastJudged(errors=(cpu, memory)))
    board.cluster.tell(ForecastJudged(errors=(cpu,)))
    assert board.value("forecast_error_ratio_sum", "cpu", "30m") == 0.6
    assert board.series("forecast_error_ratio_count") == {
        ("cpu", "15m"): 0.0,
        ("cpu", "30m"): 2.0,
        ("cpu", "1h"): 0.0,
        ("memory", "15m"): 0.0,
        ("memory", "30m"): 0.0,
        ("memory", "1h"): 1.0,
    }


def test_every_horizon_that_is_judged_has_a_word() -> None:
    assert set(FORECAST_HORIZONS) == set(HORIZONS_S)
