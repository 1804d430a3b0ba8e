"""One entity's real-time samples, read from the server's csv: times, values, and what is wrong with them.

Owns the reading of `PerfEntityMetricCSV`. A value that is missing, negative (the server's "no sample")
or no number is None and counted, never 0. Pure; sits between `statistics` and `figures`.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite

from pyVmomi import vim

from balancer.adapters.vsphere.counters import AGGREGATE, Counter, Meter
from balancer.adapters.vsphere.facts import in_utc, object_id

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


def samples_from(
    answer: vim.PerformanceManager.EntityMetricCSV, meters: Iterable[Meter]
) -> Samples:
    """Read one entity of a QueryPerf answer; series of single devices and unknown counters are left out.

    Source: vSphere API, `PerfEntityMetricCSV.sampleInfoCSV`: interval and time of each sample in turn.
    """
    intervals, times = _clock(answer.sampleInfoCSV or "")
    by_key = {meter.key: meter for meter in meters}
    series: dict[Counter, Values] = {}
    faults: Tally[str] = Tally()
    for entry in answer.value:
        meter = by_key.get(entry.id.counterId)
        if meter is not None and (entry.id.instance or AGGREGATE) == AGGREGATE:
            texts = entry.value.split(",") if entry.value else []
            series[meter.counter] = _values(texts, len(times), meter.factor, faults)
    return Samples(
        id=object_id(answer.entity) or "",
        times=times,
        intervals_s=intervals,
        series=series,
        faults=faults,
    )


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
