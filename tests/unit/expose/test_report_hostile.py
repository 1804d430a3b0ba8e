"""No name takes effect in any report: every hostile string in every place where a name can stand.

There is no report in CSV; the forms are HTML, Markdown, text, JSON, and lines of the log.
"""

import io
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest

from balancer.expose.action_document import action_document
from balancer.expose.action_html import action_html_of
from balancer.expose.action_markdown import action_markdown_of
from balancer.expose.action_text import action_text_of
from balancer.expose.action_view import action_view
from balancer.expose.document import document_text, plan_document, view_of
from balancer.expose.logs import configure_logging
from balancer.expose.report_html import html_of
from balancer.expose.report_markdown import markdown_of
from balancer.expose.report_text import text_of
from balancer.expose.report_view import report_view
from balancer.expose.text_layout import Paper
from tests.support.hostile import EVERY
from tests.unit.expose.aftermaths import named
from tests.unit.expose.named import harmless, named_plan

HARMLESS = harmless(len(EVERY))
Names = tuple[str, ...]

A_FEW = 20
"""So many names at once leave the report so short that none of its rows is cut."""


def plan_html(names: Names) -> str:
    return html_of(report_view(*named_plan(names)))


def plan_markdown(names: Names) -> str:
    return markdown_of(report_view(*named_plan(names)))


def plan_text(names: Names) -> str:
    return text_of(report_view(*named_plan(names)), Paper())


def action_html(names: Names) -> str:
    return action_html_of(action_view(named(names)))


def action_markdown(names: Names) -> str:
    return action_markdown_of(action_view(named(names)))


def action_text(names: Names) -> str:
    return action_text_of(action_view(named(names)), Paper())


class Elements(HTMLParser):
    """Counts elements with the names of their attributes; attributes keep their values where these are not text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self.odd: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = tuple(sorted((key, value or "") for key, value in attrs if key in ("class", "id")))
        self.counts[tag, (*kept, *sorted((key, "") for key, _ in attrs))] += 1

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    found.close()
    return found


@pytest.mark.parametrize("render", [plan_html, action_html])
def test_hostile_names_make_no_element_and_no_attribute(render: Callable[[Names], str]) -> None:
    hostile, plain = elements(render(EVERY)), elements(render(HARMLESS))
    assert hostile.counts == plain.counts
    assert hostile.odd == []
    assert "script" not in {tag for tag, _ in hostile.counts}


def test_the_check_of_elements_notices_one_more() -> None:
    page = plan_html(HARMLESS[:9])
    broken = page.replace("name7", "<b onclick=x>name7", 1)
    assert elements(broken).counts != elements(page).counts


@pytest.mark.parametrize("render", [plan_markdown, action_markdown])
def test_hostile_names_end_no_cell_and_start_no_line_of_markdown(
    render: Callable[[Names], str],
) -> None:
    for first in range(0, len(EVERY), A_FEW):
        names = EVERY[first : first + A_FEW]
        hostile, plain = (render(some).splitlines() for some in (names, harmless(len(names))))
        assert [_shape(line) for line in hostile] == [_shape(line) for line in plain]


def _shape(line: str) -> tuple[str, int, str]:
    """Return how a line starts, the bars of a table in it, and the tags."""
    outside = re.sub(r"`[^`]*`", "", line)
    start = re.match(r"\s*(\||- |\*\*|_|</?\w+>|)", line)
    tags = re.findall(r"</?[a-zA-Z!][^>]*>", outside)
    return (start[1] if start else "", len(re.findall(r"(?<!\\)\|", line)), " ".join(tags))


@pytest.mark.parametrize("render", [plan_markdown, action_markdown])
def test_hostile_names_make_no_link_no_mention_and_no_markup(
    render: Callable[[Names], str],
) -> None:
    for line in render(EVERY).splitlines():
        assert line.isprintable(), ascii(line)
        outside = re.sub(r"`[^`]*`", "", line)
        assert outside.count("`") == 0, ascii(line)
        assert not re.search(r"(?<!\\)[\[\]]", outside), ascii(line)
        assert "@" not in outside, ascii(line)
        assert "://" not in outside, ascii(line)
        assert not re.match(r"- (\s|[-+=>#]|\d+[.)])", line), ascii(line)


@pytest.mark.parametrize("render", [plan_text, action_text])
def test_hostile_names_reach_a_terminal_as_text_alone(render: Callable[[Names], str]) -> None:
    for line in render(EVERY).splitlines():
        assert line.isprintable(), ascii(line)
    assert len(render(EVERY).splitlines()) < 3 * len(render(HARMLESS).splitlines())


def test_documents_are_valid_ascii_json_and_keep_every_name() -> None:
    made, snap, policy = named_plan(EVERY)
    text = document_text(plan_document(made, snap, policy=policy))
    assert text.isascii()
    assert {move["vm_name"] for move in json.loads(text)["moves"]} == set(EVERY)
    done = document_text(action_document(named(EVERY)))
    assert done.isascii()
    assert {move["vm_name"] for move in json.loads(done)["batches"][0]["moves"]} == set(EVERY)


def test_a_kept_document_gives_the_same_report_whatever_the_names_are() -> None:
    made, snap, policy = named_plan(EVERY)
    kept = json.loads(document_text(plan_document(made, snap, policy=policy)))
    assert html_of(view_of(kept)) == html_of(report_view(made, snap, policy))
    assert markdown_of(view_of(kept)) == markdown_of(report_view(made, snap, policy))


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_log_line_with_a_hostile_name_is_one_line(form: str, root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logging(form, "INFO", stream=stream)
    for name in EVERY:
        logging.getLogger("balancer.test").info("migration ended", extra={"vm": name})
    lines = stream.getvalue().split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(EVERY)
    assert all(line.isprintable() for line in lines)
    if form == "json":
        assert [json.loads(line)["vm"] for line in lines] == list(EVERY)
