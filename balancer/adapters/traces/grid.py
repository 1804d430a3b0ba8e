"""Time of a trace: stamps of any documented form become slots of equal length, and rows are put into them."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log

import numpy as np
import numpy.typing as npt

from balancer.adapters.traces.faults import Faults, cell, refused
from balancer.adapters.traces.matrix import Floats, Matrix
from balancer.adapters.traces.mends import Ledger, MendRule
from balancer.adapters.traces.text import number_of
from balancer.model.units import Seconds

Slots = npt.NDArray[np.int64]

LEAST_FILLED = 0.2
"""Share of the slots from the first to the last stamp that must have a row; less means a wrong stamp."""

NEVER_SPARSE = 1000
"""Slots up to which it does not matter how many have a row."""

USUAL_STEPS_S: tuple[Seconds, ...] = (
    *(10.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1200.0, 1800.0),
    *(3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0),
)
"""Steps that samples usually have; times that jitter around one are put into slots of it."""

_SLOTS = (
    "a slot number from 0 to 100000000",
    "for times name the column time, and write a time in each of its rows",
)
_TIMES = (
    "an ISO 8601 time or seconds from 1970, up to the year 2200",
    "write it as 2024-03-01T00:05:00Z",
)
_EPOCH_FROM = 1e8  # a larger number counts seconds from 1970, a smaller one counts slots
_MILLISECONDS_FROM = 1e11  # seconds would be the year 5138
_LAST_S = 7_258_118_400.0  # the year 2200
_MOST_SLOT = 1e8


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Slots of equal length. `first` is the number of the first one in files that count slots."""

    start: datetime
    step_s: Seconds
    slots: int
    first: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stamps:
    """The column of time as numbers: slots, or seconds from 1970."""

    values: Floats
    is_slots: bool


def grid_of(matrix: Matrix, *, start: datetime, step_s: Seconds) -> Grid:
    """Return the slots that a matrix covers. `start` and `step_s` count where it numbers slots.

    With times the step is the distance that more than half of them have from one another, else the usual step that
    is nearest to the median distance; the grid is the one that most of the times stand on.

    Raises:
        InputError: a stamp is none, or the stamps cannot be those of one trace.
    """
    stamps = _stamps(matrix)
    if stamps.is_slots:
        first = int(stamps.values.min())
        grid = Grid(
            start=start + timedelta(seconds=first * step_s),
            step_s=step_s,
            slots=int(stamps.values.max()) - first + 1,
            first=first,
        )
    else:
        grid = _timed(stamps.values, step_s)
    _check_filled(matrix, stamps, grid)
    return grid


def on_grid(matrix: Matrix, grid: Grid, ledger: Ledger) -> Floats:
    """Return a matrix's figures by slot, shape (slots, VMs): rows sorted, several of one slot averaged.

    Rows outside of the grid are not used.

    Raises:
        InputError: a stamp is none.
    """
    exact = _exact(_stamps(matrix), grid)
    slots = np.rint(exact).astype(np.int64)
    _note_order(matrix, slots, exact, ledger)
    inside = np.flatnonzero((slots >= 0) & (slots < grid.slots))
    out = np.full((grid.slots, len(matrix.vms)), np.nan)
    counts = np.bincount(slots[inside], minlength=grid.slots)
    single = inside[counts[slots[inside]] == 1]
    out[slots[single]] = matrix.figures[single]
    for slot in np.flatnonzero(counts > 1):
        same = np.flatnonzero(slots == slot)
        out[slot] = _mean(matrix.figures[same])
        later = [f"{matrix.path.name}, row {matrix.rows[row]}" for row in same[1:]]
        ledger.note(MendRule.DUPLICATE, len(later), later)
    return out


def slots_of(matrix: Matrix, grid: Grid) -> Slots:
    """Return the slot of each row, counted from the grid's first one.

    Raises:
        InputError: a stamp is none.
    """
    return np.rint(_exact(_stamps(matrix), grid)).astype(np.int64)


