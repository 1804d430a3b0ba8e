"""Charts: marks stand where their figures say, within the drawing, and each has words for who cannot see it."""

import pytest

from balancer.expose.charts import (
    LEFT,
    MOST_BARS,
    RIGHT,
    WIDTH,
    Pair,
    pairs_chart,
    spread_chart,
    timeline_chart,
)
from balancer.expose.report_view import report_view
from tests.unit.expose.plans import big_plan, big_snapshot, plan, small_plan, small_snapshot
from tests.unit.expose.reported import every_reason

SCALE = WIDTH - LEFT - RIGHT


def test_hosts_are_dots_at_their_load_and_those_out_of_service_are_left_out() -> None:
    view = report_view(small_plan(), small_snapshot())
    chart = spread_chart(view.hosts, is_twice=True, cpu_limit=0.85, memory_limit=0.92)
    assert chart is not None
    before, after = chart.strips[:2]
    assert [strip.label for strip in chart.strips] == [
        *("CPU before", "CPU after", "memory before", "memory after")
    ]
    loads = sorted(row.before.cpu_ratio for row in view.hosts if not row.state)
    assert before.dots == tuple(pytest.approx(LEFT + load * SCALE, abs=0.06) for load in loads)
    assert len(after.dots) == 3
    assert before.limit_x == pytest.approx(LEFT + 0.85 * SCALE, abs=0.06)
    assert "3 hosts in service; CPU before: 5 % to 75 %" in chart.desc


def test_a_plan_without_moves_has_one_strip_for_each_resource() -> None:
    snap = small_snapshot()
    view = report_view(plan(snap), snap)
    chart = spread_chart(view.hosts, is_twice=False, cpu_limit=0.85, memory_limit=0.92)
    assert chart is not None
    assert [strip.label for strip in chart.strips] == ["CPU", "memory"]


def test_a_load_above_one_still_lies_within_the_drawing() -> None:
    view = report_view(small_plan(), small_snapshot())
    hosts = [
        row.__class__(name="x", state="", before=load, after=load)
        for row in view.hosts
        for load in [row.before.__class__(id=row.before.id, cpu_ratio=2.5, memory_ratio=0.1, vms=1)]
    ]
    chart = spread_chart(hosts, is_twice=False, cpu_limit=0.85, memory_limit=0.92)
    assert chart is not None
    assert max(chart.strips[0].dots) <= WIDTH - RIGHT


def test_moves_are_bars_in_the_order_in_which_they_start() -> None:
    chart = timeline_chart(report_view(*every_reason()))
    assert chart is not None
    assert [row.label.split()[0] for row in chart.rows] == [f"m{n}" for n in range(1, 10)]
    kinds = {row.label.split()[0]: row.boxes[0].kind for row in chart.rows}
    assert (kinds["m1"], kinds["m5"], kinds["m8"], kinds["m9"]) == (
        *("must-move", "load-move", "load-move later", "must-move later"),
    )
    for row in chart.rows:
        assert row.whisker is not None
        assert row.whisker[0] < row.boxes[0].x + row.boxes[0].width < row.whisker[1]
        assert row.whisker[1] <= WIDTH - RIGHT


def test_of_very_many_moves_the_first_are_drawn_and_that_is_said() -> None:
    snap = big_snapshot()
    chart = timeline_chart(report_view(big_plan(snap, 100), snap))
    assert chart is not None
    assert len(chart.rows) == MOST_BARS
    assert f"The first {MOST_BARS} are drawn." in chart.desc


def test_what_was_not_measured_has_no_second_bar_and_what_failed_another_colour() -> None:
    pairs = [
        Pair(label="a", predicted=30.0, measured=60.0),
        Pair(label="b", predicted=30.0, measured=None),
        Pair(label="c" * 99, predicted=30.0, measured=5.0, is_good=False),
    ]
    chart = pairs_chart(pairs, title="t")
    assert chart is not None
    assert [[box.kind for box in row.boxes] for row in chart.rows] == [
        ["predicted", "measured"],
        ["predicted"],
        ["predicted", "over"],
    ]
    assert chart.rows[0].boxes[1].width == pytest.approx(2 * chart.rows[0].boxes[0].width, abs=0.2)
    assert len(chart.rows[2].label) < 30
    assert "3 moves, of 2 of those drawn the end was measured." in chart.desc


@pytest.mark.parametrize("end", [1.0, 7.0, 61.0, 100.0, 500.0, 4000.0, 90_000.0])
def test_no_two_marks_of_an_axis_read_the_same(end: float) -> None:
    chart = pairs_chart([Pair(label="a", predicted=end, measured=None)], title="t")
    assert chart is not None
    labels = [tick.label for tick in chart.ticks]
    assert len(set(labels)) == len(labels)
    assert 2 <= len(labels) <= 10


def test_where_there_is_nothing_to_draw_there_is_no_chart() -> None:
    snap = small_snapshot()
    assert timeline_chart(report_view(plan(snap), snap)) is None
    assert pairs_chart([], title="t") is None
    assert spread_chart([], is_twice=True, cpu_limit=0.85, memory_limit=0.92) is None
