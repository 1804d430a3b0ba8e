"""The documentation as a site: it builds without a warning, links and anchors hold, and it asks nobody else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import PAGES

ROOT = Path(__file__).resolve().parents[2]
LOADED = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=["']([^"']+)""")


@pytest.fixture(name="site", scope="module")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_every_page_is_on_the_site_and_links_between_pages_hold(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    built = {
        path.with_name("index.html" if path.name == "README.md" else f"{path.stem}.html")
        for path in pages
    }
    assert [str(page) for page in sorted(built) if not (site / page).is_file()] == []


def test_no_page_asks_anybody_else_for_anything(site: Path) -> None:
    asked = {
        f"{page.relative_to(site)}: {link}"
        for page in site.rglob("*.html")
        for link in LOADED.findall(page.read_text("utf-8"))
        if re.match(r"(?:[a-z]+:)?//", link)
    }
    assert asked == set()
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\([\"']?(?:https?:)?//[^)]+\)|@import[^;]+//[^;]+", styles) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_reference_is_up_to_date(name: str) -> None:
    mend = "run: python -m tests.support.pages docs/reference"
    assert (ROOT / "docs/reference" / name).read_text("utf-8") == PAGES[name](), mend
