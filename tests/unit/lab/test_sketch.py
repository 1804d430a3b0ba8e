"""Curves made short: nothing above 100 % is lost, sums stay, steps are round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.lab.sketch import sketch_of
from tests.unit.lab.made_up import curves


@settings(max_examples=25, deadline=None)
@given(steps=st.integers(1, 300), most=st.integers(1, 40))
def test_a_sketch_keeps_peaks_ends_and_means(steps: int, most: int) -> None:
    whole = curves(steps, 2)
    sketch = sketch_of(whole, most)
    stride = round(sketch.step_s / whole.step_s)

    assert sketch.steps <= most
    assert sketch.steps == -(-steps // stride)
    assert sketch.peak_load.max() == whole.host_load.max()
    assert sketch.unmet_ghz_h[-1] == whole.unmet_ghz_h[-1]
    for number in range(sketch.steps):
        part = whole.host_load[number * stride : (number + 1) * stride]
        np.testing.assert_allclose(sketch.mean_load[number], part.mean(axis=0), rtol=1e-5)
        np.testing.assert_array_equal(sketch.peak_load[number], part.max(axis=0))


@pytest.mark.parametrize(
    ("steps", "step_s"),
    [
        pytest.param(10, 300.0, id="few slots as they are"),
        pytest.param(2016, 900.0, id="a week in quarters of an hour"),
        pytest.param(8640, 3600.0, id="30 days in hours"),
    ],
)
def test_steps_are_round_times(steps: int, step_s: float) -> None:
    assert sketch_of(curves(steps, 1)).step_s == step_s
