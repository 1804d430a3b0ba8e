"""Which replays are beaten outright: another one of the same start and seed is at least as good in all that counts.

What counts is unmet demand, moves and GiB moved, each the less the better.
"""

from collections.abc import Sequence

from balancer.lab.result import Run, Score

Prices = tuple[float, int, float]


def dominated(runs: Sequence[Run]) -> frozenset[int]:
    """Return the places of the runs that another one of the same start and seed dominates."""
    return frozenset(
        place
        for place, run in enumerate(runs)
        if any(_is_rival(other, run) and beats(other.score, run.score) for other in runs)
    )


def beats(one: Score, other: Score) -> bool:
    """Whether `one` is nowhere worse and somewhere better."""
    mine, its = _prices(one), _prices(other)
    return mine != its and all(left <= right for left, right in zip(mine, its, strict=True))


def _prices(score: Score) -> Prices:
    return score.unmet_ghz_h, score.moves, score.moved_gib


def _is_rival(other: Run, run: Run) -> bool:
    return other is not run and (other.start, other.seed) == (run.start, run.seed)
