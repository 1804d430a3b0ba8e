"""Unmet demand against moves, a point for each run, and the line of those that nobody beats in both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from balancer.expose.charts import Tick, short_label
from balancer.expose.figures import counted
from balancer.lab.axes import WIDTH, Scale, brief, place, scale_for
from balancer.lab.figures import is_ours, unmet_percent
from balancer.lab.lines import Mark
from balancer.lab.result import Run

LEFT, RIGHT = 64.0, 110.0
TOP, BOTTOM = 12.0, 40.0
HEIGHT = 340.0
_LABEL_PITCH = 12.0
_LABEL_WIDTH = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A run. Its label stands at `label_y`, right of the point."""

    x: float
    y: float
    colour: int
    is_ours: bool
    label: str
    label_y: float
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """A drawing of points. `front` is a path, empty where there are no points."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    title: str
    desc: str
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    points: tuple[Point, ...]
    front: str


def scatter(runs: Sequence[Run], looks: Mapping[str, tuple[int, int]]) -> Scatter:
    """Return unmet demand (per cent of demand) against moves."""
    across = scale_for([float(run.score.moves) for run in runs], LEFT, WIDTH - RIGHT)
    up = scale_for([_unmet(run) for run in runs], HEIGHT - BOTTOM, TOP)
    best = _front(runs)
    return Scatter(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        bottom=HEIGHT - BOTTOM,
        title="Unmet demand in per cent of demand, against moves",
        desc=f"{counted(len(runs), 'run')}; towards the lower left is better. No other run is as good in both as "
        f"{', '.join(run.contender for run in best)}.",
        ticks=tuple(Tick(x=across.at(at), label=brief(at)) for at in across.marks()),
        marks=tuple(Mark(y=up.at(at), label=brief(at)) for at in up.marks()),
        points=_points(runs, looks, across, up),
        front=_path(best, across, up),
    )


def _unmet(run: Run) -> float:
    return run.score.unmet_ratio * 100.0


def _front(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that no other one equals in both and beats in one, by moves."""
    found: list[Run] = []
    for run in sorted(runs, key=lambda one: (one.score.moves, _unmet(one), one.contender)):
        if not found or _unmet(run) < _unmet(found[-1]):
            found.append(run)
    return found


def _path(best: Sequence[Run], across: Scale, up: Scale) -> str:
    if not best:
        return ""
    first = best[0]
    steps = "".join(f"H{across.at(run.score.moves):g}V{up.at(_unmet(run)):g}" for run in best[1:])
    return f"M{across.at(first.score.moves):g} {up.at(_unmet(first)):g}{steps}"


def _points(
    runs: Sequence[Run], looks: Mapping[str, tuple[int, int]], across: Scale, up: Scale
) -> tuple[Point, ...]:
    taken: list[tuple[float, float]] = []
    points = []
    for run in sorted(runs, key=lambda one: (up.at(_unmet(one)), across.at(one.score.moves))):
        x, y = across.at(run.score.moves), up.at(_unmet(run))
        label_y = y + 4.0
        while any(
            abs(x - left) < _LABEL_WIDTH and abs(label_y - at) < _LABEL_PITCH for left, at in taken
        ):
            label_y += _LABEL_PITCH / 2
        taken.append((x, label_y))
        score = run.score
        points.append(
            Point(
                x=x,
                y=y,
                colour=looks[run.contender][0],
                is_ours=is_ours(run.contender),
                label=short_label(run.contender),
                label_y=place(label_y),
                told=f"{run.contender}, seed {run.seed}: {unmet_percent(score.unmet_ratio)} % unmet, "
                f"{counted(score.moves, 'move')}, {score.moved_gib:.0f} GiB",
            )
        )
    return tuple(points)
