"""The calls to the server's performance manager, and what their failures mean.

Owns the wire side of statistics: the table of counters, the interval of real-time samples, the limit on
the size of a query, the query itself. Every failure that the rest of a reading can live with is a value;
a session that has ended, or a server that is not there, is raised for `ReadClient`. Used by `statistics`.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from pyVmomi import vim, vmodl
from pyVmomi.VmomiSupport import ManagedObject

from balancer.adapters.vsphere.counters import AGGREGATE, Catalogue, Meter, catalogue_from
from balancer.adapters.vsphere.csv_answer import read_rows
from balancer.adapters.vsphere.facts import object_id
from balancer.adapters.vsphere.faults import fault_line
from balancer.adapters.vsphere.retrieve import Wanted, retrieve_these
from balancer.adapters.vsphere.samples import Samples, samples_from
from balancer.adapters.vsphere.session import Opened
from balancer.adapters.vsphere.stub import CallFailed, NotConnected, TookTooLong, Unreadable
from balancer.adapters.vsphere.transport import call_within
from balancer.model.units import Seconds

_QUERY_PERF = vim.PerformanceManager._GetMethodInfo("QueryStats")

_ANY = "any-entity"
_OPENS, _CLOSES = "<querySpec", "</querySpec>"

MOST_SAMPLES = 15
"""Five minutes of 20 s: long enough for a mean, short on the wire."""

QUERY_WITHIN_S: Seconds = 15.0
LIMIT_OPTION = "config.vpxd.stats.maxQueryMetrics"
"""How many metrics one query may name; -1 for no limit. Source: VMware KB 2107096."""


class Cause(StrEnum):
    """Why an entity has no samples of this reading."""

    NO_PERMISSION = "no_permission"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    UNREADABLE = "unreadable"
    GONE = "gone"
    NOT_OFFERED = "not_offered"  # no performance manager, no counters, or no real-time samples
    OUT_OF_TIME = "out_of_time"  # the reading's own time was used up before its turn came


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A call that was not answered. `entity` is the one that stands in the way, where it is known."""

    cause: Cause
    detail: str
    entity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a server offers: counters, the seconds of a real-time sample, metrics in one query."""

    catalogue: Catalogue
    interval_s: int
    most_metrics: int | None


def offer_of(opened: Opened, probe: ManagedObject) -> Offer | Refused:
    """Ask once per session what there is. `probe` is any running VM.

    Privileges: `System.View`, for the samples `System.Read` on the entity.
    Source: vSphere API, `PerfProviderSummary.refreshRate` and `currentSupported`.
    """
    manager = opened.content.perfManager
    if manager is None:
        return Refused(cause=Cause.NOT_OFFERED, detail="the server has no performance manager")
    try:
        summary = manager.QueryPerfProviderSummary(probe)
        wanted = Wanted(kind=vim.PerformanceManager, paths=("perfCounter",))
        found = retrieve_these(opened, [manager], wanted, page_size=1)
    except (vmodl.MethodFault, CallFailed) as err:
        return refused(err)
    rate_s = summary.refreshRate or 0
    if not summary.currentSupported or rate_s <= 0:
        return Refused(cause=Cause.NOT_OFFERED, detail="the server keeps no real-time samples")
    table = [
        info
        for facts in found.objects
        for info in facts.many("perfCounter", vim.PerformanceManager.CounterInfo)
    ]
    catalogue = catalogue_from(table)
    if not catalogue.meters:
        why = f"none of its {len(table)} counters is one that is read here"
        return Refused(cause=Cause.NOT_OFFERED, detail=why)
    return Offer(catalogue=catalogue, interval_s=rate_s, most_metrics=most_metrics(opened))


def query(
    opened: Opened,
    refs: Sequence[ManagedObject],
    meters: Sequence[Meter],
    *,
    interval_s: int,
    within_s: Seconds,
    span: tuple[datetime, datetime] | None = None,
) -> tuple[Samples, ...] | Refused:
    """Read samples of entities of one kind, in one call: the newest, or those of a span of the server's time.

    Of real-time samples no times are sent: the server's own "newest" cannot disagree with our clock. Of the past
    there is no newest.
    Source: vSphere API, `PerfQuerySpec.maxSample` (ignored for historical statistics), `startTime` (not included),
    `endTime` (included).
    """
    manager = opened.content.perfManager
    if manager is None:
        return Refused(cause=Cause.NOT_OFFERED, detail="the server has no performance manager")
    try:
        with call_within(min(within_s, QUERY_WITHIN_S)):
            spec = _spec(type(refs[0])(_ANY, opened.stub), meters, interval_s, span)
            keys = [str(object_id(ref)) for ref in refs]
            rows = opened.stub.parsed(
                manager, _QUERY_PERF, ([spec],), read_rows, partial(_for_each, keys)
            )
    except (vmodl.MethodFault, CallFailed) as err:
        return refused(err)
    by_key = {str(meter.key): meter for meter in meters}
    return tuple(samples_from(row, by_key) for row in rows)


def _spec(
    ref: ManagedObject,
    meters: Sequence[Meter],
    interval_s: int,
    span: tuple[datetime, datetime] | None,
) -> Any:
    kinds = vim.PerformanceManager
    ids = [kinds.MetricId(counterId=meter.key, instance=AGGREGATE) for meter in meters]
    spec = kinds.QuerySpec(entity=ref, metricId=ids, intervalId=interval_s, format="csv")
    if span is None:
        spec.maxSample = MOST_SAMPLES
    else:
        spec.startTime, spec.endTime = span
    return spec


def _for_each(keys: Sequence[str], request: str) -> str:
    """Return a request about one entity as one about each of these, which differ in nothing else.

    Measured: pyVmomi takes as long to serialise a specification for each entity as the answer takes here.
    """
    start, end = request.index(_OPENS), request.rindex(_CLOSES) + len(_CLOSES)
    before, _, after = request[start:end].partition(_ANY)
    specs = "".join(f"{before}{escape(key)}{after}" for key in keys)
    return f"{request[:start]}{specs}{request[end:]}"


def refused(err: Exception) -> Refused:
    """Return what a failed call means for the reading.

    Raises:
        vim.fault.NotAuthenticated: the session has ended; it is renewed above.
        NotConnected: nothing was sent, as the server is not there.
    """
    if isinstance(err, vim.fault.NotAuthenticated | NotConnected):
        raise err
    if isinstance(err, CallFailed):
        return Refused(cause=_cause_of(err), detail=str(err))
    if isinstance(err, vim.fault.NoPermission):
        entity = object_id(err.object)
        return Refused(cause=Cause.NO_PERMISSION, detail=fault_line(err), entity=entity)
    if isinstance(err, vmodl.fault.ManagedObjectNotFound):
        return Refused(cause=Cause.GONE, detail=fault_line(err), entity=object_id(err.obj))
    if isinstance(err, vmodl.MethodFault):
        return Refused(cause=Cause.REFUSED, detail=fault_line(err))
    raise err


def _cause_of(err: CallFailed) -> Cause:
    if isinstance(err, TookTooLong):
        return Cause.TIMEOUT
    return Cause.UNREADABLE if isinstance(err, Unreadable) else Cause.BROKEN


def most_metrics(opened: Opened) -> int | None:
    """Return the server's limit on metrics in a query, None where there is none or it is not shown."""
    settings = opened.content.setting
    if settings is None:
        return None
    try:
        found = settings.QueryOptions(LIMIT_OPTION)
    except (vmodl.MethodFault, CallFailed) as err:
        refused(err)
        return None
    for option in found or ():
        text = str(option.value).strip()
        if option.key == LIMIT_OPTION and text.isdecimal() and int(text) > 0:
            return int(text)
    return None
