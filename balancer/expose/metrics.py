"""The metrics page: one registry of its own, filled by what the loop and the adapters tell.

`Metrics` is made once. Each cluster gets a `ClusterMetrics` (it implements `ports.Events`), each
vCenter a `VcenterMetrics` (it hears of every call on the wire). Gauges of clusters and hosts are
computed from the last snapshot when the page is read, so that what is gone has no series. Decides
nothing, and nothing that is told can make it raise.
"""

import platform
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from balancer.expose.cluster_metrics import ClusterMetrics
from balancer.expose.instruments import Instruments
from balancer.expose.metric_catalog import CATALOGUE, MetricSpec, MetricType
from balancer.expose.metric_labels import unique_labels
from balancer.expose.metric_samples import Sample
from balancer.expose.vcenter_metrics import VcenterMetrics
from balancer.model.units import Seconds
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.ports import Clock
from balancer.version import VERSION

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

__all__ = ["ClusterMetrics", "Metrics", "VcenterMetrics"]


class Metrics:
    """All metrics of one process. Thread-safe."""

    def __init__(self, clock: Clock, *, revision: str = "unknown") -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._clock = clock
        self._clusters: dict[tuple[str, str], ClusterMetrics] = {}
        self._vcenters: dict[str, VcenterMetrics] = {}
        made = {
            spec.name: _instrument(spec, self.registry)
            for spec in CATALOGUE
            if not _is_sampled(spec)
        }
        self._instruments = Instruments(made)
        self.registry.register(_ClusterGauges(self._clusters))
        self._set("leader", 1.0)
        self._instruments.info("balancer_build_info").info(_build(revision))

    def for_vcenter(self, vcenter: str) -> VcenterMetrics:
        """Return the listener of one vCenter; the same one each time."""
        if vcenter not in self._vcenters:
            label = unique_labels({name: name for name in [*self._vcenters, vcenter]})[vcenter]
            self._vcenters[vcenter] = VcenterMetrics(label, self._instruments)
        return self._vcenters[vcenter]

    def for_cluster(
        self,
        vcenter: str,
        cluster: str,
        *,
        policy: Policy,
        mode: Mode,
        interval_s: Seconds | None = None,
    ) -> ClusterMetrics:
        """Return the listener of one cluster, by the names that the configuration gives.

        Asked again for the same cluster, as after a reload, the same listener takes the new settings.
        """
        key = (vcenter, cluster)
        if key not in self._clusters:
            names = {name: name for owner, name in self._clusters if owner == vcenter}
            label = unique_labels({**names, cluster: cluster})[cluster]
            self._clusters[key] = ClusterMetrics(
                label, self.for_vcenter(vcenter), self._instruments, self._clock
            )
        self._clusters[key].configured(policy, mode, interval_s)
        return self._clusters[key]

    def keep_clusters(self, clusters: Iterable[tuple[str, str]]) -> None:
        """Drop the gauges of all clusters but these, named by vCenter and cluster as in `for_cluster`."""
        kept = set(clusters)
        for key in self._clusters.keys() - kept:
            del self._clusters[key]

    def config_loaded(self, digest: str) -> None:
        """Take note that a configuration with this digest is in force."""
        self._set("config_last_reload_successful", 1.0)
        self._set("config_last_reload_success_timestamp_seconds", self._clock.now().timestamp())
        self._instruments.info("balancer_config_hash_info").info({"hash": digest})

    def config_rejected(self) -> None:
        """Take note that a new configuration was not accepted; the old one stays in force."""
        self._set("config_last_reload_successful", 0.0)

    def store_size(self, size_bytes: int) -> None:
        """Take note of the size of the journal's database."""
        self._set("store_size_bytes", float(size_bytes))

    def notified(self, channel: str, result: str, notices: int = 1) -> None:
        """Count what became of notices for a channel of the configuration."""
        counter = self._instruments.counter("balancer_notifications_total")
        counter.labels(channel, result).inc(notices)

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page and its content type: OpenMetrics where `accept` asks for it, else text."""
        if "application/openmetrics-text" in accept:
            open_page: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return open_page, OPENMETRICS_TYPE
        return generate_latest(self.registry), TEXT_TYPE

    def _set(self, name: str, value: float) -> None:
        self._instruments.gauge(f"balancer_{name}").set(value)


class _ClusterGauges(Collector):
    """Reads the samples of all clusters at the time of the scrape."""

    def __init__(self, clusters: Mapping[tuple[str, str], ClusterMetrics]) -> None:
        self._clusters = clusters
        self._specs = {spec.name: spec for spec in CATALOGUE if _is_sampled(spec)}

    def collect(self) -> Iterable[GaugeMetricFamily]:
        found: defaultdict[str, list[tuple[tuple[str, str], Sample]]] = defaultdict(list)
        for _, cluster in sorted(self._clusters.items(), key=lambda pair: pair[0]):
            for sample in cluster.samples():
                found[sample.name].append((cluster.labels, sample))
        for name, spec in self._specs.items():
            family = GaugeMetricFamily(name, spec.help, labels=spec.labels)
            for labels, sample in found[name]:
                family.add_metric([*labels, *sample.labels], sample.value)
            yield family


def _is_sampled(spec: MetricSpec) -> bool:
    """Whether the metric is computed from a cluster's last state when the page is read."""
    return spec.type is MetricType.GAUGE and "cluster" in spec.labels


def _instrument(spec: MetricSpec, registry: CollectorRegistry) -> MetricWrapperBase:
    match spec.type:
        case MetricType.GAUGE:
            return Gauge(spec.name, spec.help, spec.labels, registry=registry)
        case MetricType.COUNTER:
            return Counter(spec.name, spec.help, spec.labels, registry=registry)
        case MetricType.HISTOGRAM:
            return Histogram(
                spec.name, spec.help, spec.labels, registry=registry, buckets=spec.buckets
            )
        case MetricType.INFO:
            return Info(spec.name.removesuffix("_info"), spec.help, registry=registry)


def _build(revision: str) -> dict[str, str]:
    return {
        "version": VERSION,
        "revision": revision,
        "python": platform.python_version(),
        "ortools": _installed("ortools"),
    }


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
