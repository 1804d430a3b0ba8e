"""What is wrong between the section on history and the rest of a configuration."""

from collections.abc import Iterator
from os.path import normpath
from pathlib import Path

from balancer.config.history import History
from balancer.config.record_mistakes import JOURNAL
from balancer.policy.problems import Mistake, shown
from balancer.policy.unchecked import mapping, text

DISK_DAYS: int = History.model_fields["five_minute_days"].default


def history_mistakes(data: object, base: Path) -> Iterator[Mistake]:
    """Yield that history and journal are to lie in one file, or that memory is to hold more days than the file.

    `base` is the folder of the configuration.
    """
    history = mapping(mapping(data).get("history"))
    path = text(history, "path")
    journal = text(mapping(mapping(data).get("journal")), "path") or JOURNAL
    if path and normpath(base / path) == normpath(base / journal):
        yield Mistake(
            path=("history", "path"),
            found=f"{shown(path)} is the journal's file",
            allowed="a file of its own; left out: history.sqlite beside the journal",
        )
    memory, disk = history.get("memory_days"), history.get("five_minute_days", DISK_DAYS)
    if isinstance(memory, int) and isinstance(disk, int) and memory > disk:
        yield Mistake(
            path=("history", "memory_days"),
            found=f"{memory} days in memory, but five_minute_days keeps {disk} on disk",
            allowed=f"at most {disk}; for more, raise five_minute_days as well",
        )
