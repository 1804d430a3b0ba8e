"""What every history of demand keeps, forgets and shows, in memory and on disk."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.store.history_sqlite import SqliteHistory
from balancer.model.rollup import SERIES_OF, Block, Kind, Measure, Member, Series, Statistic
from balancer.model.scale import worst_error_ratio
from balancer.ports import History
from tests.support.histories import MemoryHistory

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
CLUSTER = "vc1/prod"
CPU = Series(Measure.CPU, Statistic.MEAN)
P95 = Series(Measure.CPU, Statistic.P95)
STEP_S = 300.0
A, B = Member(identity="a", vcpus=2, memory_mib=4096.0), Member(identity="b")


@pytest.fixture(params=["memory", "sqlite"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    if request.param == "memory":
        yield MemoryHistory()
        return
    with closing(SqliteHistory(tmp_path / "history.sqlite")) as opened:
        yield opened


def at(hours: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hours)


def block(
    hours: float,
    figures: list[list[float]],
    *members: Member,
    step_s: float = STEP_S,
    series: Series = CPU,
) -> Block:
    """Return figures (steps, members) of one series."""
    return Block(
        kind=Kind.VM,
        starts_at=at(hours),
        step_s=step_s,
        members=members or (A,),
        figures={series: np.array(figures, dtype=np.float32)},
    )


def read(
    history: History, since: float, until: float, *, series: Series = CPU, step_s: float = STEP_S
) -> Mapping[tuple[str, float], float]:
    """Return what is known, by member and hours since midnight."""
    found: dict[tuple[str, float], float] = {}
    last = -np.inf
    for each in history.read(
        CLUSTER, Kind.VM, step_s, since=at(since), until=at(until), series=[series]
    ):
        first = (each.starts_at - MIDNIGHT).total_seconds() / 3600
        assert first > last
        for step, row in enumerate(each.figures[series]):
            last = first + step * step_s / 3600
            for member, figure in zip(each.members, row, strict=True):
                if np.isfinite(figure):
                    found[member.identity, round(last, 4)] = float(figure)
    return found


def near(figures: Mapping[tuple[str, float], float]) -> object:
    return pytest.approx(figures, rel=worst_error_ratio(Measure.CPU) * 1.001)


def test_what_was_put_is_read_and_what_is_not_known_is_not_0(history: History) -> None:
    history.put(CLUSTER, block(1.0, [[0.0, 250.0], [np.nan, 9e5]], A, B))
    wanted = {("a", 1.0): 0.0, ("b", 1.0): 250.0, ("b", 1.0833): 9e5}
    assert read(history, 0, 24) == near(wanted)
    assert read(history, 1.05, 1.1) == near({("b", 1.0833): 9e5})
    assert not list(
        history.read("vc1/other", Kind.VM, STEP_S, since=at(0), until=at(24), series=[CPU])
    )


def test_all_series_of_vms_and_hosts_are_kept(history: History) -> None:
    for kind in Kind:
        figures = {
            series: np.full((1, 1), 100.0 + 50.0 * place, dtype=np.float32)
            for place, series in enumerate(SERIES_OF[kind])
        }
        history.put(
            CLUSTER,
            Block(kind=kind, starts_at=at(2), step_s=STEP_S, members=(A,), figures=figures),
        )
        (found,) = history.read(
            CLUSTER, kind, STEP_S, since=at(0), until=at(24), series=SERIES_OF[kind]
        )
        for series in SERIES_OF[kind]:
            rel = worst_error_ratio(series.measure) * 1.001
            assert found.figures[series] == pytest.approx(figures[series], rel=rel)


def near_to(figures: object) -> object:
    return pytest.approx(figures, rel=worst_error_ratio(Measure.CPU) * 1.001)


def test_newer_figures_replace_and_gaps_do_not(history: History) -> None:
    history.put(CLUSTER, block(1.0, [[100.0, 1.0], [100.0, 1000.0]], A, B))
    history.put(CLUSTER, block(1.0, [[200.0], [np.nan], [300.0]], A))
    wanted = {("a", 1.0): 200.0, ("a", 1.0833): 100.0, ("a", 1.1667): 300.0}
    assert {key: mhz for key, mhz in read(history, 0, 2).items() if key[0] == "a"} == near(wanted)


@pytest.mark.parametrize("steps", [3, 12, 30])
def test_a_block_of_any_length_from_any_step_is_kept(history: History, steps: int) -> None:
    history.put(CLUSTER, block(1.75, [[100.0 + step] for step in range(steps)]))
    found = read(history, 0, 24)
    assert list(found.values()) == near_to([100.0 + step for step in range(steps)])


def test_one_who_was_resized_or_began_anew_shows_nothing_from_before(history: History) -> None:
    history.put(CLUSTER, block(1.0, [[100.0, 100.0]], A, B))
    resized = Member(identity="a", vcpus=4, memory_mib=4096.0)
    begun = Member(identity="b", begun_at=at(2.0))
    history.put(CLUSTER, block(2.0, [[200.0, 200.0]], resized, begun))
    assert read(history, 0, 24) == near({("a", 2.0): 200.0, ("b", 2.0): 200.0})


def test_old_steps_go_by_whole_days_and_those_of_another_length_stay(history: History) -> None:
    for hours in (-30.0, -2.0, 1.0):
        history.put(CLUSTER, block(hours, [[100.0]]))
    history.put(CLUSTER, block(-30.0, [[100.0]], step_s=3600.0))
    history.forget_steps(STEP_S, at(3.0))
    assert list(read(history, -99, 99)) == [("a", 1.0)]
    assert list(read(history, -99, 99, step_s=3600.0)) == [("a", -30.0)]


def test_the_oldest_of_the_shortest_steps_go_where_room_is_short(history: History) -> None:
    for hours in range(5):
        history.put(CLUSTER, block(float(hours), [[100.0]]))
    history.put(CLUSTER, block(0.0, [[100.0]], step_s=3600.0))
    history.shrink(10**9)
    assert len(read(history, 0, 24)) == 5
    history.shrink(0)
    assert not read(history, 0, 24)
    assert history.oldest() is None


def test_a_condensed_day_says_the_same_and_can_be_added_to(history: History) -> None:
    for hours in (0.0, 5.5, 23.0):
        history.put(CLUSTER, block(hours, [[hours + 10.0], [500.0]]))
    before = read(history, 0, 24)
    history.condense(at(24))
    assert read(history, 0, 24) == before
    history.put(CLUSTER, block(7.0, [[70.0, 80.0]], A, B))
    assert read(history, 0, 24) == near({**before, ("a", 7.0): 70.0, ("b", 7.0): 80.0})


def test_the_oldest_step_is_known(history: History) -> None:
    assert history.oldest() is None
    history.put(CLUSTER, block(5.0, [[1.0]]))
    history.put(CLUSTER, block(2.0, [[1.0]]))
    assert history.oldest() == at(2.0)
