"""The examples of the lab's pages print what the pages show. Seconds of the clock are not compared."""

import shlex

import pytest

from balancer.cli.app import Session, run_command_line
from tests.support.doc_blocks import ROOT, Block, blocks_of

PAGES = ROOT / "docs" / "operate"
WALL_S = -3
"""Where the table of a replay has the one figure that differs from time to time."""


def example(page: str, begin: str) -> tuple[list[str], list[str]]:
    """Return the words of the command that begins so, and the lines of the output that the page shows next."""
    blocks = list(blocks_of(PAGES / page))
    at, line = next(found for i, block in enumerate(blocks) for found in begun(i, block, begin))
    shown = next(block for block in blocks[at + 1 :] if block.language == "text")
    return shlex.split(line)[1:], shown.text.splitlines()


def begun(place: int, block: Block, begin: str) -> list[tuple[int, str]]:
    return [(place, line) for line in block.text.splitlines() if line.startswith(begin)]


def printed(words: list[str], capfd: pytest.CaptureFixture[str]) -> list[str]:
    assert run_command_line(words, Session()) == 0
    return capfd.readouterr().out.splitlines()


def test_the_example_of_a_what_if_over_time_prints_what_the_page_shows(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words, shown = example("what-if.md", "balancer lab whatif --trace docs/operate/trace-example")
    assert printed(words, capfd)[: len(shown)] == shown


def test_the_example_of_a_replay_prints_what_the_page_shows(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words, shown = example("lab.md", "balancer lab replay docs/operate/trace-example")
    lines = printed(words, capfd)
    begin = lines.index(shown[0])
    assert timeless(lines[begin : begin + len(shown)]) == timeless(shown)


def timeless(lines: list[str]) -> list[list[str]]:
    rows = [line.split() for line in lines]
    return [row[:WALL_S] + row[WALL_S + 1 :] if len(row) > 12 else row for row in rows]
