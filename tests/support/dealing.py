"""Which worker begins with which tests, when several share a run.

pytest-xdist with `--dist worksteal` gives each worker a row of tests of equal length, and a worker that has ended
its row takes the last half of what the longest row still has. Tests that talk to the test vCenter wait more than
they compute and are the longest there are. They begin the rows of half of the workers, longest files first, so that
the others compute beside them, and what is taken at the end is short.
"""

from collections.abc import Sequence
from itertools import islice

import pytest

SECONDS = {
    "test_kill.py": 60,
    "test_loop_wire.py": 180,
    "test_plans_wire.py": 90,
    "test_recovery_wire.py": 160,
    "test_daemon_wire.py": 140,
    "test_guides_wire.py": 115,
    "test_daemon_links.py": 80,
    "test_reload_wire.py": 80,
    "test_stops_wire.py": 70,
    "test_planning_wire.py": 60,
    "test_systemd_alive.py": 60,
    "test_demo.py": 60,
}
"""Files that take long, as seen on two loaded cores. A wrong figure costs a little time and nothing else."""


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """Return the tests in the order in which `workers` rows are cut from them; each test stands in it once."""
    long, rest = _parted(items)
    rows = _even(long, (workers + 1) // 2) + [[] for _ in range(workers // 2)]
    left = iter(rest)
    for number, row in enumerate(rows):
        taken = sum(map(len, rows[:number]))
        length = (len(items) - taken) // (workers - number)
        row.extend(islice(left, max(length - len(row), 0)))
    return [item for row in rows for item in row] + list(left)


def _parted(
    items: Sequence[pytest.Item],
) -> tuple[dict[str, list[pytest.Item]], list[pytest.Item]]:
    """Return the tests of the files that take long, by file, and all others."""
    long: dict[str, list[pytest.Item]] = {}
    rest = []
    for item in items:
        if item.path.name in SECONDS or item.get_closest_marker("slow"):
            long.setdefault(item.path.name, []).append(item)
        else:
            rest.append(item)
    return long, rest


def _even(long: dict[str, list[pytest.Item]], rows: int) -> list[list[pytest.Item]]:
    """Return the files dealt to rows, the longest first and each to the row that has least."""
    found: list[list[pytest.Item]] = [[] for _ in range(rows)]
    seconds = [0] * rows
    for name in sorted(long, key=lambda name: (-SECONDS.get(name, 20), name)):
        least = seconds.index(min(seconds))
        found[least] += long[name]
        seconds[least] += SECONDS.get(name, 20)
    return found
