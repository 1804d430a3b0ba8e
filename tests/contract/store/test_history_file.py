"""A file of history that cannot be used is refused with what to do, and is left as it is."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.adapters.store.history_sqlite import SqliteHistory
from balancer.model.errors import StoreError
from balancer.model.rollup import Block, Kind, Measure, Member, Series, Statistic
from balancer.model.scale import worst_error_ratio
from tests.contract.store.test_history import CLUSTER, CPU, at, block, read
from tests.support.histories import MemoryHistory

DAY = timedelta(days=1)


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, and it is long enough to be read as one" * 100)


def of_another(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("create table moves (id integer)")


def newer(path: Path) -> None:
    SqliteHistory(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("pragma user_version = 99")


def no_folder(path: Path) -> None:
    path.parent.rmdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (garbage, "not a database"),
        (of_another, "a database of another program"),
        (newer, "has schema version 99, this program knows 1"),
        (no_folder, "Create the folder"),
    ],
)
def test_a_file_that_is_no_history_is_refused_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    path, failures = folder / "history.sqlite", []
    spoil(path)
    before = path.read_bytes() if path.exists() else b""
    with pytest.raises(StoreError) as told:
        SqliteHistory(path, on_failure=lambda: failures.append(1))
    assert words in str(told.value)
    assert str(path) in str(told.value)
    assert "nothing else depends on this file" in str(told.value)
    assert failures == [1]
    assert (path.read_bytes() if path.exists() else b"") == before


@pytest.mark.parametrize("sql", ["update chunks set data = x'00'", "update spans set steps = 999"])
def test_damaged_figures_are_told_and_not_shown(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "history.sqlite"
    with closing(SqliteHistory(path)) as history:
        history.put(CLUSTER, block(1.0, [[100.0]]))
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            raw.execute(sql)
        with pytest.raises(StoreError, match="damaged"):
            read(history, 0, 24)


def test_room_that_is_not_needed_any_more_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    rng = np.random.default_rng(0)
    many = tuple(Member(identity=f"vm-{number}") for number in range(2_000))
    with closing(SqliteHistory(path)) as history:
        for hour in range(8):
            figures = rng.lognormal(5.0, 2.0, (12, len(many))).astype(np.float32)
            history.put(
                CLUSTER,
                Block(
                    kind=Kind.VM,
                    starts_at=at(float(hour)),
                    step_s=300.0,
                    members=many,
                    figures={CPU: figures},
                ),
            )
        history.shrink(250_000)
        kept = read(history, 0, 24)
        assert 0 < len(kept) < 8 * 12 * len(many)
        assert min(hour for _, hour in kept) > 0
    assert path.stat().st_size <= 250_000


SERIES = tuple(Series(Measure.CPU, statistic) for statistic in Statistic)
FIGURE = st.sampled_from([np.nan, 0.0, 7.0, 1_000.0, 250_000.0])
STEP = st.tuples(
    st.integers(0, 120), st.lists(st.lists(FIGURE, min_size=2, max_size=2), min_size=1, max_size=30)
)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(STEP, st.sampled_from(SERIES), st.integers(1, 2)), max_size=6), st.booleans()
)
def test_the_file_says_what_a_plain_history_says(
    tmp_path_factory: pytest.TempPathFactory, puts: list, is_condensed: bool
) -> None:
    plain = MemoryHistory()
    with closing(SqliteHistory(tmp_path_factory.mktemp("h") / "history.sqlite")) as kept:
        for (hour_step, figures), series, vcpus in puts:
            members = (Member(identity="a", vcpus=vcpus), Member(identity="b"))
            for each in (plain, kept):
                each.put(CLUSTER, block(hour_step / 4, figures, *members, series=series))
        if is_condensed:
            kept.condense(at(24) + 9 * DAY)
        for series in SERIES:
            wanted = read(plain, 0, 999, series=series)
            found = read(kept, 0, 999, series=series)
            assert found == pytest.approx(wanted, rel=worst_error_ratio(Measure.CPU) * 1.001)
