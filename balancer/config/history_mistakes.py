"""What is wrong between the section on history and the rest of a configuration."""

from collections.abc import Iterator
from os.path import normpath
from pathlib import Path

from balancer.config.record_mistakes import JOURNAL
from balancer.policy.problems import Mistake, shown
from balancer.policy.unchecked import mapping, text


def history_mistakes(data: object, base: Path) -> Iterator[Mistake]:
    """Yield that history and journal are to lie in the same file. `base` is the folder of the configuration."""
    path = text(mapping(mapping(data).get("history")), "path")
    journal = text(mapping(mapping(data).get("journal")), "path") or JOURNAL
    if path and normpath(base / path) == normpath(base / journal):
        yield Mistake(
            path=("history", "path"),
            found=f"{shown(path)} is the journal's file",
            allowed="a file of its own; left out: history.sqlite beside the journal",
        )
