"""One entity's real-time samples, read from the server's csv: times, values, and what is wrong with them.

Owns the reading of `PerfEntityMetricCSV`. A value that is missing, negative (the server's "no sample")
or no number is None and counted, never 0. Pure; sits between `statistics` and `figures`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from math import isfinite

from balancer.adapters.vsphere.counters import AGGREGATE, Counter, Meter
from balancer.adapters.vsphere.facts import in_utc

Values = tuple[float | None, ...]

_WHOLE_NUMBERS = re.compile(r"[0-9,]+")
_LARGEST = 2**63 - 1

GAP = "gap"
NEGATIVE = "negative"
UNREADABLE = "unreadable"
FAULTS = (GAP, NEGATIVE, UNREADABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The samples of one VM or host, oldest first, in the units of `counters.Dimension`.

    Every series is as long as `times`. `intervals_s` is how long each sample lasted. `faults` counts
    the values without a number, by `GAP` (none where the series should have one), `NEGATIVE` and
    `UNREADABLE`.
    """

    id: str
    times: tuple[datetime, ...] = ()
    intervals_s: tuple[float, ...] = ()
    series: Mapping[Counter, Values] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)

    @property
    def newest_at(self) -> datetime | None:
        """Return the time of the newest sample in which anything was measured, None without one."""
        columns = self.series.values()
        for index in range(len(self.times) - 1, -1, -1):
            if any(column[index] is not None for column in columns):
                return self.times[index]
        return None

    def known(self, counter: Counter) -> list[float]:
        """Return the values of a counter that were measured, oldest first."""
        values = self.series.get(counter, ())
        if None in values:
            return [value for value in values if value is not None]
        return list(values)  # type: ignore[arg-type]


@dataclass(slots=True)
class Row:
    """One entity of a QueryPerf answer as text: its id, the clock, series by counter id and instance."""

    entity: str = ""
    clock: str = ""
    series: list[tuple[str, str, str]] = field(default_factory=list)


def samples_from(row: Row, by_key: Mapping[str, Meter]) -> Samples:
    """Read one entity; series of single devices and unknown counters are left out.

    Source: vSphere API, `PerfEntityMetricCSV.sampleInfoCSV`: interval and time of each sample in turn.
    """
    intervals, times = _clock(row.clock)
    found = [
        (by_key[key], text)
        for key, instance, text in row.series
        if instance == AGGREGATE and key in by_key
    ]
    faults: dict[str, int] = {}
    numbers = _all_numbers([text for _, text in found], len(times))
    if numbers is None:
        columns = [_values(text, len(times), meter.factor, faults) for meter, text in found]
    else:
        columns = [
            _scaled(numbers[start : start + len(times)], meter.factor)
            for (meter, _), start in zip(found, range(0, len(numbers), len(times)), strict=True)
        ]
    return Samples(
        id=row.entity,
        times=times,
        intervals_s=intervals,
        series={meter.counter: values for (meter, _), values in zip(found, columns, strict=True)},
        faults=faults,
    )


def _all_numbers(texts: Sequence[str], count: int) -> list[float] | None:
    """Return the values of all series in a row, None unless each has `count` whole numbers of at least 0.

    Nearly always so; a list of them is read as JSON, in a third of the time that it takes one by one.
    """
    joined = ",".join(texts)
    if not _WHOLE_NUMBERS.fullmatch(joined) or any(t.count(",") != count - 1 for t in texts):
        return None
    try:
        values: list[float] = json.loads(f"[{joined}]")
    except ValueError:
        return None
    return values if max(values) <= _LARGEST else None


def _scaled(values: list[float], factor: float) -> Values:
    return tuple([value * factor for value in values])


@lru_cache(maxsize=256)  # the entities of one host carry the same clock
def _clock(text: str) -> tuple[tuple[float, ...], tuple[datetime, ...]]:
    """Return intervals and times; empty where they do not come in pairs that can be read."""
    words = text.split(",") if text else []
    try:
        intervals = tuple(float(word) for word in words[::2])
        times = tuple(in_utc(datetime.fromisoformat(word)) for word in words[1::2])
    except ValueError:
        return (), ()
    is_sound = len(intervals) == len(times) and all(0 < each < 86_401 for each in intervals)
    return (intervals, times) if is_sound else ((), ())


def _values(text: str, count: int, factor: float, faults: dict[str, int]) -> Values:
    """Return `count` values. Which samples a series of another length lacks cannot be told: none counts."""
    texts = text.split(",") if text else []
    if len(texts) != count:
        _count(faults, GAP, count)
        return (None,) * count
    return tuple(_value(text, factor, faults) for text in texts)


def _count(faults: dict[str, int], word: str, by: int = 1) -> None:
    faults[word] = faults.get(word, 0) + by


def _value(text: str, factor: float, faults: dict[str, int]) -> float | None:
    if not text.strip():
        _count(faults, GAP)
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        _count(faults, UNREADABLE)
        return None
    if value < 0:
        _count(faults, NEGATIVE)
        return None
    return value * factor
