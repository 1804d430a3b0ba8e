"""docs/operate/install-kubernetes.md: what it says to write is rendered, what it says to run is there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.helm import rendered

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "operate"
PAGE = FOLDER / "install-kubernetes.md"
NAMED = re.compile(r"(?:deploy|docs|tests)/[\w./-]+|requirements[\w-]*\.lock|config\.example\.yaml")


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


VALUES: list[dict[str, Any]] = [
    each for each in map(yaml.safe_load, blocks(PAGE, "yaml")) if "kind" not in each
]


@pytest.mark.parametrize("more", VALUES[1:], ids=lambda values: next(iter(values)))
def test_the_values_are_rendered_each_over_the_first(more: dict[str, Any]) -> None:
    assert {each["kind"] for each in rendered({**VALUES[0], **more})} >= {"Deployment", "ConfigMap"}


def test_the_first_values_are_enough() -> None:
    deployment = next(each for each in rendered(VALUES[0]) if each["kind"] == "Deployment")
    assert deployment["metadata"]["name"] == "balancer-vsphere-balancer"  # as the commands say


@pytest.mark.parametrize("name", ["kubernetes", "systemd", "container"])
def test_each_file_of_the_project_that_is_named_is_there(name: str) -> None:
    text = (FOLDER / f"install-{name}.md").read_text("utf-8")
    named = {found.rstrip(".") for found in NAMED.findall(text)}
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_each_make_target_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    pages = "".join(path.read_text("utf-8") for path in FOLDER.glob("install-*.md"))
    assert set(re.findall(r"^make ([a-z-]+)", pages, re.M)) <= targets
