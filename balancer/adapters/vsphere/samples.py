"""One entity's real-time samples, read from the server's csv: times, values, and what is wrong with them.

Owns the reading of `PerfEntityMetricCSV`. A value that is missing, negative (the server's "no sample")
or no number is None and counted, never 0. Pure; sits between `statistics` and `figures`.
"""

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from math import inf, isfinite

from balancer.adapters.vsphere.counters import AGGREGATE, Counter, Meter
from balancer.adapters.vsphere.facts import in_utc

Values = tuple[float | None, ...]

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
        return [value for value in self.series.get(counter, ()) if value is not None]


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
    series: dict[Counter, Values] = {}
    faults: Tally[str] = Tally()
    for key, instance, text in row.series:
        meter = by_key.get(key)
        if meter is not None and instance == AGGREGATE:
            texts = text.split(",") if text else []
            series[meter.counter] = _values(texts, len(times), meter.factor, faults)
    return Samples(
        id=row.entity,
        times=times,
        intervals_s=intervals,
        series=series,
        faults=faults,
    )


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


def _values(texts: Sequence[str], count: int, factor: float, faults: Tally[str]) -> Values:
    """Return `count` values. Which samples a series of another length lacks cannot be told: none counts."""
    if len(texts) != count:
        faults[GAP] += count
        return (None,) * count
    try:
        values = tuple(map(float, texts))
    except ValueError:
        values = (-1.0,)
    if values and min(values) >= 0.0 and max(values) < inf:
        return tuple(value * factor for value in values)
    return tuple(_value(text, factor, faults) for text in texts)


def _value(text: str, factor: float, faults: Tally[str]) -> float | None:
    if not text.strip():
        faults[GAP] += 1
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        faults[UNREADABLE] += 1
        return None
    if value < 0:
        faults[NEGATIVE] += 1
        return None
    return value * factor
