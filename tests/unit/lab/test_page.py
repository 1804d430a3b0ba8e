"""The page: whole, self-contained, with as many marks as there are moves, and deaf to hostile names."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from balancer.lab.bands import OVER, load_classes
from balancer.lab.lines import MOST_POINTS
from balancer.lab.page import MOST_BANDS, lab_view, page_html
from tests.support.hostile import EVERY
from tests.unit.lab.made_up import after_a_failure, curves, made_up, mark, run, score

VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})


class Elements(HTMLParser):
    """Counts elements by tag and class, and notices what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag, dict(attrs).get("class") or ""] += 1
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_there_is_a_mark_for_each_move_and_a_piece_for_each_stretch_of_a_class() -> None:
    moves = (mark(0), mark(1, fault="TaskInProgress"), mark(2))
    found = Elements(page_html(made_up([run(moves=moves), run("nothing", moves=())])))
    assert found.open == []
    assert found.counts["path", "move"] - 1 == 2  # one stands in the legend
    assert found.counts["path", "move lost"] - 1 == 1
    assert found.counts["path", f"band b{OVER}"] == 2
    assert found.counts["circle", "point l0 ours"] == 1


def test_a_mark_goes_from_the_row_of_its_source_to_that_of_its_target() -> None:
    (band,) = lab_view(made_up([run(moves=(mark(0),))])).bands
    rows = [label.y - 3.5 for label in band.chart.labels]
    (arrow,) = band.chart.arrows
    found = re.match(r"M([\d.]+) ([\d.]+)V([\d.]+)m", arrow.path)
    assert found
    assert [float(found[2]), float(found[3])] == rows[:2]
    assert "vm-0: host-a -> host-b" in arrow.told


def test_an_overload_is_shown_however_short_it_is() -> None:
    mean = np.array([[0.1, 0.5], [0.3, 0.95]], dtype=np.float32)
    peak = np.array([[0.1, 1.01], [1.0, 0.95]], dtype=np.float32)
    assert load_classes(mean, peak).tolist() == [[0, OVER], [1, 5]]


def test_each_line_ends_where_the_figures_end_and_has_few_points() -> None:
    view = lab_view(made_up([run(lines=curves(5000)), run("nothing", lines=curves(5000))]))
    (placement,) = view.placements
    assert len(placement.unmet.strokes) == len(placement.spread.strokes) == 2
    for stroke in placement.unmet.strokes:
        assert 2 <= stroke.path.count("L") + 1 <= MOST_POINTS
    assert {stroke.label for stroke in placement.unmet.strokes} == {"ours", "nothing"}


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    page = page_html(made_up())
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|action)\s*=|href=(?!\"#)", page)
    assert not re.search(r"url\(|@import|<script|<link|<iframe|https?:", page)


def test_every_plot_has_a_title_and_a_description_and_can_be_reached_by_keyboard() -> None:
    page = page_html(made_up())
    charts = re.findall(r'<svg class="chart" role="img" aria-labelledby="(\S+) (\S+)"', page)
    assert len(charts) == 6  # unmet against moves, unmet, spread, and the loads of three runs
    for title, desc in charts:
        assert re.search(rf'<title id="{title}">[^<]+</title><desc id="{desc}">[^<]+</desc>', page)
    assert page.count('class="scroll" role="region" tabindex="0"') == len(charts) + 1


def test_hostile_names_make_no_element_and_no_attribute() -> None:
    def page(names: tuple[str, ...]) -> Elements:
        hosts = tuple(dict.fromkeys(name or "x" for name in names[:40]))
        moves = tuple(mark(number, vm=name, hosts=hosts) for number, name in enumerate(names))
        runs = [run(name, moves=moves, lines=curves(4, len(hosts))) for name in names[-2:]]
        return Elements(page_html(made_up(runs, hosts=hosts)))

    hostile = page(EVERY)
    plain = page(tuple(f"name{number:03}" for number in range(len(EVERY))))
    assert hostile.counts == plain.counts
    assert hostile.attributes == plain.attributes
    assert "script" not in {tag for tag, _ in hostile.counts}


def test_more_runs_than_are_drawn_are_named() -> None:
    runs = [run(f"drs-{number:02}") for number in range(MOST_BANDS + 1)] + [run("ours")]
    view = lab_view(made_up(runs))
    assert len(view.bands) == MOST_BANDS
    assert view.bands[0].contender == "ours"
    assert len(view.not_drawn) == 2


def test_thirty_days_of_twenty_hosts_and_six_runs_stay_under_three_megabytes() -> None:
    hosts = tuple(f"host{number:02}" for number in range(20))
    noise = np.random.default_rng(0).uniform(0.0, 1.05, (8640, 20)).astype(np.float32)
    lines = curves(8640, 20)
    lines.host_load[:] = noise
    moves = tuple(mark(number % 1000, hosts=hosts) for number in range(600))
    runs = [
        run(f"drs-{number}", moves=moves, lines=lines, made=score(unmet=number + 1.0))
        for number in range(6)
    ]
    assert len(page_html(made_up(runs, hosts=hosts))) < 3_000_000


@pytest.mark.parametrize(
    "runs", [[], [run(moves=(), lines=curves(1, 3))]], ids=["none", "one slot"]
)
def test_a_page_of_next_to_nothing_is_whole(runs: list[object]) -> None:
    assert Elements(page_html(made_up(runs))).open == []  # type: ignore[arg-type]


def test_vms_that_went_down_are_listed_where_there_are_any() -> None:
    page = page_html(made_up([after_a_failure()]))
    assert "vm-0: went down with host-a at 00:10, started on host-b at 00:12" in page
    assert "vm-1: went down with host-a at 00:10, and was down to the end" in page
    assert '<th scope="col" class="number">restarts</th>' in page
    assert "went down" not in page_html(made_up())
    assert "restarts" not in page_html(made_up())


def test_the_page_has_the_command_that_makes_it_again() -> None:
    made = made_up()
    options = {
        "trace": ("my week",),
        "--days": ("0.5",),
        "--leave-out": ("True",),
        "--with": ("a", "b*"),
    }
    told = {
        f.label: f.value
        for f in lab_view(replace(made, recipe=replace(made.recipe, options=options))).facts
    }
    assert told["command"] == (
        "balancer lab replay 'my week' --days 0.5 --leave-out --with a --with 'b*'"
    )
