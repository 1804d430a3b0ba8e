"""The counters, histograms, gauges and infos that events fill, by name, and their text on the page.

The text of one metric is kept until the metric changes, so that a scrape pays for what happened since the
last one. Writing and reading may come from any thread; a text that is kept is never older than the last
write that had returned.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import count
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from balancer.expose.escape import metric_label
from balancer.expose.metric_spec import MetricSpec, MetricType

Kind = TypeVar("Kind", bound=MetricWrapperBase)

PLAN_ID = "plan_id"
"""What an exemplar names: the plan behind a count or a duration."""

MOST_EXEMPLAR_CHARACTERS = 64
"""OpenMetrics allows 128 characters for an exemplar's names and values together (specification 1.0, Exemplars)."""

_NOT_IN_EXEMPLARS = re.compile(r"[^A-Za-z0-9_.-]")

EOF = b"# EOF\n"
"""Ends an OpenMetrics page."""


class PageFormat(StrEnum):
    """How a page is written."""

    TEXT = "text"
    OPENMETRICS = "openmetrics"


_WRITERS: Mapping[PageFormat, Callable[..., bytes]] = {
    PageFormat.TEXT: generate_latest,
    PageFormat.OPENMETRICS: openmetrics.generate_latest,
}


class Instruments:
    """What one owner counts and measures: a cluster, a vCenter, the process. By full name of `metric_catalog`.

    Each owner has its own, so that what happens to one cluster makes no other's text old. A wrong name or type
    is a mistake of ours.
    """

    def __init__(self, specs: Iterable[MetricSpec]) -> None:
        known = tuple(specs)
        self._made = {spec.name: _made(spec) for spec in known}
        self._silent = {
            spec.name for spec in known if not spec.labels or spec.type is MetricType.INFO
        }
        self._silent -= {spec.name for spec in known if spec.type is MetricType.COUNTER}
        self._ticks = count(1)
        self._changes = dict.fromkeys(self._made, 0)
        self._texts: dict[tuple[str, PageFormat], tuple[int, bytes]] = {}

    def count(self, name: str, *labels: str, by: float = 1.0, plan_id: str = "") -> None:
        """Add to a counter; negative numbers count as none."""
        counter = _child(self._as(name, Counter), labels)
        counter.inc(max(by, 0.0), exemplar=_exemplar(plan_id) if by > 0.0 else None)
        self._changed(name)

    def observe(self, name: str, value: float, *labels: str, plan_id: str = "") -> None:
        """Put a value into a histogram; negative numbers count as 0."""
        histogram = _child(self._as(name, Histogram), labels)
        histogram.observe(max(value, 0.0), exemplar=_exemplar(plan_id))
        self._changed(name)

    def begin(self, name: str, *labels: str) -> None:
        """Show a histogram without a value, so that its first one is seen as an increase."""
        _child(self._as(name, Histogram), labels)
        self._changed(name)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        _child(self._as(name, Gauge), labels).set(value)
        self._changed(name)

    def tell(self, name: str, facts: Mapping[str, str]) -> None:
        """Set an info; what it said before is gone."""
        self._as(name, Info).info({key: metric_label(value) for key, value in facts.items()})
        self._changed(name)

    def text(self, name: str, page_format: PageFormat) -> bytes:
        """Return the lines of one metric; none of a gauge or info without labels that was never told."""
        change = self._changes[name]
        if not change and name in self._silent:
            return b""
        key = (name, page_format)
        kept = self._texts.get(key)
        if kept is not None and kept[0] == change:
            return kept[1]
        whole = written(self._made[name], page_format)
        text = whole[len(head_of(whole)) :]
        self._texts[key] = (change, text)
        return text

    def _changed(self, name: str) -> None:
        """Take note of a change that is made: later than it, so that no text without it is kept for good."""
        self._changes[name] = next(self._ticks)

    def _as(self, name: str, kind: type[Kind]) -> Kind:
        found = self._made[name]
        if not isinstance(found, kind):
            raise TypeError(f"{name} is a {type(found).__name__}, not a {kind.__name__}")
        return found


def header(spec: MetricSpec, page_format: PageFormat) -> bytes:
    """Return the lines above one metric's samples: what it means, and its type."""
    return head_of(written(_made(spec), page_format))


def head_of(text: bytes) -> bytes:
    """Return the comments that a metric's text begins with."""
    end = 0
    while text.startswith(b"#", end):
        end = text.index(b"\n", end) + 1
    return text[:end]


def written(collector: Collector, page_format: PageFormat) -> bytes:
    """Return what one collector has to say, without the end of the page."""
    return _WRITERS[page_format](_Only(collector)).removesuffix(EOF)


class _Only(Collector):
    """One collector by itself, as a registry."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterator[Metric]:
        yield from self._collector.collect()


def _child(instrument: Kind, labels: tuple[str, ...]) -> Kind:
    return instrument.labels(*labels) if labels else instrument


def _exemplar(plan_id: str) -> dict[str, str] | None:
    """Return what names a plan. Its id is a digest; in one that is not, what readers stumble over is `_`."""
    word = _NOT_IN_EXEMPLARS.sub("_", plan_id[:MOST_EXEMPLAR_CHARACTERS])
    return {PLAN_ID: word} if word else None


def _made(spec: MetricSpec) -> MetricWrapperBase:
    match spec.type:
        case MetricType.GAUGE:
            return Gauge(spec.name, spec.help, spec.labels, registry=None)
        case MetricType.COUNTER:
            return Counter(spec.name, spec.help, spec.labels, registry=None)
        case MetricType.HISTOGRAM:
            return Histogram(spec.name, spec.help, spec.labels, registry=None, buckets=spec.buckets)
        case MetricType.INFO:
            return Info(spec.name.removesuffix("_info"), spec.help, registry=None)
