"""Products of the search have the same bits in every place of a matrix and on every processor."""

import os
import platform
import sys
from subprocess import run

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.plan.product import product

FAMILIES = ("Prescott", "Haswell", "SkylakeX")
"""Processors whose kernels OpenBLAS can be told to take; source: OpenBLAS, README, OPENBLAS_CORETYPE."""

PLAN = """
from tests.unit.plan.support import draft_of
from tests.unit.plan.test_load import skewed
for move in draft_of(skewed()).moves:
    print(move.vm, move.target, move.gain.hex())
"""


@given(st.integers(1, 7), st.integers(1, 40), st.integers(2, 90), st.integers(0, 2**32 - 1))
def test_equal_columns_give_equal_bits(figures: int, hosts: int, units: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    slopes, unit = rng.normal(size=(hosts, figures)), rng.normal(size=figures)
    sizes = np.repeat(unit[:, None], units, axis=1)
    for one in (product(slopes, sizes), product(slopes, sizes[:, ::2])):
        assert (one == one[:, :1]).all()
    assert product(slopes[0], sizes) == pytest.approx(slopes[0] @ sizes)
    assert product(slopes, sizes) == pytest.approx(slopes @ sizes)
    assert product(slopes, unit) == pytest.approx(slopes @ unit)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the families are of this kind")
def test_a_plan_is_the_same_on_every_family_of_processors() -> None:
    plans = {
        run(
            [sys.executable, "-c", PLAN],
            env={**os.environ, "OPENBLAS_CORETYPE": family},
            capture_output=True,
            check=True,
        ).stdout
        for family in FAMILIES
    }
    assert len(plans) == 1
    assert b"host-2" in plans.pop()
