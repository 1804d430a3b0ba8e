"""When a soak has failed: which figures may not grow, by how much, and how growth is measured.

Growth is the Theil-Sen slope (the median of the slopes of all pairs), so that a peak or a step counts little. The
first part of a run is left out: caches fill, threads and connections are opened when first needed.

Memory may grow by 1 MiB per hour. A short run cannot tell that: 1 MiB per hour is 0.17 MiB in ten minutes, and a
sound daemon grows by 2 to 5 MiB in that time: Python's allocator, the rings that its collector has not yet looked
for, SQLite's caches (the number of live objects stays the same). So a run that is shorter than four hours is
allowed 8 MiB more, which still finds what leaks 300 KiB in each cycle of a ten-minute run; four hours and more are
judged by the slope alone. Sessions and descriptors are whole numbers: they may not grow by one session or by
three descriptors over the measured time (connections come and go), in a run of any length.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

HOUR_S = 3600.0
MOST_MIB_PER_HOUR = 1.0
SETTLING_MIB = 8.0
SETTLED_AFTER_S = 4 * HOUR_S
MOST_SESSIONS = 1.0
MOST_DESCRIPTORS = 3.0
MOST_WARM_UP_S = HOUR_S
WARM_UP_RATIO = 0.25
MOST_PAIRS = 20_000
"""An eight-hour run has millions of pairs; so many, drawn with a fixed seed, give the same median to 1 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was measured at one moment, in seconds from the beginning."""

    at_s: float
    main_mib: float
    children_mib: float
    descriptors: int
    threads: int
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a figure grew per hour, over the measured time, and how much it might have over that time."""

    name: str
    per_hour: float
    over_all: float
    allowed: float

    @property
    def is_too_much(self) -> bool:
        """Whether that fails the soak."""
        return self.over_all >= self.allowed


def warm_up_s(duration_s: float) -> float:
    """Return how much of a run is left out at its beginning."""
    return min(MOST_WARM_UP_S, WARM_UP_RATIO * duration_s)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the Theil-Sen slope of points with growing x; 0 for fewer than two."""
    if len(points) < 2:
        return 0.0
    if len(points) * (len(points) - 1) // 2 <= MOST_PAIRS:
        pairs = list(combinations(points, 2))
    else:
        draw = random.Random(0)
        pairs = [tuple(sorted(draw.sample(points, 2))) for _ in range(MOST_PAIRS)]  # type: ignore[misc]
    return median((right[1] - left[1]) / (right[0] - left[0]) for left, right in pairs)


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """Return how memory, descriptors and sessions grew once the run was warm."""
    whole_s = samples[-1].at_s
    warm = [sample for sample in samples if sample.at_s >= warm_up_s(whole_s)]
    measured_s = warm[-1].at_s - warm[0].at_s
    memory = MOST_MIB_PER_HOUR * measured_s / HOUR_S
    if whole_s < SETTLED_AFTER_S:
        memory += SETTLING_MIB
    figures = {
        "memory of the daemon, MiB": ([s.main_mib for s in warm], memory),
        "memory of its children, MiB": ([s.children_mib for s in warm], memory),
        "descriptors": ([float(s.descriptors) for s in warm], MOST_DESCRIPTORS),
        "sessions": ([float(s.sessions) for s in warm], MOST_SESSIONS),
    }
    times = [sample.at_s for sample in warm]
    found = []
    for name, (values, allowed) in figures.items():
        per_s = slope(list(zip(times, values, strict=True)))
        grown = Growth(
            name=name, per_hour=per_s * HOUR_S, over_all=per_s * measured_s, allowed=allowed
        )
        found.append(grown)
    return found
