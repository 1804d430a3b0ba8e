"""Lines over time, one for each run: unmet demand as it adds up, and spread. Places only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from balancer.expose.charts import Tick, short_label
from balancer.expose.figures import counted
from balancer.lab.axes import WIDTH, Scale, TimeAxis, brief, scale_for
from balancer.lab.result import Line, Run
from balancer.lab.sketch import Sketch
from balancer.model.units import Seconds

LEFT, RIGHT = 64.0, 150.0
TOP, BOTTOM = 10.0, 24.0
HEIGHT = 300.0
MOST_POINTS = 240
COLOURS, DASHES = 7, 4
_LABEL_PITCH = 13.0

Drawn = tuple[Run, Sketch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A round figure on the axis of figures."""

    y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A run's line, which ends at `end_y`. Its label stands at `label_y`, or is empty: another line has it."""

    colour: int
    dash: int
    path: str
    end_y: float
    label: str
    label_y: float
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """A drawing of lines."""

    width: float
    height: float
    left: float
    right: float
    title: str
    desc: str
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    strokes: tuple[Stroke, ...]


def looks_of(contenders: Sequence[str]) -> Mapping[str, tuple[int, int]]:
    """Return a colour and a dash for each contender, the same in all charts of a page."""
    return {
        name: (number % COLOURS, number // COLOURS % DASHES)
        for number, name in enumerate(contenders)
    }


def unmet_chart(drawn: Sequence[Drawn], looks: Mapping[str, tuple[int, int]]) -> LineChart:
    """Return unmet demand as it adds up."""
    scale = scale_for(
        [float(sketch.unmet_ghz_h[-1]) for _, sketch in drawn if sketch.steps], _bottom(), TOP
    )
    kind = "on a logarithmic scale" if scale.is_log else "from 0"
    return _chart(
        drawn,
        looks,
        scale,
        line_of=lambda sketch: _every(sketch.unmet_ghz_h, _ends),
        title="Unmet CPU demand as it adds up, in GHz·h",
        desc=f"A line for each of {counted(len(drawn), 'run')}, {kind}: {_told(drawn, _final, 'GHz·h')}.",
    )


def spread_chart(drawn: Sequence[Drawn], looks: Mapping[str, tuple[int, int]]) -> LineChart:
    """Return the spread of host CPU load, in percentage points."""
    lines = [_every(sketch.spread, _means) for _, sketch in drawn]
    scale = scale_for(
        [float(line.max()) * 100.0 for line in lines if len(line)], _bottom(), TOP, may_be_log=False
    )
    return _chart(
        drawn,
        looks,
        scale,
        line_of=lambda sketch: _every(sketch.spread, _means) * np.float32(100.0),
        title="Spread of host CPU load, in percentage points",
        desc=f"Standard deviation over time, a line for each of {counted(len(drawn), 'run')}; mean: "
        f"{_told(drawn, lambda run, _: run.score.spread * 100.0, 'pp')}.",
    )


def _bottom() -> float:
    return HEIGHT - BOTTOM


def _final(run: Run, sketch: Sketch) -> float:
    return run.score.unmet_ghz_h


def _told(drawn: Sequence[Drawn], figure: Callable[[Run, Sketch], float], unit: str) -> str:
    words = [f"{run.contender} {figure(run, sketch):.1f} {unit}" for run, sketch in drawn[:12]]
    rest = len(drawn) - len(words)
    return ", ".join([*words, *([f"and {rest} more"] if rest > 0 else [])])


def _every(line: Line, reduce: Callable[[Line, int], Line]) -> Line:
    """Return a line of at most `MOST_POINTS` values."""
    stride = -(-len(line) // MOST_POINTS)
    return reduce(line, stride) if stride > 1 else line


def _ends(line: Line, stride: int) -> Line:
    ends: Line = line[np.minimum(np.arange(0, len(line), stride) + stride, len(line)) - 1]
    return ends


def _means(line: Line, stride: int) -> Line:
    starts = np.arange(0, len(line), stride)
    sizes = np.diff(np.append(starts, len(line))).astype(np.float32)
    means: Line = (np.add.reduceat(line, starts) / sizes).astype(np.float32)
    return means


def _chart(
    drawn: Sequence[Drawn],
    looks: Mapping[str, tuple[int, int]],
    scale: Scale,
    *,
    line_of: Callable[[Sketch], Line],
    title: str,
    desc: str,
) -> LineChart:
    end_s = max([1.0, *(sketch.steps * sketch.step_s for _, sketch in drawn)])
    axis = TimeAxis(end_s=end_s, left=LEFT, right=WIDTH - RIGHT)
    strokes = [
        _stroke(run, line_of(sketch), sketch.steps * sketch.step_s, looks, scale, axis)
        for run, sketch in drawn
    ]
    return LineChart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        title=title,
        desc=desc,
        ticks=axis.ticks(),
        marks=tuple(Mark(y=scale.at(at), label=brief(at)) for at in scale.marks()),
        strokes=_labelled(strokes),
    )


def _stroke(
    run: Run,
    line: Line,
    span_s: Seconds,
    looks: Mapping[str, tuple[int, int]],
    scale: Scale,
    axis: TimeAxis,
) -> Stroke:
    step_s = span_s / max(len(line), 1)
    points = [
        f"{axis.x((number + 1) * step_s):g} {scale.at(float(value)):g}"
        for number, value in enumerate(line)
    ]
    colour, dash = looks[run.contender]
    return Stroke(
        colour=colour,
        dash=dash,
        path="M" + "L".join(points) if points else "",
        end_y=scale.at(float(line[-1])) if len(line) else _bottom(),
        label=short_label(run.contender),
        label_y=0.0,
        told=f"{run.contender}, seed {run.seed}",
    )


def _labelled(strokes: Sequence[Stroke]) -> tuple[Stroke, ...]:
    """Return the strokes with one label for each contender, near its line and none upon another."""
    ends: dict[str, float] = {}
    for stroke in strokes:
        ends.setdefault(stroke.label, stroke.end_y)
    names = sorted(ends, key=lambda name: ends[name])
    placed = dict(zip(names, _apart([ends[name] for name in names]), strict=True))
    return tuple(
        replace(stroke, label=stroke.label if y is not None else "", label_y=y or 0.0)
        for stroke in strokes
        for y in (placed.pop(stroke.label, None),)
    )


def _apart(ends: Sequence[float]) -> list[float]:
    """Return places a label's pitch apart near ascending ends: pushed down, and back up from the lower edge."""
    placed: list[float] = []
    for end in ends:
        placed.append(max(end, placed[-1] + _LABEL_PITCH) if placed else end)
    edge = _bottom()
    for number in range(len(placed) - 1, -1, -1):
        placed[number] = round(min(placed[number], edge), 1)
        edge = placed[number] - _LABEL_PITCH
    return placed
