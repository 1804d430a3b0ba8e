"""Figures of replays in words that table, page and comparison share."""

from balancer.expose.figures import percent
from balancer.lab.result import Run, Score
from balancer.model.units import Ratio

OURS = "ours"
"""The contender that others are set against: this program with the policies it ships."""


def unmet_percent(ratio: Ratio) -> str:
    """Return a share of demand in per cent with three significant digits below ten: `3.71`, `0.0123`, `0`."""
    value = ratio * 100.0
    if value <= 0.0:
        return "0"
    if value < 0.00005:
        return "<0.0001"
    return (
        f"{value:.1f}" if value >= 9.995 else f"{value:.2f}" if value >= 0.995 else f"{value:.4f}"
    )


def spread_points(spread: Ratio) -> str:
    """Return a spread in percentage points, without the unit."""
    return f"{spread * 100.0:.1f}"


def times(value: float, reference: float) -> str:
    """Return how many times the reference a value is; `-` where the reference is 0 and it is not."""
    if reference <= 0.0:
        return "1.00" if value <= 0.0 else "-"
    ratio = value / reference
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.1f}" if ratio < 99.95 else f"{ratio:.0f}"


def share(count: int, whole: int) -> str:
    """Return a count and its share: `12 (0.1 %)`."""
    return f"{count:,} ({percent(count / whole, 2)})" if whole else f"{count:,}"


def is_ours(contender: str) -> bool:
    """Whether a contender is this program, with whatever policy."""
    return contender == OURS or contender.startswith(f"{OURS}:")


def reference_of(runs: list[Run]) -> Run:
    """Return the run that the others are set against: `ours`, else ours with a policy, else the first."""
    named = [run for run in runs if run.contender == OURS]
    ours = [run for run in runs if is_ours(run.contender)]
    return (named or ours or runs)[0]


def copy_minutes(score: Score) -> float:
    """Return the minutes that all moves took together."""
    return score.copy_hours * 60.0


def has_failures(score: Score) -> bool:
    """Whether VMs of a run were down with a host that failed, or started again after it."""
    return score.restarts > 0 or score.down_ghz_h > 0.0
