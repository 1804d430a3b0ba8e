"""What a vCenter keeps of past statistics: periods, their steps, and which of our counters are in them.

Owns the wire side of asking for it. Must never name more metrics in one query than the server allows: a query of
the past is answered from the vCenter's own database. Sits between `perf` and `past_demand`.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.counters import Catalogue, Counter, Meter, catalogue_from
from balancer.adapters.vsphere.perf import Cause, Refused, most_metrics, refused
from balancer.adapters.vsphere.retrieve import Wanted, retrieve_these
from balancer.adapters.vsphere.session import Opened
from balancer.adapters.vsphere.stub import CallFailed
from balancer.model.units import Seconds

PAST_COUNTERS = (Counter.CPU_DEMAND, Counter.CPU_USAGE, Counter.MEM_ACTIVE)
"""At level 1, which is the default of every period, only `cpu.usagemhz` of these is kept: the other two are of
level 2. Source: catalogue of a vCenter 9.0.1, `PerfCounterInfo.level`."""

ALLOWED_METRICS = 64
"""Metrics in one query of the past where the server does not show its limit. Source: VMware KB 2107096, the
default of `config.vpxd.stats.maxQueryMetrics`."""

LONGEST_STEP_S = 1800
"""Steps of two hours and of a day, of the past month and year, say too little of the course of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch of the past that is kept in steps of one length, and those of our counters that it has."""

    step_s: int
    length_s: Seconds
    meters: tuple[Meter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What is kept, the shortest steps first, and how many metrics one query may name."""

    periods: tuple[Period, ...]
    most_metrics: int


def archive_of(opened: Opened) -> Archive | Refused:
    """Ask what there is. Privilege: `System.View`.

    Source: vSphere API, `PerformanceManager.historicalInterval` (by default 300 s for a day, 1800 s for a week,
    7200 s for a month, 86400 s for a year) and `PerfInterval.level`: a period keeps the counters up to its level.
    """
    manager = opened.content.perfManager
    if manager is None:
        return Refused(cause=Cause.NOT_OFFERED, detail="the server has no performance manager")
    wanted = Wanted(kind=vim.PerformanceManager, paths=("perfCounter", "historicalInterval"))
    try:
        found = retrieve_these(opened, [manager], wanted, page_size=1).objects
    except (vmodl.MethodFault, CallFailed) as err:
        return refused(err)
    counters = [
        info
        for facts in found
        for info in facts.many("perfCounter", vim.PerformanceManager.CounterInfo)
    ]
    kept = [
        one for facts in found for one in facts.many("historicalInterval", vim.HistoricalInterval)
    ]
    periods = periods_from(kept, catalogue_from(counters))
    if not periods:
        why = "no period with steps of half an hour or less keeps a counter that is read here"
        return Refused(cause=Cause.NOT_OFFERED, detail=why)
    limit = most_metrics(opened)
    return Archive(periods=periods, most_metrics=limit or ALLOWED_METRICS)


def periods_from(
    kept: Iterable[vim.HistoricalInterval], catalogue: Catalogue
) -> tuple[Period, ...]:
    """Return the periods that are switched on, short enough, and have any of our counters."""
    meters = catalogue.of(PAST_COUNTERS)
    periods = [
        Period(
            step_s=one.samplingPeriod, length_s=one.length, meters=_up_to(one.level or 1, meters)
        )
        for one in kept
        if one.enabled and 0 < one.samplingPeriod <= LONGEST_STEP_S
    ]
    found = [period for period in periods if period.meters and period.length_s > 0]
    return tuple(sorted(found, key=lambda period: period.step_s))


def _up_to(level: int, meters: Sequence[Meter]) -> tuple[Meter, ...]:
    return tuple(meter for meter in meters if meter.level is None or meter.level <= level)
