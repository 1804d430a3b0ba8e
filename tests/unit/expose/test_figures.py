"""Figures read as people write them."""

import pytest

from balancer.expose.figures import counted, duration, gibibytes, listed, percent, points


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.4, "0 s"),
        (89.4, "89 s"),
        (90.0, "2 min"),
        (360.0, "6 min"),
        (5369.0, "89 min"),
        (5400.0, "1 h 30 min"),
        (7200.0, "2 h"),
    ],
)
def test_a_duration_is_told_in_its_largest_fitting_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("mib", "text"),
    [(0.0, "0.0 GiB"), (4096.0, "4.0 GiB"), (10_240.0, "10 GiB"), (1_285_120.0, "1,255 GiB")],
)
def test_memory_is_told_in_gib(mib: float, text: str) -> None:
    assert gibibytes(mib) == text


@pytest.mark.parametrize(
    ("ratio", "digits", "text"),
    [(0.825, 0, "82 %"), (0.0914, 1, "9.1 %"), (-0.0001, 1, "0.0 %"), (1.5, 0, "150 %")],
)
def test_a_ratio_is_told_in_percent(ratio: float, digits: int, text: str) -> None:
    assert percent(ratio, digits) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.31, "31"), (0.0949, "9.5"), (0.0999, "10"), (0.0, "0.0")]
)
def test_a_spread_is_told_in_points(ratio: float, text: str) -> None:
    assert points(ratio) == text


def test_nouns_follow_their_count() -> None:
    assert [counted(n, "rule fix", "rule fixes") for n in (0, 1, 2000)] == [
        "0 rule fixes",
        "1 rule fix",
        "2,000 rule fixes",
    ]


def test_a_long_list_ends_in_how_many_more_there_are() -> None:
    assert listed(["a", "b", "c"], 3) == "a, b, c"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
