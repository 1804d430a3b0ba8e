"""Where the marks of a chart stand, in the units of its drawing: loads of hosts, moves over time, pairs of seconds.

Figures in, positions out; how they look is the template's. Labels may hold hostile names: the template escapes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from balancer.expose.escape import visible
from balancer.expose.figures import counted, duration, percent
from balancer.expose.report_rows import HostRow, MoveRow, ReportView
from balancer.model.plan import HostLoad
from balancer.model.units import Ratio, Seconds

WIDTH = 900.0
LEFT = 190.0
RIGHT = 24.0
ROW = 20.0
MOST_BARS = 60
"""Moves drawn; the table beside the chart has the rest."""

_LABEL = 26
_MUST = frozenset({"evacuate", "rule", "make_room", "requested"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The loads of all hosts on one line, their mean and the threshold."""

    label: str
    y: float
    dots: tuple[float, ...]
    mean_x: float
    limit_x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadChart:
    """Loads of hosts, before and after, each host a dot."""

    width: float
    height: float
    left: float
    title: str
    desc: str
    ticks: tuple[Tick, ...]
    strips: tuple[Strip, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A bar. `kind` is the class that gives it its colour, `dy` how far it stands below its row's top."""

    kind: str
    x: float
    width: float
    dy: float = 2.0
    height: float = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRow:
    """A line of bars with its label and, where known, the interval within which the end is expected."""

    label: str
    y: float
    boxes: tuple[Box, ...]
    whisker: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Bars over an axis of time."""

    width: float
    height: float
    left: float
    title: str
    desc: str
    ticks: tuple[Tick, ...]
    rows: tuple[BarRow, ...]


def spread_chart(
    hosts: Sequence[HostRow], *, is_twice: bool, cpu_limit: Ratio, memory_limit: Ratio
) -> SpreadChart | None:
    """Return the loads of all hosts that serve, before and (where `is_twice`) after; None where there are none."""
    rows = [row for row in hosts if not row.state]
    if not rows:
        return None
    strips = [
        *_strips("CPU", rows, _cpu, cpu_limit),
        *_strips("memory", rows, _memory, memory_limit),
    ]
    strips = (
        strips
        if is_twice
        else [(label.split()[0], ratios, limit) for label, ratios, limit in strips[::2]]
    )
    most = max(1.0, *(ratio for _, ratios, _ in strips for ratio in ratios))
    scale = (WIDTH - LEFT - RIGHT) / most
    drawn = tuple(
        Strip(
            label=label,
            y=24.0 + 34.0 * place,
            dots=tuple(_at(LEFT + ratio * scale) for ratio in sorted(ratios)),
            mean_x=_at(LEFT + sum(ratios) / len(ratios) * scale),
            limit_x=_at(LEFT + min(limit, most) * scale),
        )
        for place, (label, ratios, limit) in enumerate(strips)
    )
    told = "; ".join(
        f"{label}: {percent(min(ratios))} to {percent(max(ratios))}" for label, ratios, _ in strips
    )
    shares = [step / 5 for step in range(6) if step / 5 <= most]
    return SpreadChart(
        width=WIDTH,
        height=24.0 + 34.0 * len(drawn) + 14.0,
        left=LEFT,
        title="Load of each host",
        desc=f"{counted(len(rows), 'host')} in service; {told}. The table of hosts has every figure.",
        ticks=tuple(Tick(x=_at(LEFT + share * scale), label=percent(share)) for share in shares),
        strips=drawn,
    )


def _strips(
    what: str, rows: Sequence[HostRow], ratio_of: Callable[[HostLoad], Ratio], limit: Ratio
) -> Iterator[tuple[str, list[Ratio], Ratio]]:
    yield f"{what} before", [ratio_of(row.before) for row in rows], limit
    yield f"{what} after", [ratio_of(row.after) for row in rows], limit


def _cpu(load: HostLoad) -> Ratio:
    return load.cpu_ratio


def _memory(load: HostLoad) -> Ratio:
    return load.memory_ratio


def timeline_chart(view: ReportView) -> BarChart | None:
    """Return when each move is expected to run, or None where nothing moves."""
    moves = sorted(view.moves, key=lambda move: move.starts_s)[:MOST_BARS]  # stable
    if not moves:
        return None
    end = max(move.starts_s + max(move.seconds, move.high_s or 0.0) for move in moves)
    axis = _Axis(end)
    rows = [
        BarRow(
            label=_label(move),
            y=6.0 + ROW * place,
            boxes=(_move_box(move, axis),),
            whisker=_ends(move, axis),
        )
        for place, move in enumerate(moves)
    ]
    cut = f" The first {len(moves)} are drawn." if len(view.moves) > len(moves) else ""
    return _bars(
        rows,
        axis,
        title="When each move is expected to run",
        desc=f"{counted(len(view.moves), 'move')} in {counted(len(view.waves), 'wave')} over "
        f"{duration(end)}.{cut} The table of moves has every figure.",
    )


def _move_box(move: MoveRow, axis: "_Axis") -> Box:
    kind = "must-move" if move.reason in _MUST else "load-move"
    start = axis.x(move.starts_s)
    width = max(axis.x(move.starts_s + move.seconds) - start, 2.0)
    return Box(kind=f"{kind} later" if move.waits else kind, x=start, width=_at(width))


def _ends(move: MoveRow, axis: "_Axis") -> tuple[float, float] | None:
    if move.low_s is None or move.high_s is None:
        return None
    return axis.x(move.starts_s + move.low_s), axis.x(move.starts_s + move.high_s)


def _label(move: MoveRow) -> str:
    return short_label(f"{move.id} {move.vm}")


def short_label(text: str) -> str:
    """Return a name that fits beside a chart."""
    shown = visible(text)
    return shown if len(shown) <= _LABEL else f"{shown[: _LABEL - 1]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Predicted beside measured seconds of one thing; None where nothing was measured."""

    label: str
    predicted: Seconds
    measured: Seconds | None
    is_good: bool = True


def pairs_chart(pairs: Sequence[Pair], *, title: str) -> BarChart | None:
    """Return predicted seconds beside measured ones, or None where there is nothing to compare."""
    shown = pairs[:MOST_BARS]
    if not shown:
        return None
    axis = _Axis(max(1.0, *(max(pair.predicted, pair.measured or 0.0) for pair in shown)))
    rows = [_pair_row(pair, place, axis) for place, pair in enumerate(shown)]
    known = [pair for pair in shown if pair.measured is not None]
    cut = f" The first {len(shown)} are drawn." if len(pairs) > len(shown) else ""
    return _bars(
        rows,
        axis,
        title=title,
        desc=f"{counted(len(pairs), 'move')}, of {len(known)} of those drawn the end was measured.{cut} "
        "The table of moves has every figure.",
    )


def _pair_row(pair: Pair, place: int, axis: "_Axis") -> BarRow:
    boxes = [
        Box(kind="predicted", x=LEFT, width=_at(axis.x(pair.predicted) - LEFT), dy=1.0, height=7.0)
    ]
    if pair.measured is not None:
        width = max(axis.x(pair.measured) - LEFT, 1.0)
        kind = "measured" if pair.is_good else "over"
        boxes.append(Box(kind=kind, x=LEFT, width=_at(width), dy=9.0, height=7.0))
    return BarRow(label=short_label(pair.label), y=6.0 + ROW * place, boxes=tuple(boxes))


class _Axis:
    """An axis of time from 0 to `end` seconds."""

    def __init__(self, end: Seconds) -> None:
        self.end = max(end, 1e-9)

    def x(self, at: Seconds) -> float:
        """Return where an instant stands."""
        return _at(LEFT + (WIDTH - LEFT - RIGHT) * min(at / self.end, 1.0))

    def ticks(self) -> tuple[Tick, ...]:
        """Return marks at round times."""
        steps = (
            1,
            2,
            5,
            10,
            15,
            30,
            60,
            120,
            300,
            600,
            900,
            1800,
            3600,
            7200,
            14_400,
            43_200,
            86_400,
        )
        step = next((s for s in steps if self.end / s <= 8), max(int(self.end / 8), 1))
        return tuple(
            Tick(x=self.x(at), label=_clock(at, step)) for at in range(0, int(self.end) + 1, step)
        )


def _clock(at: int, step: int) -> str:
    """Return a time in the unit in which the steps are whole, so that no two marks read the same."""
    for unit_s, word in ((3600, "h"), (60, "min")):
        if step % unit_s == 0:
            return f"{at // unit_s} {word}"
    return f"{at} s"


def _bars(rows: Sequence[BarRow], axis: _Axis, *, title: str, desc: str) -> BarChart:
    return BarChart(
        width=WIDTH,
        height=6.0 + ROW * len(rows) + 24.0,
        left=LEFT,
        title=title,
        desc=desc,
        ticks=axis.ticks(),
        rows=tuple(rows),
    )


def _at(value: float) -> float:
    return round(value, 1)
