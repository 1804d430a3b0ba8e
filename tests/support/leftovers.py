"""That a piece of work leaves no process and no file descriptor behind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that no process and no file descriptor outlives the block."""
    descriptors, before = open_descriptors(), children()
    yield
    assert open_descriptors() == descriptors
    assert children() == before


def open_descriptors() -> set[str]:
    """Return the numbers of our open file descriptors."""
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


def children() -> set[str]:
    """Return the process ids of our children, also of those that have ended and were not collected."""
    found = set[str]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(stat.parent.name)
    return found
