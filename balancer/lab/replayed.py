"""A result with all that is needed to make it again: options, policies, versions, and which runs were lost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from balancer.lab.result import Result, Run
from balancer.lab.sketch import Sketch, sketch_of
from balancer.model.units import Seconds

RunKey = tuple[str, str, int]
"""Contender, start and seed: what tells the runs of a result apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyText:
    """A policy as it was given: its name on the command line, the SHA-256 of its files, and their text."""

    name: str
    digest: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What repeats a result. `options` are those of the command that change what comes of it, as text.

    `digests` are the SHA-256 of what was read beside the trace, by what it is: `hosts`, `placement random`.
    """

    program: str
    options: Mapping[str, tuple[str, ...]]
    digests: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[PolicyText, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A rule by which the trace was mended: how often, and its first places. See docs/operate/traces.md."""

    rule: str
    count: int
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRun:
    """A run that did not come to its end, and why."""

    contender: str
    start: str
    seed: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What the wall clock says, and nothing else of a result does. `made_at` is RFC 3339 in UTC."""

    made_at: str
    elapsed_s: Seconds
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """A result, the sketch of each of its runs in the same order, and where it comes from."""

    recipe: Recipe
    result: Result
    sketches: tuple[Sketch, ...]
    clock: Clock
    lost: tuple[LostRun, ...] = ()
    mends: tuple[Mended, ...] = ()


def replayed(
    result: Result,
    recipe: Recipe,
    clock: Clock,
    *,
    lost: Iterable[LostRun] = (),
    mends: Iterable[Mended] = (),
) -> Replayed:
    """Put a result and its origin together. Runs are brought into the order of start, seed and contender."""
    runs = tuple(sorted(result.runs, key=run_order))
    return Replayed(
        recipe=recipe,
        result=replace(result, runs=runs),
        sketches=tuple(sketch_of(run.curves) for run in runs),
        clock=clock,
        lost=tuple(sorted(lost, key=lambda one: (one.start, one.seed, one.contender))),
        mends=tuple(mends),
    )


def run_order(run: Run) -> tuple[str, int, str]:
    """Return what the runs of a result are sorted by."""
    return run.start, run.seed, run.contender


def run_key(run: Run) -> RunKey:
    """Return what a run is known by."""
    return run.contender, run.start, run.seed
