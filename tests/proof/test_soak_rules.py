"""When a soak has failed: a leak is found in a short run and in a long one, and what comes and goes is none."""

import math
from collections.abc import Callable

import pytest

from tests.proof.soak_rules import HOUR_S, Sample, growths, slope, warm_up_s

TEN_MINUTES_S, EIGHT_HOURS_S = 600.0, 8 * HOUR_S


def run_of(
    duration_s: float,
    *,
    main_mib: Callable[[float], float] = lambda at_s: 120.0,
    children_mib: Callable[[float], float] = lambda at_s: 70.0,
    descriptors: Callable[[float], float] = lambda at_s: 20.0,
    sessions: Callable[[float], float] = lambda at_s: 3.0,
) -> list[Sample]:
    """Return a run of 200 samples whose figures are functions of the time."""
    times = [duration_s * number / 199 for number in range(200)]
    return [
        Sample(
            at_s=at_s,
            main_mib=main_mib(at_s),
            children_mib=children_mib(at_s),
            descriptors=round(descriptors(at_s)),
            threads=8,
            sessions=round(sessions(at_s)),
        )
        for at_s in times
    ]


def too_much(run: list[Sample]) -> list[str]:
    return [growth.name.split(",")[0] for growth in growths(run) if growth.is_too_much]


def test_the_slope_is_that_of_most_points_whatever_a_few_do() -> None:
    line = [(float(x), 2.0 * x) for x in range(40)]
    line[7], line[33] = (7.0, 900.0), (33.0, -900.0)

    assert slope(line) == pytest.approx(2.0)
    assert slope(line[:1]) == 0.0


def test_the_slope_of_many_points_is_drawn_and_comes_out_the_same() -> None:
    line = [(float(x), 3.0 * x) for x in range(5_000)]

    assert slope(line) == pytest.approx(3.0)


@pytest.mark.parametrize("duration_s", [TEN_MINUTES_S, EIGHT_HOURS_S], ids=["short", "long"])
def test_what_comes_and_goes_is_no_growth(duration_s: float) -> None:
    assert too_much(run_of(duration_s)) == []
    wave = run_of(
        duration_s,
        main_mib=lambda at_s: 120.0 + math.sin(at_s),
        descriptors=lambda at_s: 20.0 + 4.0 * math.sin(at_s),
        sessions=lambda at_s: 3.0 if math.sin(at_s) < 0.9 else 0.0,
    )
    assert too_much(wave) == []


def test_what_fills_at_the_beginning_is_no_growth() -> None:
    filling = run_of(
        TEN_MINUTES_S, main_mib=lambda at_s: 120.0 + 20.0 * min(at_s / warm_up_s(600.0), 1.0)
    )

    assert too_much(filling) == []


def test_a_short_run_finds_300_kib_in_each_cycle_and_is_not_sure_of_less() -> None:
    per_s = 0.3 / 15.0  # a leak of 300 KiB in each cycle of 15 s
    leak = run_of(TEN_MINUTES_S, main_mib=lambda at_s: 120.0 + per_s * at_s)
    slight = run_of(TEN_MINUTES_S, main_mib=lambda at_s: 120.0 + per_s * at_s / 4)

    assert too_much(leak) == ["memory of the daemon"]
    assert too_much(slight) == []


def test_a_long_run_is_judged_by_one_mib_per_hour() -> None:
    def leak(mib_per_hour: float) -> list[Sample]:
        return run_of(EIGHT_HOURS_S, children_mib=lambda at_s: 70.0 + mib_per_hour * at_s / HOUR_S)

    assert too_much(leak(0.9)) == []
    assert too_much(leak(1.1)) == ["memory of its children"]


@pytest.mark.parametrize("duration_s", [TEN_MINUTES_S, EIGHT_HOURS_S], ids=["short", "long"])
def test_sessions_and_descriptors_that_are_left_behind_are_found(duration_s: float) -> None:
    leak = run_of(
        duration_s,
        descriptors=lambda at_s: 20.0 + 8.0 * at_s / duration_s,
        sessions=lambda at_s: 3.0 + 4.0 * at_s / duration_s,
    )

    assert too_much(leak) == ["descriptors", "sessions"]