def _mean(figures: Floats) -> Floats:
    known = ~np.isnan(figures)
    counts = known.sum(axis=0)
    total = np.where(known, figures, 0.0).sum(axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _exact(stamps: _Stamps, grid: Grid) -> Floats:
    if stamps.is_slots:
        return stamps.values - grid.first
    return (stamps.values - grid.start.timestamp()) / grid.step_s


def _note_order(matrix: Matrix, slots: Slots, exact: Floats, ledger: Ledger) -> None:
    def places(rows: Slots) -> list[str]:
        return [f"{matrix.path.name}, row {matrix.rows[row]}" for row in rows[:3]]

    off = np.flatnonzero(np.abs(exact - slots) > 1e-6)
    ledger.note(MendRule.OFF_GRID, len(off), places(off))
    latest = np.maximum.accumulate(exact)
    back = np.flatnonzero(exact[1:] < latest[:-1]) + 1
    ledger.note(MendRule.UNORDERED, len(back), places(back))


def _timed(values: Floats, step_s: Seconds) -> Grid:
    times = np.unique(values)
    if len(times) > 1:
        step_s = _step_s(np.diff(times).round(3))
    phases = Counter((times % step_s).round(3).tolist())
    phase = max(phases, key=lambda each: (phases[each], -each))
    begin = round((times[0] - phase) / step_s) * step_s + phase
    slots = round((times[-1] - begin) / step_s) + 1
    return Grid(start=datetime.fromtimestamp(begin, UTC), step_s=step_s, slots=slots)


def _step_s(distances: Floats) -> Seconds:
    """Return the distance that most times have; where none prevails, the usual step nearest to their median."""
    counts = Counter(distances.tolist())
    frequent = max(counts, key=lambda distance: (counts[distance], -distance))
    if counts[frequent] * 2 > len(distances):
        return float(frequent)
    median = float(np.median(distances))
    return min(USUAL_STEPS_S, key=lambda step: abs(log(step / median)))


def _check_filled(matrix: Matrix, stamps: _Stamps, grid: Grid) -> None:
    filled = len(np.unique(stamps.values))
    if grid.slots <= max(NEVER_SPARSE, filled / LEAST_FILLED):
        return
    order = np.argsort(stamps.values, kind="stable")
    after = int(order[int(np.argmax(np.diff(stamps.values[order]))) + 1])
    raise refused(
        matrix.path,
        f"{matrix.stamps[after][:40]!r} stands far from the other times: {filled} rows for {grid.slots} slots "
        f"of {grid.step_s:g} s",
        where=cell(matrix.rows[after], matrix.time),
        allowed="times of one period without a long break",
        hint="mend or remove the row; numbers below 100000000 count slots, not seconds",
    )


def _stamps(matrix: Matrix) -> _Stamps:
    first = number_of(matrix.stamps[0])
    is_slots = matrix.time.lower() == "slot" or (first is not None and first < _EPOCH_FROM)
    faults = Faults(matrix.path)
    values = np.zeros(len(matrix.stamps))
    for index, text in enumerate(matrix.stamps):
        value = _slot(text) if is_slots else _seconds(text)
        if value is None:
            allowed, hint = _SLOTS if is_slots else _TIMES
            faults.add(
                cell(matrix.rows[index], matrix.time), f"{text[:40]!r}", allowed=allowed, hint=hint
            )
        else:
            values[index] = value
    faults.check()
    return _Stamps(values=values, is_slots=is_slots)


def _slot(text: str) -> float | None:
    value = number_of(text)
    if value is None or not 0.0 <= value <= _MOST_SLOT or not value.is_integer():
        return None
    return value


def _seconds(text: str) -> float | None:
    value = number_of(text)
    if value is None:
        return _iso_seconds(text)
    if value >= _MILLISECONDS_FROM:
        value /= 1000.0
    return value if 0.0 <= value <= _LAST_S else None


def _iso_seconds(text: str) -> float | None:
    """Return an ISO 8601 time as seconds from 1970; without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(text)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0.0 <= seconds <= _LAST_S else None
