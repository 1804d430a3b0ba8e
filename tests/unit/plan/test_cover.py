"""The cheapest set of units that must leave a host equals the best of all sets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.plan.cover import CELLS, Asked, cheapest_covers

UNITS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, CELLS), st.floats(0.01, 9.0)), max_size=14
)


def asked(units: list[tuple[int, int, float]], entry: list[float], lack: float) -> Asked:
    return Asked(
        lack=np.full(3, lack),
        entry=np.array(entry),
        host=np.array([host for host, _, _ in units], dtype=np.int64),
        size=np.array([float(size) for _, size, _ in units]),
    )


def costs(units: list[tuple[int, int, float]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([cost for _, _, cost in units], dtype=np.float64)


def least(units: list[tuple[int, int, float]], host: int, lack: float) -> float:
    """Return the cost of the cheapest set by trying all; infinite where none is enough."""
    here = [(size, cost) for at, size, cost in units if at == host]
    sets = [chosen for n in range(len(here) + 1) for chosen in combinations(here, n)]
    enough = [sum(c for _, c in chosen) for chosen in sets if sum(s for s, _ in chosen) >= lack]
    return min(enough, default=np.inf)


@given(units=UNITS)
def test_covers_cost_as_little_as_the_best_of_all_sets(units: list[tuple[int, int, float]]) -> None:
    covers = cheapest_covers(asked(units, [0.0, 1.0, np.inf], CELLS), costs(units), most=3)
    found = {cover.host: cover.cost for cover in covers}
    best = {0: least(units, 0, CELLS), 1: least(units, 1, CELLS) + 1.0}
    assert found == pytest.approx({host: cost for host, cost in best.items() if cost < np.inf})
    for cover in covers:
        assert all(units[unit][0] == cover.host for unit in cover.units)
        assert sum(units[unit][1] for unit in cover.units) >= CELLS


@given(units=UNITS, lack=st.floats(0.5, 2000.0))
def test_no_cover_is_too_small_whatever_is_lacking(
    units: list[tuple[int, int, float]], lack: float
) -> None:
    for cover in cheapest_covers(asked(units, [0.0] * 3, lack), costs(units), most=3):
        assert sum(units[unit][1] for unit in cover.units) >= lack


def test_a_host_that_lacks_nothing_sends_nobody_away() -> None:
    covers = cheapest_covers(asked([(0, 5, 1.0)], [2.0, 1.0, np.inf], 0.0), np.ones(1), most=3)
    assert [(cover.host, cover.units, cover.cost) for cover in covers] == [
        (1, (), 1.0),
        (0, (), 2.0),
    ]


def test_only_the_most_promising_hosts_are_looked_at() -> None:
    units = [(0, CELLS, 3.0), (1, CELLS, 2.0), (2, CELLS, 1.0)]
    covers = cheapest_covers(asked(units, [0.0] * 3, CELLS), costs(units), most=2)
    assert [cover.host for cover in covers] == [2, 1]
