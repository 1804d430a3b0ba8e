"""Dealing tests to workers loses none, and the longest begin."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.dealing import SECONDS, dealt


def made(name: str, *, is_slow: bool = False) -> Any:
    marker = object() if is_slow else None
    return SimpleNamespace(path=Path(name), get_closest_marker=lambda _: marker)


LONG = [made(name) for name in SECONDS for _ in range(3)]
SLOW = [made("test_slow.py", is_slow=True) for _ in range(2)]
SHORT = [made("test_short.py") for _ in range(200)]


@pytest.mark.parametrize("workers", [2, 3, 4, 7])
@pytest.mark.parametrize("items", [[], LONG, SHORT[:1], SHORT + LONG + SLOW], ids=len)
def test_each_test_is_dealt_once(items: list[Any], workers: int) -> None:
    assert sorted(map(id, dealt(items, workers))) == sorted(map(id, items))


def test_half_of_the_rows_begin_with_what_takes_long_and_the_longest_file_is_first() -> None:
    row = dealt(SHORT + LONG + SLOW, 4)
    length = len(row) // 4
    starts = [row[n * length].path.name for n in range(4)]
    longest = sorted(SECONDS, key=lambda name: (-SECONDS[name], name))
    assert starts == [*longest[:2], "test_short.py", "test_short.py"]
    assert all(item.path.name == "test_short.py" for item in row[2 * length + 2 :])


def test_the_files_that_are_said_to_take_long_exist() -> None:
    tests = Path(__file__).parents[1]
    assert [name for name in SECONDS if not list(tests.rglob(name))] == []
