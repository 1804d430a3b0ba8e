"""The table: the best run first, what is dominated marked, ratios to ours, readable at 100 columns."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from balancer.expose.escape import cells
from balancer.expose.text_layout import Paper
from balancer.lab.figures import times, unmet_percent
from balancer.lab.front import dominated
from balancer.lab.replayed import LostRun, replayed
from balancer.lab.result import Run
from balancer.lab.table import blocks, columns_of, table_markdown, table_text
from tests.support.hostile import EVERY
from tests.unit.lab.made_up import CLOCK, RECIPE, after_a_failure, made_up, result, run, score


def test_rows_are_sorted_by_unmet_demand_and_set_against_ours() -> None:
    (block,) = blocks(result())
    assert [row.contender for row in block.rows] == ["ours", "chase", "nothing"]
    assert [row.is_reference for row in block.rows] == [True, False, False]
    assert [row.cells[-2:] for row in block.rows] == [
        ("1.00", "1.00"),
        ("1.25", "3.00"),
        ("20.0", "0.00"),
    ]


def test_every_placement_and_seed_has_a_block_of_its_own() -> None:
    runs = [run(start=start, seed=seed) for seed in (1, 0) for start in ("random", "even")]
    found = [block.title for block in blocks(result(runs))]
    assert found == [
        "mean over 4 placements and seeds",
        *(f"placement {start}, seed {seed}" for start in ("even", "random") for seed in (0, 1)),
    ]


@pytest.mark.parametrize(
    ("runs", "beaten"),
    [
        pytest.param(
            [
                run("a", made=score(unmet=1.0, moves=5, gib=10.0)),
                run("b", made=score(unmet=2.0, moves=6, gib=9.0)),
            ],
            set(),
            id="cheaper in GiB",
        ),
        pytest.param(
            [
                run("a", made=score(unmet=1.0, moves=5, gib=10.0)),
                run("b", made=score(unmet=1.0, moves=5, gib=11.0)),
            ],
            {1},
            id="equal but for GiB",
        ),
        pytest.param([run("a"), run("b")], set(), id="equal in all"),
        pytest.param(
            [run("a", made=score(unmet=1.0)), run("b", made=score(unmet=2.0), seed=1)],
            set(),
            id="another seed",
        ),
        pytest.param(
            [run("a", made=score(unmet=1.0)), run("b", made=score(unmet=2.0), start="even")],
            set(),
            id="another placement",
        ),
    ],
)
def test_dominated_is_what_is_nowhere_better_and_somewhere_worse(
    runs: Sequence[Run], beaten: set[int]
) -> None:
    assert dominated(runs) == beaten


def test_the_table_fits_a_hundred_columns_and_marks_what_is_dominated() -> None:
    big = score(unmet=12_345.6, moves=12_345, gib=99_999.0)
    made = made_up([run("ours"), run("drs-cost-aware-3", made=big)])
    lines = table_text(made, Paper()).splitlines()
    assert max(map(cells, lines)) <= 100
    assert any(line.startswith("=  ours") for line in lines)
    assert any(line.startswith(" - drs-") for line in lines)
    assert any("perfect spread" in line for line in lines)
    assert any(
        "drs-cost-aware-3" in line for line in table_text(made, Paper(width=120)).splitlines()
    )


def test_on_eighty_columns_the_last_columns_are_left_out_and_that_is_told() -> None:
    made = made_up([run("ours"), run("reactive-80")])
    lines = table_text(made, Paper(width=80)).splitlines()
    assert max(map(cells, lines)) <= 80
    assert any(line.endswith(" done     pp") for line in lines)
    assert "Minutes of copying, seconds of the run and times need 100 columns" in " ".join(lines)
    assert "need 100 columns" not in table_text(made, Paper())


def test_a_lost_run_is_told_with_its_reason() -> None:
    lost = LostRun(contender="chase", start="random", seed=0, why="it ran out of memory")
    made = replayed(result([run()]), RECIPE, CLOCK, lost=[lost])
    told = "not done: chase from placement random with seed 0: it ran out of memory"
    assert told in table_text(made, Paper())
    assert told in table_markdown(made)


def test_hostile_names_end_no_cell_and_move_no_cursor() -> None:
    made = made_up([run(name) for name in EVERY])
    text = table_text(made, Paper())
    assert all(line.isprintable() for line in text.splitlines())
    rows = [line for line in table_markdown(made).splitlines() if line.startswith("|")]
    plain = table_markdown(made_up([run("plain")])).splitlines()
    wanted = next(line.count("|") for line in plain if line.startswith("|"))
    assert {line.count("|") for line in rows} == {wanted}
    assert len(rows) == len(EVERY) + 3


def test_a_result_without_runs_is_shown_without_rows() -> None:
    assert "a made-up day" in table_text(made_up([]), Paper())


@pytest.mark.parametrize(
    ("ratio", "told"),
    [(0.0, "0"), (1e-9, "<0.0001"), (0.000123, "0.0123"), (0.0371, "3.71"), (0.234, "23.4")],
)
def test_unmet_demand_has_the_digits_that_tell_runs_apart(ratio: float, told: str) -> None:
    assert unmet_percent(ratio) == told


def test_nothing_is_a_multiple_of_zero_but_zero() -> None:
    assert (times(0.0, 0.0), times(3.0, 0.0), times(3.0, 2.0)) == ("1.00", "-", "1.50")


def test_several_starts_begin_with_the_means_of_who_played_in_all() -> None:
    runs = [
        run("ours", made=score(unmet=1.0, moves=2)),
        run("ours", seed=1, made=score(unmet=3.0, moves=5)),
        run("nothing", made=score(unmet=40.0, moves=0)),
    ]
    first, *others = blocks(result(runs))
    assert first.title == "mean over 2 placements and seeds"
    assert [(row.contender, row.cells[1], row.cells[5]) for row in first.rows] == [
        ("ours", "2.0", "4")
    ]
    assert [block.title for block in others] == [
        "placement random, seed 0",
        "placement random, seed 1",
    ]


def test_that_ours_is_dominated_is_not_hidden() -> None:
    made = made_up([run("ours"), run("nothing", made=score(moves=0, gib=0.0))])
    assert any(line.startswith("=- ours") for line in table_text(made, Paper()).splitlines())
    assert "| **_ours_** |" in table_markdown(made)


def test_what_failures_cost_has_columns_where_there_were_any() -> None:
    failed = after_a_failure()
    made = made_up([failed, run("nothing")])
    lines = table_text(made, Paper()).splitlines()
    (head,) = (line.split() for line in lines if "contender" in line)
    (ours,) = (line.split()[1:] for line in lines if line.startswith("=  ours"))
    told = dict(zip(head[5:8], ours[5:8], strict=True))
    assert told == {"full": "2", "GHz·h": "0.75", "starts": "1"}
    assert "| memory full | down GHz·h | restarts | moves |" in table_markdown(made)
    assert "Down: the part of unmet" in " ".join(lines)
    (block,) = blocks(made.result)
    assert {len(row.cells) for row in block.rows} == {16}


def test_without_failures_the_table_has_no_word_of_them() -> None:
    text = table_text(made_up(), Paper())
    assert "down" not in text.lower().replace("markdown", "")
    assert "starts" not in text
    assert len(columns_of(made_up().result)) == 14


def test_the_means_of_several_starts_count_what_failures_cost() -> None:
    runs = [replace(after_a_failure(), seed=seed) for seed in (0, 1)]
    runs[1] = replace(runs[1], score=score(restarts=3, down=1.25))
    first, *_ = blocks(result(runs))
    assert [row.cells[5:7] for row in first.rows] == [("1.00", "2")]
