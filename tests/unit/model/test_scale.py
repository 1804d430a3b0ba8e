"""Figures in one byte: how far off they are, and that nothing known is never 0."""

import numpy as np
import pytest

from balancer.model.rollup import Measure
from balancer.model.scale import LEAST, TABLES, decoded, encoded, worst_error_ratio


@pytest.mark.parametrize("measure", Measure)
def test_a_figure_within_the_scale_is_off_by_no_more_than_is_promised(measure: Measure) -> None:
    figures = np.geomspace(LEAST[measure], LEAST[measure] * 200_000, 5_000).astype(np.float32)
    found = decoded(measure, encoded(measure, figures))
    assert np.abs(found / figures - 1.0).max() <= worst_error_ratio(measure) * 1.001


@pytest.mark.parametrize("measure", Measure)
def test_what_is_read_back_is_kept_as_it_is(measure: Measure) -> None:
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(encoded(measure, TABLES[measure]), codes)


def test_nothing_known_is_not_0_and_what_is_out_of_bounds_is_at_them() -> None:
    figures = np.array([np.nan, -1.0, np.inf, 0.0, 1e-9, 1e12], dtype=np.float32)
    found = decoded(Measure.CPU, encoded(Measure.CPU, figures))
    most = TABLES[Measure.CPU][-1]
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 0.0, 0.0, most])
