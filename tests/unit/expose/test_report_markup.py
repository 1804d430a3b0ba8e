"""Markdown and HTML: complete, short, and with nothing in a name that takes effect."""

import re
from html.parser import HTMLParser

import pytest

from balancer.expose.document import plan_document, view_of
from balancer.expose.escape import ascii_only, markdown_code, markdown_text, metric_label, visible
from balancer.expose.markdown_parts import MOST_CHARACTERS
from balancer.expose.report_html import html_of, render_html
from balancer.expose.report_markdown import render_markdown
from balancer.model.errors import BalancerError
from balancer.policy.types import Policy
from tests.unit.expose.plans import (
    HOSTILE_NAMES,
    big_plan,
    big_snapshot,
    hostile,
    plan,
    small_plan,
    small_snapshot,
)

ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "ul", "li", "br"),
    *("div", "table", "tr", "th", "td", "span", "svg", "rect", "bdi", "section", "details"),
    *("summary", "code", "h3", "dl", "dt", "dd", "desc", "g", "line", "circle", "text"),
}


class Tags(HTMLParser):
    """Collect every tag with its attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    return tags


def everyday_html() -> str:
    return render_html(small_plan(), small_snapshot(), policy=Policy())


def everyday_markdown() -> str:
    return render_markdown(small_plan(), small_snapshot(), policy=Policy())


def test_the_page_says_what_the_text_report_says() -> None:
    text = " ".join(parsed(everyday_html()).text)
    for part in (
        "Plan: 4 moves in 2 waves",
        "This run's budget admits 3 of 4 moves; 1 waits for a later run.",
        "To mend it: ",
        "shares esx1 with vm1 against rule 'web apart'",
        "entering maintenance",
        "still broken",
        "connected USB device",
    ):
        assert part in text


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(everyday_html, id="everyday"),
        pytest.param(lambda: render_html(*hostile()), id="hostile names"),
    ],
)
def test_the_page_has_only_our_tags_and_asks_for_nothing(page) -> None:
    found = parsed(page())
    assert {tag for tag, _ in found.tags} <= ALLOWED_TAGS
    names = {name for _, attributes in found.tags for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"src", "href", "srcset", "action", "data", "style", "background"}
    assert "url(" not in page()
    assert "@import" not in page()


def test_the_page_forbids_what_it_does_not_need() -> None:
    policy = next(a for tag, a in parsed(everyday_html()).tags if tag == "meta" and "content" in a)
    assert policy["content"].startswith("default-src 'none'")


def test_the_page_follows_the_readers_choice_of_light_or_dark() -> None:
    assert "@media (prefers-color-scheme: dark)" in everyday_html()


def test_a_host_above_its_threshold_has_a_bar_of_another_colour() -> None:
    tight = Policy()
    assert 'class="over"' not in everyday_html()
    low = render_html(
        small_plan(),
        small_snapshot(),
        policy=type(tight)(thresholds=type(tight.thresholds)(cpu_contention=0.5)),
    )
    assert 'class="over"' in low


def test_an_empty_plan_has_one_column_of_figures_and_its_gates() -> None:
    snap = small_snapshot()
    page = render_html(plan(snap), snap, policy=Policy())
    assert "Why nothing is moved" in page
    assert 'aria-label="to"' not in page


def test_every_row_of_a_table_has_as_many_cells_as_its_heading() -> None:
    widths = set()
    for table in re.findall(r"<table.*?</table>", render_html(*hostile()), re.DOTALL):
        rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        counts = {len(re.findall(r"<t[dh][ >]", row)) for row in rows if "colspan" not in row}
        widths.add(len(counts))
    assert widths == {1}


def test_hostile_names_make_a_page_that_can_be_stored() -> None:
    assert render_html(*hostile()).encode("utf-8")
    assert render_markdown(*hostile()).encode("utf-8")


def test_markdown_starts_with_the_verdict_and_folds_the_tables() -> None:
    text = everyday_markdown()
    assert text.startswith("**Plan: 4 moves in 2 waves, 1 rule fix")
    folded = re.findall(r"<summary>(.*)</summary>", text)
    assert text.count("<details>") == text.count("</details>") == len(folded)
    assert folded == [
        *("About this plan", "Hosts (4)", "Move details", "Why and why not"),
        *("Left out and data quality", "Safety", "Way back"),
    ]
    assert "- fixed: `web apart` (must, keep apart): `vm1`, `vm2`" in text


def test_markdown_folds_the_moves_of_a_big_plan_and_stays_short_in_the_open() -> None:
    snap = big_snapshot()
    text = render_markdown(big_plan(snap, 150), snap)
    assert "<summary>Moves (150)</summary>" in text
    assert "and 50 rows more; use `--format json`" in text
    in_the_open = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert len([line for line in in_the_open.splitlines() if line]) < 30


def test_every_row_of_a_markdown_table_has_the_cells_of_its_heading() -> None:
    for block in render_markdown(*hostile()).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) <= 1, block


def test_markdown_has_no_tag_but_the_folds() -> None:
    text = re.sub(r"`[^`\n]*`", "", render_markdown(*hostile()))
    assert set(re.findall(r"</?[a-zA-Z][^>\n]*>", text)) == {
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
    }


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_each_sink_makes_a_hostile_name_harmless(name: str) -> None:
    assert visible(name).isprintable()
    assert ascii_only(name).isascii()
    span = markdown_code(name)
    assert span.count("`") == 2
    assert "|" not in span
    words = markdown_text(name)
    assert not re.search(r"(?<!\\)[`*_\[\]#~$!<>|@]", words.replace("&#", ""))
    assert "://" not in words
    label = metric_label(name)
    assert label.isprintable()
    label.encode("utf-8")
    assert len(label) <= 120


@pytest.mark.parametrize("name", ["web-01", "Düsseldorf DB (prod) 2", "漢字", "a.b.c"])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert visible(name) == markdown_text(name) == metric_label(name) == name
    assert markdown_code(name) == f"`{name}`"


@pytest.mark.parametrize("reason", [name for name in HOSTILE_NAMES if name.strip()], ids=ascii)
def test_a_hostile_reason_in_the_verdict_takes_no_effect(reason: str) -> None:
    snap = small_snapshot()
    quiet = plan(snap, reason=reason)
    assert {tag for tag, _ in parsed(render_html(quiet, snap)).tags} <= ALLOWED_TAGS
    first = render_markdown(quiet, snap).splitlines()[0]
    assert first.startswith("**No moves: ")
    assert first.endswith("**")
    assert first.isprintable()


def test_a_plan_of_a_thousand_moves_fits_a_ticket_and_says_what_is_cut() -> None:
    snap = big_snapshot(hosts=200, vms_per_host=12)
    text = render_markdown(big_plan(snap, 1000), snap)
    assert len(text) <= MOST_CHARACTERS
    assert "<summary>Moves (1000)</summary>" in text
    assert re.search(r"and 9\d\d rows more; use `--format json`", text)


def test_a_kept_document_without_a_report_says_why_it_cannot_be_shown() -> None:
    snap = small_snapshot()
    document = plan_document(small_plan(), snap)
    assert html_of(view_of(document)) == render_html(small_plan(), snap)
    for broken in ({}, {"report": []}, {"report": {"headline": 7}}, {"report": {"status": "x"}}):
        with pytest.raises(BalancerError, match="no report that can be shown"):
            view_of(broken)
