"""The objective: zero when level, weighted by capacity, contention above balance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from balancer.policy.objective import (
    HostArrays,
    balance_cost,
    contention_cost,
    imbalance,
    load_cost,
)
from balancer.policy.types import Thresholds

LIMITS = Thresholds()


def hosts(*rows: tuple[float, float, float, float]) -> HostArrays:
    """Build arrays from rows of CPU capacity, memory capacity, CPU load, memory load."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return HostArrays(capacity=table[:, :2], load=table[:, 2:])


@pytest.mark.parametrize(
    "level",
    [hosts(), hosts((10, 100, 0, 0)), hosts((10, 100, 5, 50), (20, 300, 10, 150))],
    ids=["no hosts", "no load", "unequal hosts at the same ratio"],
)
def test_level_hosts_cost_nothing(level: HostArrays) -> None:
    assert load_cost(level, LIMITS) == pytest.approx(0.0)


def test_imbalance_is_in_ratio_points() -> None:
    pair = hosts((100, 100, 60, 50), (100, 100, 40, 50))

    assert imbalance(pair) == pytest.approx(0.1 * np.sqrt(0.5))


def test_contention_outweighs_any_levelling() -> None:
    hot = hosts((100, 100, 95, 10), (100, 100, 60, 10))
    uneven_but_free = hosts((100, 100, 80, 10), (100, 100, 20, 60))

    assert contention_cost(hot, LIMITS) > balance_cost(uneven_but_free)
    assert contention_cost(uneven_but_free, LIMITS) == 0.0


@given(
    load=arrays(np.float64, (4, 2), elements=st.floats(0, 1e6)),
    factor=st.floats(0.01, 1000.0),
)
def test_units_do_not_matter(load: np.ndarray, factor: float) -> None:
    capacity = np.full((4, 2), 1e6)
    one = HostArrays(capacity=capacity, load=load)
    other = HostArrays(capacity=capacity * factor, load=load * factor)

    assert load_cost(one, LIMITS) == pytest.approx(load_cost(other, LIMITS), rel=1e-6, abs=1e-12)
