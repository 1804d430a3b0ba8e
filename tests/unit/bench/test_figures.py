"""The summary says "yes", "no" or nothing, and each where it is true."""

from dataclasses import replace

import pytest

from balancer.model.plan import Move, MoveReason, Priority
from balancer.model.units import HostId, MoveId, VmId
from tests.bench.planner.bounds import Bounds
from tests.bench.planner.comparisons import balance_table, balances, reliefs, runs_table
from tests.bench.planner.figures import Figure, Results, figure_table, figures_of
from tests.bench.planner.measuring import Bill, Standing
from tests.bench.planner.meter import Metered, metered
from tests.bench.planner.options import Options, read_options
from tests.bench.planner.page import BEGIN, END, with_tables
from tests.bench.planner.runs import (
    BY_COUNT,
    COST_AWARE,
    COST_BOUND,
    OURS,
    RELIEF,
    SUMMED,
    UNPOLISHED,
    Row,
)
from tests.bench.planner.scenarios import SCENARIOS, SIZES, Size
from tests.bench.planner.schedules import bound_of, chain_of

START = Standing(
    imbalance=0.065,
    cpu_spread=0.08,
    memory_spread=0.05,
    over=2,
    contention=0.1,
    broken=0,
    broken_should=0,
    overfull=0,
    stranded=0,
)
LEVEL = replace(START, imbalance=0.0099, over=0, contention=0.0)


def row(
    planner: str, *, moves: int = 10, gib: float = 100.0, seconds: float = 200.0, **facts: object
) -> Row:
    bill = Bill(moves=moves, gib=gib, seconds=seconds)
    defaults: dict[str, object] = {
        "scenario": "homog",
        "size": "96x10000",
        "seed": 1,
        "target": 0.01,
        "planner": planner,
        "took": Metered(wall_s=0.4, cpu_s=0.4, peak_mib=100.0),
        "status": "reached",
        "before": START,
        "after": LEVEL,
        "bill": bill,
        "cleared": bill,
    }
    return Row(**(defaults | facts))  # type: ignore[arg-type]


def verdict(rows: list[Row], aim: str) -> Figure:
    found = [figure for figure in figures_of(Results(rows=rows)) if figure.aim == aim]
    assert len(found) == 1, [figure.aim for figure in figures_of(Results(rows=rows))]
    return found[0]


def test_nothing_measured_is_neither_yes_nor_no() -> None:
    found = figures_of(Results())

    assert {figure.holds for figure in found} == {None}
    assert {figure.measured for figure in found} == {"not measured"}


@pytest.mark.parametrize(("wall_s", "holds"), [(0.5, True), (0.51, False)])
def test_the_slowest_row_decides_on_time(wall_s: float, holds: bool) -> None:
    slow = Metered(wall_s=wall_s, cpu_s=0.1, peak_mib=None)
    rows = [row(UNPOLISHED), row(UNPOLISHED, scenario="hot", took=slow)]

    assert verdict(rows, "96x10000: plan without polish <= 0.5 s").holds is holds


def test_other_sizes_do_not_count_for_the_largest() -> None:
    slow = Metered(wall_s=9.0, cpu_s=9.0, peak_mib=None)

    found = verdict(
        [row(UNPOLISHED, size="64x4000", took=slow)], "96x10000: plan without polish <= 0.5 s"
    )
    assert found.holds is None


@pytest.mark.parametrize(("moves", "holds"), [(6, True), (7, False)])
def test_relief_is_held_against_the_better_climb_on_each_axis(moves: int, holds: bool) -> None:
    rows = [
        row(RELIEF, moves=moves, gib=70.0),
        row(BY_COUNT, cleared=Bill(moves=10, gib=500.0, seconds=1.0)),
        row(COST_AWARE, cleared=Bill(moves=30, gib=100.0, seconds=1.0)),
        row(COST_BOUND, cleared=None),
    ]

    assert (
        verdict(
            rows, "contention, 2 or more hosts over: median moves <= 60 % of the best climb"
        ).holds
        is holds
    )
    assert (
        verdict(
            rows, "contention, 2 or more hosts over: median GiB <= 70 % of the best climb"
        ).holds
        is True
    )


def test_a_single_host_over_counts_for_the_worst_but_not_for_the_median() -> None:
    one = replace(START, over=1)
    rows = [
        row(RELIEF, moves=3, before=one),
        row(BY_COUNT, cleared=Bill(moves=2, gib=1.0, seconds=1.0)),
    ]

    assert verdict(rows, "contention: never more than 100 % of the moves").holds is False
    found = verdict(
        rows, "contention, 2 or more hosts over: median moves <= 60 % of the best climb"
    )
    assert found.holds is None


def test_a_case_without_contention_is_no_relief() -> None:
    assert reliefs([row(RELIEF, before=replace(START, over=0))]) == []


def test_contention_that_only_a_climb_clears_is_told() -> None:
    rows = [row(RELIEF, cleared=None), row(BY_COUNT)]

    assert verdict(rows, "contention: cleared wherever a climb clears it").holds is False


