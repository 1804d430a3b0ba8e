"""What a metric is: name with the program's prefix, type, labels, help."""

from dataclasses import dataclass
from enum import StrEnum


class MetricType(StrEnum):
    """The types that are used."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """One metric. `buckets` are the upper bounds of a histogram, in the unit of its name."""

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


def gauge(name: str, labels: tuple[str, ...], text: str) -> MetricSpec:
    """Return a gauge."""
    return MetricSpec(name=f"balancer_{name}", type=MetricType.GAUGE, labels=labels, help=text)


def counter(name: str, labels: tuple[str, ...], text: str) -> MetricSpec:
    """Return a counter."""
    return MetricSpec(name=f"balancer_{name}", type=MetricType.COUNTER, labels=labels, help=text)


def info(name: str, labels: tuple[str, ...], text: str) -> MetricSpec:
    """Return an information metric."""
    return MetricSpec(name=f"balancer_{name}", type=MetricType.INFO, labels=labels, help=text)


def histogram(
    name: str, labels: tuple[str, ...], buckets: tuple[float, ...], text: str
) -> MetricSpec:
    """Return a histogram."""
    return MetricSpec(
        name=f"balancer_{name}",
        type=MetricType.HISTOGRAM,
        labels=labels,
        help=text,
        buckets=buckets,
    )
