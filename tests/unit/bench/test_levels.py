"""DRS level 1 to 5 in the expected order: no fewer moves, and no more spread, from each level to the next."""

from itertools import pairwise

import pytest

from tests.bench.planner.levels import level_table, steps_of
from tests.bench.planner.scenarios import Size, make


@pytest.mark.parametrize("scenario", ["homog", "hot", "newhost", "maint"])
def test_from_level_to_level_moves_do_not_fall_and_spread_does_not_rise(scenario: str) -> None:
    steps = steps_of(make(scenario, Size.of("8x120"), 1))
    for lower, higher in pairwise(steps):
        assert lower.moves <= higher.moves
        assert lower.imbalance >= higher.imbalance
    assert steps[0].moves < steps[-1].moves
    assert steps[0].imbalance > steps[-1].imbalance


def test_level_1_makes_mandatory_moves_alone() -> None:
    steps = steps_of(make("hot", Size.of("8x120"), 1))
    assert steps[0].moves == 0


def test_the_table_has_a_cell_for_each_level() -> None:
    head, _, row = level_table([("homog", "8x120", 2)]).splitlines()
    assert head.count("|") == row.count("|") == 7
