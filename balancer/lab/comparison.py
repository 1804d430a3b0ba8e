"""Two results side by side: what was set otherwise, and figure by figure what became better or worse.

Runs are paired by contender, placement and seed; where each result has one policy of ours that the other has not,
these two are a pair, too. Judges nothing beyond that: of every figure less is better,
but for restarts, which are fewer also where VMs stayed down.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from balancer.lab.figures import OURS, has_failures
from balancer.lab.replayed import Replayed, RunKey, run_key
from balancer.lab.result import Result, Run, Score


class Course(StrEnum):
    """What became of a figure from the first result to the second. "other" is neither better nor worse."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that was set otherwise. `is_trace`: of the load itself, so that the figures mean other things."""

    what: str
    first: str
    second: str
    is_trace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One figure of both results, in `unit`, with `digits` behind the point. `is_judged`: less is better."""

    name: str
    unit: str
    digits: int
    first: float
    second: float
    is_judged: bool = True

    @property
    def change(self) -> float:
        """Return by how much the second is more."""
        return self.second - self.first

    @property
    def change_ratio(self) -> float | None:
        """Return the change as a share of the first; None where the first is 0 and the second is not."""
        if self.first == 0.0:
            return 0.0 if self.second == 0.0 else None
        return self.change / self.first

    @property
    def course(self) -> Course:
        """Return what became of it."""
        if self.first == self.second:
            return Course.SAME
        if not self.is_judged:
            return Course.OTHER
        return Course.BETTER if self.second < self.first else Course.WORSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A run that both results have. `second_contender` is another one where two policies of ours are set beside."""

    contender: str
    second_contender: str
    start: str
    seed: int
    deltas: tuple[Delta, ...]

    @property
    def is_same(self) -> bool:
        """Whether no figure differs."""
        return all(delta.course is Course.SAME for delta in self.deltas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs between two results, named `first` and `second`."""

    first: str
    second: str
    differences: tuple[Difference, ...]
    pairs: tuple[Pair, ...]
    only_first: tuple[RunKey, ...]
    only_second: tuple[RunKey, ...]

    @property
    def other_traces(self) -> tuple[Difference, ...]:
        """Return what differs of the load itself."""
        return tuple(one for one in self.differences if one.is_trace)

    @property
    def is_same(self) -> bool:
        """Whether nothing but the clock tells the results apart."""
        is_alone = self.only_first or self.only_second
        return not (is_alone or self.differences) and all(pair.is_same for pair in self.pairs)


Figure = tuple[str, str, int, Callable[[Score], float]]

_FIGURES: tuple[Figure, ...] = (
    ("unmet demand", "%", 4, lambda score: score.unmet_ratio * 100.0),
    ("unmet demand", "GHz·h", 2, lambda score: score.unmet_ghz_h),
    ("host-slots above 80 %", "", 0, lambda score: score.slots_over_80),
    ("host-slots above 100 %", "", 0, lambda score: score.slots_over_100),
    ("host-slots with full memory", "", 0, lambda score: score.memory_slots_full),
    ("memory above the ceiling", "GiB·h", 1, lambda score: score.memory_over_gib_h),
    ("moves", "", 0, lambda score: score.moves),
    ("failed moves", "", 0, lambda score: score.failed_moves),
    ("moved", "GiB", 0, lambda score: score.moved_gib),
    ("copying", "min", 1, lambda score: score.copy_hours * 60.0),
    ("moves again within an hour", "", 0, lambda score: score.repeats),
    ("moves undone within a day", "", 0, lambda score: score.undone),
    ("spread", "pp", 2, lambda score: score.spread * 100.0),
)
"""Name, unit, digits and value of each figure. Of all of them less is better."""

_RESTARTS = "restarts of VMs"
_FAILURES: tuple[Figure, ...] = (
    ("unmet while VMs were down", "GHz·h", 2, lambda score: score.down_ghz_h),
    (_RESTARTS, "", 0, lambda score: score.restarts),
)
"""The same of what failures of hosts cost; told only where any run of the two results had such costs."""


_FILES = frozenset({"trace", "--hosts", "--placement"})
"""Options that name files: their digests say whether they differ, whatever they are called."""


def compared(first: Replayed, second: Replayed, *, names: tuple[str, str]) -> Comparison:
    """Compare two results, in the order of the first."""
    mine = {run_key(run): run for run in first.result.runs}
    its = {run_key(run): run for run in second.result.runs}
    runs = (*first.result.runs, *second.result.runs)
    has_any = any(has_failures(run.score) for run in runs)
    figures = (*_FIGURES, *_FAILURES) if has_any else _FIGURES
    partners = _partners(mine, its)
    return Comparison(
        first=names[0],
        second=names[1],
        differences=(*_loads(first.result, second.result), *_settings(first, second)),
        pairs=tuple(_pair(mine[key], its[partner], figures) for key, partner in partners.items()),
        only_first=tuple(key for key in mine if key not in partners),
        only_second=tuple(key for key in its if key not in partners.values()),
    )


def _partners(mine: Iterable[RunKey], its: Iterable[RunKey]) -> dict[RunKey, RunKey]:
    """Return which run of the second result stands beside each of the first, in the order of the first.

    The same contender; or of each placement and seed the one policy of ours that is in the first alone, and the
    one that is in the second alone: whoever changes the policy wants these two compared.
    """
    first, second = list(mine), set(its)
    alone = {
        at: (
            [key for key in first if key not in second and _is_ours_at(key, at)],
            [key for key in second if key not in first and _is_ours_at(key, at)],
        )
        for at in {key[1:] for key in first}
    }
    pairs = {key: key for key in first if key in second}
    pairs |= {a[0]: b[0] for a, b in alone.values() if len(a) == 1 and len(b) == 1}
    return {key: pairs[key] for key in first if key in pairs}


def _is_ours_at(key: RunKey, at: tuple[str, int]) -> bool:
    return key[1:] == at and key[0].startswith(f"{OURS}:")


def _pair(first: Run, second: Run, figures: Sequence[Figure]) -> Pair:
    return Pair(
        contender=first.contender,
        second_contender=second.contender,
        start=first.start,
        seed=first.seed,
        deltas=tuple(
            Delta(
                name=name,
                unit=unit,
                digits=digits,
                first=float(value(first.score)),
                second=float(value(second.score)),
                is_judged=name != _RESTARTS,
            )
            for name, unit, digits, value in figures
        ),
    )


def _loads(first: Result, second: Result) -> Iterator[Difference]:
    """Yield what differs of the load; where the digest is the same, so is all the rest."""
    if first.trace_digest == second.trace_digest:
        return
    for what, value in (
        ("trace", lambda one: one.trace),
        ("trace digest", lambda one: one.trace_digest),
        ("slots", lambda one: str(one.slots)),
        ("slot, s", lambda one: f"{one.step_s:g}"),
        ("VMs", lambda one: str(one.vms)),
    ):
        if value(first) != value(second):
            yield Difference(what=what, first=value(first), second=value(second), is_trace=True)


def _settings(first: Replayed, second: Replayed) -> Iterator[Difference]:
    yield from _differing(
        {"program": first.recipe.program, "hosts": _hosts(first.result)},
        {"program": second.recipe.program, "hosts": _hosts(second.result)},
    )
    yield from _differing(_figures_of(first.result), _figures_of(second.result))
    yield from _differing(
        {f"digest of {what}": digest for what, digest in first.recipe.digests.items()},
        {f"digest of {what}": digest for what, digest in second.recipe.digests.items()},
    )
    yield from _differing(_policies(first), _policies(second))
    yield from _differing(_options(first), _options(second))


def _hosts(result: Result) -> str:
    return f"{len(result.hosts)}: {', '.join(result.hosts)}"


def _figures_of(result: Result) -> dict[str, str]:
    return {
        "interval, s": f"{result.interval_s:g}",
        "idle memory that counts": f"{result.idle_consumed:g}",
    }


def _policies(made: Replayed) -> dict[str, str]:
    return {f"policy {one.name}": one.digest[:16] for one in made.recipe.policies}


def _options(made: Replayed) -> dict[str, str]:
    told = made.recipe.options.items()
    return {option: ", ".join(values) for option, values in told if option not in _FILES}


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Difference]:
    for what in dict.fromkeys((*first, *second)):
        mine, its = first.get(what, "-"), second.get(what, "-")
        if mine != its:
            yield Difference(what=what, first=mine, second=its)
