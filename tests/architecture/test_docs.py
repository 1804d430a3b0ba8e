"""What the documentation names exists: tests that guard promises, links, make targets, commands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "policies").glob("*.md")]
)


def names_of_tests() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {
        name
        for file in files
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.M)
    }


def test_every_promise_names_tests_that_exist() -> None:
    page = (ROOT / "docs/understand/safety.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| S\d", line)]
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}

    assert [row[:5] for row in rows if "`test_" not in row] == []
    assert named <= names_of_tests()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = set(re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text("utf-8"), re.M))

    assert named
    assert named <= targets


def test_continuous_integration_calls_what_the_readme_calls_for() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "make check" in script
    assert "make test" in script


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text("utf-8")))

    assert listed == {path.name for path in folder.glob("[0-9]*.md")}
