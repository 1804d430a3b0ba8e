"""Identifiers and units of the model. Identifiers are managed-object ids ("host-12"), never display names."""

from collections.abc import Sequence
from math import isfinite
from typing import NewType

HostId = NewType("HostId", str)
VmId = NewType("VmId", str)
ClusterId = NewType("ClusterId", str)
MoveId = NewType("MoveId", str)

Mhz = float
"""Processor speed times cores, 10^6 cycles a second."""

Mib = float
"""Memory, 2^20 bytes."""

Seconds = float
"""Wall-clock duration."""

HOUR_S, DAY_S = 3_600, 86_400
"""Seconds of an hour and of a day; whole, so that whole seconds divided by them stay whole."""

Ratio = float
"""A share, 0..1 unless a docstring says otherwise. Percent exists only in text for people."""


def percent(ratio: Ratio, digits: int = 0) -> str:
    """Return a ratio as people read it, such as `82 %`; never a negative zero."""
    value = round(ratio * 100.0, digits)
    return f"{value + 0.0:.{digits}f} %"


def check_figures(of: str, figures: Sequence[float]) -> None:
    """Raise ValueError if any of the figures (at least one) is negative, infinite or not a number."""
    if isfinite(sum(figures)) and min(figures) >= 0.0:
        return
    wrong = [figure for figure in figures if not isfinite(figure) or figure < 0.0]
    if wrong:
        raise ValueError(f"{of}: {wrong[0]} is no capacity, demand or rate; 0 or more is expected")
