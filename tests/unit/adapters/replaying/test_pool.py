"""Work side by side: what crashes or fails costs itself, whatever the number of processes."""

import os
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

from balancer.adapters.replaying import Lost, side_by_side
from tests.unit.adapters.replaying.works import twice

ROOT = Path(__file__).parents[4]


def task(number: int) -> MappingProxyType[str, int]:
    return MappingProxyType({"number": number})


def test_a_process_that_is_killed_and_one_that_fails_cost_only_themselves() -> None:
    heard: list[tuple[int, int, int]] = []
    tasks = [task(number) for number in (1, 13, 14)]
    found = dict(side_by_side(tasks, twice, jobs=3, heard=lambda *news: heard.append(news)))

    first, killed, failed = (found[place] for place in range(3))
    assert not isinstance(first, Lost)
    assert first["doubled"] == 2
    assert first["pid"] != os.getpid()
    assert isinstance(killed, Lost)
    assert "signal 9" in killed.why
    assert isinstance(failed, Lost)
    assert failed.why == "ValueError: fourteen is not taken"
    assert "works.py" in failed.traceback
    assert {(0, 1, 2), (0, 2, 2)} <= set(heard)


def test_no_process_hears_an_interrupt_not_even_the_first_one() -> None:
    script = (
        "from balancer.adapters.replaying import side_by_side\n"
        "from tests.unit.adapters.replaying.works import is_deaf\n"
        "if __name__ == '__main__':\n"
        "    print([end for _, end in side_by_side([1, 2, 3], is_deaf, jobs=2, heard=lambda *_: None)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == "[True, True, True]\n"


def test_one_at_a_time_is_done_in_this_process_in_the_order_given() -> None:
    heard: list[tuple[int, int, int]] = []
    tasks = [task(14), task(2)]
    found = list(side_by_side(tasks, twice, jobs=1, heard=lambda *news: heard.append(news)))

    assert [place for place, _ in found] == [0, 1]
    assert isinstance(found[0][1], Lost)
    assert found[1][1] == {"doubled": 4, "pid": os.getpid()}
    assert heard == [(0, 1, 2), (1, 1, 2), (1, 2, 2)]


def test_progress_is_thinned_out() -> None:
    heard: list[int] = []

    def slow(count: int, tell: object) -> int:
        assert callable(tell)
        for number in range(count):
            tell(number, count)
        return count

    list(side_by_side([10_000], slow, jobs=1, heard=lambda _, over, of: heard.append(over)))
    assert 150 < len(heard) <= 201


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_to_do_is_done(jobs: int) -> None:
    assert list(side_by_side([], twice, jobs=jobs, heard=lambda *_: None)) == []
