"""What contenders came to over several starts: the mean of each figure. Values in, values out."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from statistics import fmean

from balancer.lab.result import Run, Score


def mean_runs(runs: Sequence[Run], starts: int) -> tuple[Run, ...]:
    """Return for each contender with a run from all of so many starts one with the means of its scores.

    Counts are rounded to whole ones. Its moves and curves are those of its first run and mean nothing.
    """
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.contender, []).append(run)
    return tuple(_mean(some) for some in by_name.values() if len(some) == starts)


def _mean(runs: Sequence[Run]) -> Run:
    figures = {one.name: _mean_of(runs, one.name) for one in fields(Score)}
    score = Score(**figures)  # type: ignore[arg-type]
    return replace(runs[0], start="", score=score, wall_s=fmean(run.wall_s for run in runs))


def _mean_of(runs: Sequence[Run], name: str) -> float:
    values = [getattr(run.score, name) for run in runs]
    kind: Callable[[float], float] = round if isinstance(values[0], int) else float
    return kind(fmean(values))