@pytest.mark.parametrize(("moves", "holds"), [(85, True), (86, False)])
def test_equal_balance_compares_moves_with_the_cost_aware_climb(moves: int, holds: bool) -> None:
    rows = [row(OURS, moves=moves), row(COST_AWARE, moves=100)]

    assert verdict(rows, "96x10000: moves <= 85 % of climb /s^0.5").holds is holds


def test_a_target_missed_by_ours_is_not_compared() -> None:
    missed = replace(LEVEL, imbalance=0.0101)
    rows = [row(OURS, moves=1, after=missed), row(COST_AWARE, moves=100)]

    assert balances(rows, COST_AWARE)[0].moves_ratio is None
    assert verdict(rows, "96x10000: moves <= 85 % of climb /s^0.5").holds is None
    assert "at 1.01 pp" in balance_table([*rows, row(SUMMED), row(BY_COUNT)])


@pytest.mark.parametrize(("again", "holds"), [(0, True), (1, False)])
def test_one_move_in_a_second_plan_is_a_no(again: int, holds: bool) -> None:
    assert verdict([row(OURS, again=again)], "second plan on the result: no moves").holds is holds


@pytest.mark.parametrize(("ratio", "holds"), [(1.4, True), (1.5, False)])
def test_price_is_held_against_its_bound(ratio: float, holds: bool) -> None:
    found = verdict(
        [row(OURS, bounds=Bounds(price_ratio=ratio))],
        "96x10000: price <= 1.4 x its lower bound where 1 pp is reached",
    )

    assert found.holds is holds


def test_absent_bounds_are_dashes() -> None:
    assert runs_table([row(OURS)]).splitlines()[-1].endswith("| - | - | - |")


def test_the_summary_puts_verdicts_in_words() -> None:
    text = figure_table(
        [
            Figure(aim="a", measured="1", holds=True),
            Figure(aim="b", measured="2", holds=False),
            Figure(aim="c", measured="3", holds=None),
        ]
    )

    assert text.splitlines()[2:] == ["| a | 1 | yes |", "| b | 2 | **no** |", "| c | 3 | - |"]


def move(number: int, source: int, target: int, seconds: float, *after: int) -> Move:
    return Move(
        id=MoveId(f"m{number}"),
        vm=VmId(f"vm-{number}"),
        vm_name=f"vm{number}",
        source=HostId(f"host-{source}"),
        target=HostId(f"host-{target}"),
        reason=MoveReason.BALANCE,
        why="",
        priority=Priority.LOW,
        wave=1,
        after=tuple(MoveId(f"m{n}") for n in after),
        start_seconds=0.0,
        expected_seconds=seconds,
        memory_mib=1.0,
        gain=0.0,
    )


@pytest.mark.parametrize(
    ("slots", "bound"),
    [((1, 99), 60.0), ((2, 99), 40.0), ((8, 1), 90.0), ((8, 99), 40.0)],
    ids=["one host", "longest", "cluster", "longest again"],
)
def test_the_bound_of_a_makespan_is_the_greatest_of_three(
    slots: tuple[int, int], bound: float
) -> None:
    moves = [move(1, 1, 2, 40.0), move(2, 1, 3, 20.0), move(3, 4, 5, 30.0)]

    assert bound_of(moves, slots) == pytest.approx(bound)


def test_the_longest_chain_follows_what_moves_wait_for() -> None:
    moves = [
        move(1, 1, 2, 40.0),
        move(2, 1, 3, 20.0, 1),
        move(3, 4, 5, 30.0, 1),
        move(4, 5, 6, 5.0, 3),
    ]

    assert chain_of(moves) == pytest.approx(75.0)


def test_tables_replace_what_stands_between_the_markers() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n"
    once = with_tables(page, "new\n")

    assert once == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nThe end.\n"
    assert with_tables(once, "new") == once


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        with_tables("# Title\n", "new")


def test_the_meter_returns_the_result_of_the_call() -> None:
    result, took = metered(lambda: 41 + 1, repeats=3)

    assert result == 42
    assert 0 <= took.wall_s < 1


def test_quick_runs_some_scenarios_on_16_hosts_and_one_on_96(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BENCH", "quick")

    assert cases_of(read_options([])) == [
        *((name, "16x400") for name in ("homog", "tightmem", "rules", "hot", "maint")),
        ("homog", "96x10000"),
    ]


def test_a_full_run_has_each_scenario_at_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH", raising=False)

    assert cases_of(read_options([])) == [(name, str(size)) for size in SIZES for name in SCENARIOS]


def cases_of(options: Options) -> list[tuple[str, str]]:
    return [(name, str(size)) for name, size in options.plan_cases]


def test_small_clusters_have_three_seeds_in_a_full_run_unless_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BENCH", raising=False)
    small, large = Size.of("16x400"), Size.of("96x10000")

    assert read_options([]).seeds_of(small) == (1, 2, 3)
    assert read_options([]).seeds_of(large) == (1,)
    assert read_options(["--quick"]).seeds_of(small) == (1,)
    assert read_options(["--seeds", "4,5"]).seeds_of(large) == (4, 5)


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(["--scenarios", "homog,nonsense"])

    assert "'nonsense' is none of: homog; hetero" in capsys.readouterr().err
