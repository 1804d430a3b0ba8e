"""Both reports in a real browser: light and dark, phone and desktop, with no request, no error, no overflow."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import balancer
from balancer.expose.action_html import action_html_of
from balancer.expose.action_view import action_view
from balancer.expose.report_html import html_of
from balancer.expose.report_view import report_view
from balancer.lab.page import page_html
from tests.support.hostile import EVERY
from tests.support.programs import program
from tests.unit.expose.aftermaths import mixed, named
from tests.unit.expose.named import named_plan
from tests.unit.expose.reported import every_reason
from tests.unit.lab.made_up import made_up

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
SIZES = {"phone": (390, 844), "desktop": (1440, 900)}
NINE = ("verdict", "about", "hosts", "moves", "why", "rules", "left-out", "safety", "apply")
CSS = Path(balancer.__file__).parent / "expose/templates/report.css"
LEAST_CONTRAST = 4.5
"""Source: WCAG 2.2, success criterion 1.4.3, for text of normal size."""

LEAST_CONTRAST_OF_LINES = 3.0
"""Source: WCAG 2.2, success criterion 1.4.11, for parts of graphics that one must tell apart."""

PAGES: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    "plan": (lambda: html_of(report_view(*every_reason())), NINE),
    "after-action": (
        lambda: action_html_of(action_view(mixed())),
        ("verdict", "sums", "seconds", "batches"),
    ),
    "replay": (
        lambda: page_html(made_up()),
        ("verdict", "figures", "front", "unmet", "spread", "loads", "recipe"),
    ),
    "plan with hostile names": (lambda: html_of(report_view(*named_plan(EVERY[:36]))), NINE),
    "after-action with hostile names": (
        lambda: action_html_of(action_view(named(EVERY[:36]))),
        ("verdict", "sums", "seconds", "batches"),
    ),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = program("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, tuple[str, ...]]:
    """Return the written pages with the sections that each must show."""
    folder = tmp_path_factory.mktemp("pages")
    written = {}
    for number, (make, sections) in enumerate(PAGES.values()):
        file = folder / f"page{number}.html"
        file.write_text(make(), encoding="utf-8")
        written[file] = sections
    return written


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_reports_show_whole_and_quiet_in_a_browser(
    browser: Browser, scheme: str, size: str, files: dict[Path, tuple[str, ...]]
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    asked: list[str] = []
    context.route("**/*", lambda route: (asked.append(route.request.url), route.continue_()))
    for file, sections in files.items():
        page, told = context.new_page(), []
        page.on("console", lambda message, told=told: told.append(message.text))
        page.on("pageerror", lambda error, told=told: told.append(str(error)))
        page.goto(file.as_uri())
        _check(page, sections, width)
        assert told == []
        assert asked == [file.as_uri()]
        asked.clear()
        page.close()
    context.close()


def _check(page: Page, sections: tuple[str, ...], width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for section in sections:
        box = page.locator(f"section#{section}").bounding_box()
        assert box, section
        assert box["width"] > 200, section
        assert box["height"] > 40, section
    assert page.evaluate("document.scripts.length") == 0
    font = page.evaluate("getComputedStyle(document.querySelector('h1')).fontWeight")
    assert int(font) >= 600, "the style is refused by the page's own policy"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_of_text_stand_out(scheme: str) -> None:
    light, dark = re.findall(r":root \{([^}]*)\}", CSS.read_text("utf-8"))
    names = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", dark if scheme == "dark" else light))
    weak = {
        (ink, paper): round(found, 2)
        for ink in ("ink", "faint", "good", "warn", "bad")
        for paper in ("paper", "card")
        if (found := _contrast(names[ink], names[paper])) < LEAST_CONTRAST
    }
    assert weak == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_lines_of_the_lab_and_its_overloads_stand_out(scheme: str) -> None:
    place = 1 if scheme == "dark" else 0
    names: dict[str, str] = {}
    for sheet in (CSS, CSS.with_name("lab.css")):
        settings = re.findall(r":root \{([^}]*)\}", sheet.read_text("utf-8"))
        names |= dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", settings[place]))
    weak = {
        one: round(found, 2)
        for one in ("b6", *(f"l{number}" for number in range(7)))
        if (found := _contrast(names[one], names["paper"])) < LEAST_CONTRAST_OF_LINES
    }
    assert weak == {}


def _contrast(one: str, other: str) -> float:
    """Return the contrast ratio. Source: WCAG 2.2, definitions of contrast ratio and relative luminance."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
