"""Typed access by name to the counters, histograms, gauges and infos that one registry holds."""

from collections.abc import Mapping
from typing import TypeVar

from prometheus_client import Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

Kind = TypeVar("Kind", bound=MetricWrapperBase)


class Instruments:
    """The instruments of `metric_catalog`, by full name. A wrong name or type is a mistake of ours."""

    def __init__(self, made: Mapping[str, MetricWrapperBase]) -> None:
        self._made = made

    def counter(self, name: str) -> Counter:
        """Return a counter."""
        return self._as(name, Counter)

    def histogram(self, name: str) -> Histogram:
        """Return a histogram."""
        return self._as(name, Histogram)

    def gauge(self, name: str) -> Gauge:
        """Return a gauge."""
        return self._as(name, Gauge)

    def info(self, name: str) -> Info:
        """Return an info."""
        return self._as(name, Info)

    def _as(self, name: str, kind: type[Kind]) -> Kind:
        found = self._made[name]
        if not isinstance(found, kind):
            raise TypeError(f"{name} is a {type(found).__name__}, not a {kind.__name__}")
        return found
