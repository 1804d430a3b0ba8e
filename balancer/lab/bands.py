"""The load of every host over time as bands of colour, with the moves of a run as arrows across them.

One band a host; the class of a piece is that of its mean load, unless any slot in it was above 100 %: that is
never averaged away. Places only; colours are the style sheet's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from balancer.expose.charts import Tick, short_label
from balancer.expose.escape import cells
from balancer.expose.figures import counted, gibibytes, percent
from balancer.lab.axes import WIDTH, TimeAxis, when
from balancer.lab.result import DownMark, Line, MoveMark, Run
from balancer.lab.sketch import Sketch

WIDEST_LABEL, RIGHT = 160.0, 24.0
_LABEL_UNIT, _LABEL_GAP = 6.4, 14.0
TOP, BOTTOM = 6.0, 22.0
OVER = 6
"""The class of what was above 100 %."""

CLASSES = (
    "under 20 %",
    "20 to 40 %",
    "40 to 60 %",
    "60 to 80 %",
    "80 to 90 %",
    "90 to 100 %",
    "above 100 %",
)
_EDGES = (0.2, 0.4, 0.6, 0.8, 0.9)
_TALLEST, _LOWEST, _WANTED_HEIGHT = 16.0, 4.0, 420.0
_LABEL_PITCH = 11.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The name beside a band."""

    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """All pieces of one class: lines along the bands, in steps of the sketch from the left edge."""

    kind: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A move: from the middle of one band to that of another. `told` is empty where there are too many to tell."""

    path: str
    is_lost: bool
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BandChart:
    """A drawing. `stretch` is the width of a step, `thick` how thick a band is drawn."""

    width: float
    height: float
    left: float
    stretch: float
    thick: float
    pitch: float
    title: str
    desc: str
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]
    pieces: tuple[Pieces, ...]
    arrows: tuple[Arrow, ...]


def band_chart(run: Run, sketch: Sketch, hosts: Sequence[str], *, tells: bool = True) -> BandChart:
    """Return the bands of one run. With `tells`, each arrow says which VM it is."""
    pitch = min(max(_WANTED_HEIGHT / max(len(hosts), 1), _LOWEST), _TALLEST)
    end_s = max(sketch.steps, 1) * sketch.step_s
    labels = tuple(_labels(hosts, pitch))
    left = _left(labels)
    axis = TimeAxis(end_s=end_s, left=left, right=WIDTH - RIGHT)
    return BandChart(
        width=WIDTH,
        height=round(TOP + pitch * len(hosts) + BOTTOM, 1),
        left=left,
        stretch=round((WIDTH - left - RIGHT) / max(sketch.steps, 1), 6),
        thick=round(pitch * 0.72, 2),
        pitch=round(pitch, 2),
        title=f"CPU load of each host, {run.contender}",
        desc=_described(run, sketch, hosts),
        ticks=axis.ticks(),
        labels=labels,
        pieces=_pieces(sketch, pitch),
        arrows=tuple(_arrows(run.moves, hosts, axis, pitch, tells=tells)),
    )


def _left(labels: Sequence[Label]) -> float:
    """Return where bands begin: right of the widest label."""
    widest = max([0, *(cells(label.text) for label in labels)])
    return round(min(_LABEL_GAP + widest * _LABEL_UNIT, WIDEST_LABEL), 1)


def _described(run: Run, sketch: Sketch, hosts: Sequence[str]) -> str:
    lost = f", {run.score.failed_moves} of them failed" if run.score.failed_moves else ""
    moves = f"{counted(len(run.moves), 'move')}{lost}"
    over = f"{counted(run.score.slots_over_100, 'host-slot')} above 100 %"
    if not sketch.peak_load.size:
        return f"{moves}; {over}."
    step, host = np.unravel_index(int(np.argmax(sketch.peak_load)), sketch.peak_load.shape)
    peak = percent(float(sketch.peak_load[step, host]))
    at = when(float(step) * sketch.step_s)
    return (
        f"{counted(len(hosts), 'host')}; {moves}; {over}; the highest load was {peak}, "
        f"on {hosts[int(host)]} at about {at}. The tables have every figure."
    )


def _middle(row: int, pitch: float) -> float:
    return round(TOP + pitch * (row + 0.5), 1)


def _labels(hosts: Sequence[str], pitch: float) -> Iterator[Label]:
    every = max(1, int(np.ceil(_LABEL_PITCH / pitch)))
    for row in range(0, len(hosts), every):
        yield Label(y=_middle(row, pitch) + 3.5, text=short_label(hosts[row]))


def load_classes(mean: Line, peak: Line) -> "np.typing.NDArray[np.intp]":
    """Return the class of each piece, an index into `CLASSES`."""
    classes = np.digitize(mean, _EDGES)
    return np.where(peak > 1.0, OVER, classes)


def _pieces(sketch: Sketch, pitch: float) -> tuple[Pieces, ...]:
    classes = load_classes(sketch.mean_load, sketch.peak_load)
    paths: dict[int, list[str]] = {}
    for row, band in enumerate(classes.T):
        for kind, first, count in _stretches(band):
            paths.setdefault(kind, []).append(f"M{first} {_middle(row, pitch):g}h{count}")
    return tuple(Pieces(kind=kind, path="".join(paths[kind])) for kind in sorted(paths))


def _stretches(band: "np.typing.NDArray[np.intp]") -> Iterator[tuple[int, int, int]]:
    """Yield class, first step and length of each stretch of one class."""
    starts = [0, *(np.flatnonzero(np.diff(band)) + 1).tolist()] if len(band) else []
    for first, after in zip(starts, [*starts[1:], len(band)], strict=True):
        yield int(band[first]), first, after - first


def _arrows(
    moves: Sequence[MoveMark], hosts: Sequence[str], axis: TimeAxis, pitch: float, *, tells: bool
) -> Iterator[Arrow]:
    row_of = {host: row for row, host in enumerate(hosts)}
    for move in moves:
        source, target = row_of[move.source], row_of[move.target]
        tip = 3.0 if target > source else -3.0
        path = (
            f"M{axis.x(move.begun_s):g} {_middle(source, pitch):g}V{_middle(target, pitch):g}"
            f"m-2.5 {-tip:g}l2.5 {tip:g} 2.5 {-tip:g}"
        )
        told = move_words(move) if tells else ""
        yield Arrow(path=path, is_lost=bool(move.fault), told=told)


def down_words(down: DownMark) -> str:
    """Return in a sentence what became of a VM that went down with its host."""
    told = f"{down.vm}: went down with {down.source} at {when(down.since_s)}"
    if down.target is None or down.until_s is None:
        return f"{told}, and was down to the end"
    if not down.was_started:
        return f"{told}, was to be off, and rests on it again at {when(down.until_s)}"
    return f"{told}, started on {down.target} at {when(down.until_s)}"


def move_words(move: MoveMark) -> str:
    """Return a move in a sentence."""
    why = f", {move.reason}" if move.reason else ""
    lost = f", failed: {move.fault}" if move.fault else ""
    return (
        f"{move.vm}: {move.source} -> {move.target} at {when(move.begun_s)}, "
        f"{gibibytes(move.memory_mib)} in {move.ended_s - move.begun_s:.0f} s{why}{lost}"
    )
