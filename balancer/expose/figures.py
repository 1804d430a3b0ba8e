"""How figures are written for people: percent, percentage points, durations, sizes, counts. Only text."""

from datetime import UTC, datetime

from balancer.model.units import Mib, Ratio, Seconds, percent

__all__ = [
    "counted",
    "duration",
    "gibibytes",
    "listed",
    "moment",
    "number",
    "percent",
    "points",
    "timestamp",
]

MIB_PER_GIB = 1024.0


def points(ratio: Ratio) -> str:
    """Return a difference of ratios in percentage points without the unit: `8`, below ten `2.3`."""
    value = ratio * 100.0
    return f"{value:.0f}" if abs(value) >= 9.95 else f"{_unsigned_zero(value, 1):.1f}"


def duration(seconds: Seconds) -> str:
    """Return a duration in the largest fitting unit: `45 s`, `6 min`, `1 h 20 min`."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def gibibytes(mib: Mib) -> str:
    """Return memory in GiB, below ten with one digit."""
    value = mib / MIB_PER_GIB
    return f"{value:,.0f} GiB" if value >= 9.95 else f"{value:.1f} GiB"


def counted(count: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun: `1 move`, `2 moves`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def moment(at: datetime) -> str:
    """Return an instant in UTC for people."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def timestamp(at: datetime) -> str:
    """Return an instant as RFC 3339 in UTC, with as many digits as it has."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def listed(words: list[str], most: int) -> str:
    """Return the first `most` words, and how many more there are."""
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most:,} more" if len(words) > most else shown


def number(value: float) -> float:
    """Return a figure with nine significant digits and without a negative zero, as documents carry it."""
    return float(f"{value:.9g}") + 0.0


def _unsigned_zero(value: float, digits: int) -> float:
    return round(value, digits) + 0.0
