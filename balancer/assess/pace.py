"""Learns from finished migrations how much longer they take than the model says, host pair by host pair.

A pure function over the journal's rows. Works with the logarithm of measured over predicted seconds, so that
twice and half weigh the same, and with medians, so that single migrations that waited in a queue or were
looked at late do not matter. Each level explains what the one above has left: all hosts, sources, targets,
pairs. What is not clearly more than chance is left out. See docs/understand/durations.md.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import exp, log, sqrt
from types import MappingProxyType
from typing import TypeVar

from balancer.model.duration import SETUP_SECONDS
from balancer.model.outcome import SEEN_LATE, JournalRow, MoveState
from balancer.model.pace import FASTEST, SLOWEST, Paces
from balancer.model.units import HostId

HALF_LIFE = timedelta(days=14)
"""After this time a migration counts half."""

FEWEST = 3.0
"""Migrations, by weight, below which nothing is learnt of a pair: of two, one may be the odd one.

Above the pairs each pair counts so much at the most, and more than that is needed: what is said of a host, or
of all, has shown on several pairs.
"""

BELIEVED_SPREAD = 0.25
"""Deviation of the logarithm that is believed before anything is measured; counts as `BELIEVED_COUNT`."""

BELIEVED_COUNT = 5.0

LEAST_SPREAD = 0.05

CLEAR = 2.0
"""So many standard errors of the median must be passed before anything is believed to be more than chance."""

MEDIAN_ERROR = 1.25
"""Standard error of a median over that of a mean, for normal spread."""

MAD_TO_DEVIATION = 1.4826
"""Standard deviation over the median absolute deviation, for normal spread."""

_ROUNDING = 1e-9

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One finished migration: how far it was off, as a logarithm, and how much it counts.

    `vote` is its weight where pairs are told together.
    """

    source: HostId
    target: HostId
    error: float
    weight: float
    vote: float = 0.0


def learn_paces(rows: Iterable[JournalRow], *, now: datetime) -> Paces:
    """Return the factors that the finished migrations among the rows call for. Rows in any order.

    Rounded to hundredths, so that a plan does not change with every migration.
    """
    known = sorted(rows, key=lambda row: row.id)
    cases = _with_votes([case for row in known if (case := _case(row, now)) is not None])
    spread = _spread(cases)
    cluster, cases = _level(cases, lambda _: "", spread)
    source, cases = _level(cases, lambda case: case.source, spread)
    target, cases = _level(cases, lambda case: case.target, spread)
    pair = {
        key: _believed([(case.error, case.weight) for case in group], spread, more_than=0.0)
        for key, group in _pairs(cases).items()
    }
    return Paces(
        cluster=_factors(cluster).get("", 1.0),
        source=_factors(source),
        target=_factors(target),
        pair=_factors(pair),
    )


def spread_of(rows: Iterable[JournalRow], *, now: datetime) -> tuple[float, int]:
    """Return the deviation of ln(measured / predicted) of migrations between two hosts, and of how many it is.

    Without finished migrations it is `BELIEVED_SPREAD`.
    """
    cases = [case for row in rows if (case := _case(row, now)) is not None]
    return _spread(cases), len(cases)


def _case(row: JournalRow, now: datetime) -> _Case | None:
    """Return what a row teaches; None where it ended otherwise, or nobody saw when."""
    entry = row.entry
    if row.state is not MoveState.DONE or row.submitted_at is None or row.ended_at is None:
        return None
    taken_s = (row.ended_at - row.submitted_at).total_seconds()
    is_cut_off = entry.pace < 1.0 and entry.expected_seconds <= SETUP_SECONDS
    if taken_s <= 0.0 or entry.expected_seconds <= 0.0 or is_cut_off or SEEN_LATE in row.detail:
        return None
    error = log(taken_s * entry.pace / entry.expected_seconds)
    age = max((now - row.ended_at) / HALF_LIFE, 0.0)
    most = log(SLOWEST / FASTEST)
    return _Case(
        source=entry.source,
        target=entry.target,
        error=min(max(error, -most), most),
        weight=0.5**age,
    )


def _pairs(cases: Iterable[_Case]) -> Mapping[tuple[HostId, HostId], list[_Case]]:
    pairs: defaultdict[tuple[HostId, HostId], list[_Case]] = defaultdict(list)
    for case in cases:
        pairs[case.source, case.target].append(case)
    return pairs


def _with_votes(cases: Sequence[_Case]) -> list[_Case]:
    """Return the cases with their votes: no pair has more than `FEWEST`, however often it was used."""
    weights = {key: sum(case.weight for case in group) for key, group in _pairs(cases).items()}
    return [
        replace(case, vote=case.weight * min(FEWEST / weights[case.source, case.target], 1.0))
        for case in cases
    ]


def _level(
    cases: Sequence[_Case], key_of: Callable[[_Case], Key], spread: float
) -> tuple[dict[Key, float], list[_Case]]:
    """Return what each group of cases calls for, and the cases with what is left to explain."""
    groups: defaultdict[Key, list[tuple[float, float]]] = defaultdict(list)
    for case in cases:
        groups[key_of(case)].append((case.error, case.vote))
    found = {key: _believed(group, spread, more_than=FEWEST) for key, group in groups.items()}
    return found, [replace(case, error=case.error - found[key_of(case)]) for case in cases]


def _believed(group: Sequence[tuple[float, float]], spread: float, *, more_than: float) -> float:
    """Return the median of a group as far as it is more than chance, 0 where it is not.

    A median m with a threshold t of two standard errors counts m - t^2 / m: nothing at the threshold, nearly
    all of it well above (the non-negative garrote, Breiman 1995).
    """
    count = sum(weight for _, weight in group)
    if count < FEWEST * (1.0 - _ROUNDING) or count <= more_than * (1.0 + _ROUNDING):
        return 0.0
    median = _median(group)
    threshold = CLEAR * MEDIAN_ERROR * spread / sqrt(count)
    return median - threshold**2 / median if abs(median) > threshold else 0.0


def _spread(cases: Sequence[_Case]) -> float:
    """Return the deviation of migrations of one pair around their median, of all pairs together."""
    pairs = (
        [(case.error, case.weight) for case in group]
        for group in _pairs(cases).values()
        if len(group) >= FEWEST
    )
    off = [
        (abs(error - median), weight)
        for group in pairs
        for median in [_median(group)]
        for error, weight in group
    ]
    count = sum(weight for _, weight in off)
    seen = MAD_TO_DEVIATION * _median(off) if off else 0.0
    believed = BELIEVED_COUNT * BELIEVED_SPREAD**2
    return max(sqrt((believed + count * seen**2) / (BELIEVED_COUNT + count)), LEAST_SPREAD)


def _median(group: Sequence[tuple[float, float]]) -> float:
    """Return the weighted median; where the weights meet between two values, the one nearer to 0."""
    ordered = sorted(group)
    half = sum(weight for _, weight in ordered) / 2.0
    below = 0.0
    for (value, weight), following in zip(ordered, [*ordered[1:], ordered[-1]], strict=True):
        below += weight
        if abs(below - half) <= _ROUNDING * half:
            return min(value, following[0], key=abs)
        if below > half:
            return value
    return ordered[-1][0]


def _factors(found: Mapping[Key, float]) -> Mapping[Key, float]:
    rounded = {key: round(exp(found[key]), 2) for key in found}
    return MappingProxyType({key: factor for key, factor in rounded.items() if factor != 1.0})
