"""The metrics page, filled by what the loop and the adapters tell.

`Metrics` is made once. Each cluster gets a `ClusterMetrics` (it implements `ports.Events`), each
vCenter a `VcenterMetrics` (it hears of every call on the wire). Gauges of clusters and hosts are those
of the last snapshot, so that what is gone has no series. Decides nothing, and nothing that is told can
make it raise.
"""

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import ProcessCollector, disable_created_metrics

from balancer.expose.cluster_metrics import ClusterMetrics
from balancer.expose.gauge_text import gauge_lines
from balancer.expose.instruments import EOF, Instruments, PageFormat, header, written
from balancer.expose.metric_catalog import CATALOGUE, CLUSTER, PROCESS, VCENTER
from balancer.expose.metric_labels import Words, label_beside
from balancer.expose.metric_spec import MetricSpec, MetricType
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
        self._process = ProcessCollector(registry=None)
        self._clock = clock
        self._clusters: dict[tuple[str, str], ClusterMetrics] = {}
        self._vcenters: dict[str, VcenterMetrics] = {}
        self._counted: dict[tuple[str, str], Instruments] = {}
        self._instruments = Instruments(specs_of(PROCESS))
        self._headers = {
            (spec.name, each): header(spec, each) for spec in CATALOGUE for each in PageFormat
        }
        self._channels = Words(most=32)
        self._instruments.tell("balancer_build_info", _build(revision))

    def for_vcenter(self, vcenter: str) -> VcenterMetrics:
        """Return the listener of one vCenter; the same one each time."""
        if vcenter not in self._vcenters:
            label = label_beside(vcenter, {known.label for known in self._vcenters.values()})
            self._vcenters[vcenter] = VcenterMetrics(label, Instruments(specs_of(VCENTER)))
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
            owner = self.for_vcenter(vcenter)
            taken = {
                one.labels[1] for one in self._clusters.values() if one.labels[0] == owner.label
            }
            label = label_beside(cluster, taken)
            counted = self._counted.setdefault(key, Instruments(specs_of(CLUSTER)))
            self._clusters[key] = ClusterMetrics(label, owner, counted, self._clock)
        self._clusters[key].configured(policy, mode, interval_s)
        return self._clusters[key]

    def known(self, vcenter: str, cluster: str) -> ClusterMetrics | None:
        """Return the listener of a cluster that has one already."""
        return self._clusters.get((vcenter, cluster))

    def keep_clusters(self, clusters: Iterable[tuple[str, str]]) -> None:
        """Drop the gauges of all clusters but these, named by vCenter and cluster as in `for_cluster`.

        What was counted stays: a counter that vanishes would be taken for a restart.
        """
        kept = set(clusters)
        for key in self._clusters.keys() - kept:
            del self._clusters[key]

    def config_loaded(self, digest: str) -> None:
        """Take note that a configuration with this digest is in force."""
        self._set("config_last_reload_successful", 1.0)
        self._set("config_last_reload_success_timestamp_seconds", self._clock.now().timestamp())
        self._instruments.tell("balancer_config_hash_info", {"hash": digest})

    def config_rejected(self) -> None:
        """Take note that a new configuration was not accepted; the old one stays in force."""
        self._set("config_last_reload_successful", 0.0)

    def store_size(self, size_bytes: int) -> None:
        """Take note of the size of the journal's database."""
        self._set("store_size_bytes", float(size_bytes))

    def store_failed(self) -> None:
        """Count a read or a write of the journal that failed."""
        self._instruments.count("balancer_store_errors_total")

    def history_told(self, *, size_bytes: int, oldest_s: Seconds, vms: int) -> None:
        """Take note of what is remembered of demand: bytes on disk, Unix time of the oldest step, VMs."""
        self._set("history_size_bytes", float(size_bytes))
        self._set("history_oldest_timestamp_seconds", oldest_s)
        self._set("history_vms", float(vms))

    def history_failed(self) -> None:
        """Count a read or a write of the history that failed."""
        self._instruments.count("balancer_history_errors_total")

    def notified(self, channel: str, result: str, notices: int = 1) -> None:
        """Count what became of notices; both are words of ours or of the configuration."""
        words = self._channels.word(channel), self._channels.word(result)
        self._instruments.count("balancer_notifications_total", *words, by=notices)

    def recorded(self, result: str) -> None:
        """Count what became of a snapshot that is recorded, in a word of ours."""
        self._instruments.count("balancer_recorded_snapshots_total", result)

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page and its content type: OpenMetrics where `accept` asks for it, else text."""
        if "application/openmetrics-text" in accept:
            return self._written(PageFormat.OPENMETRICS) + EOF, OPENMETRICS_TYPE
        return self._written(PageFormat.TEXT), TEXT_TYPE

    def _written(self, page_format: PageFormat) -> bytes:
        known = sorted(self._clusters.copy().items())
        parts = [(cluster.labels, cluster.parts()) for _, cluster in known]
        texts = [
            part for labels, (kept, now) in parts for part in (*kept, gauge_lines(labels, now))
        ]
        counted = [each for _, each in sorted(self._counted.copy().items())]
        owners = {
            PROCESS: [self._instruments],
            VCENTER: [each.instruments for _, each in sorted(self._vcenters.copy().items())],
            CLUSTER: counted,
        }
        pieces = [written(self._process, page_format)]
        for spec in CATALOGUE:
            if is_sampled(spec):
                lines = "".join(text[spec.name] for text in texts if spec.name in text).encode()
            else:
                found = owners[owner_of(spec)]
                lines = b"".join(each.text(spec.name, page_format) for each in found)
            pieces += (self._headers[spec.name, page_format], lines)
        return b"".join(pieces)

    def _set(self, name: str, value: float) -> None:
        self._instruments.set(f"balancer_{name}", value)


def owner_of(spec: MetricSpec) -> tuple[str, ...]:
    """Return the labels of what the metric belongs to: a cluster, a vCenter, or the process."""
    return next(
        owner for owner in (CLUSTER, VCENTER, PROCESS) if spec.labels[: len(owner)] == owner
    )


def specs_of(owner: tuple[str, ...]) -> Iterator[MetricSpec]:
    """Yield the metrics of one kind of owner that events fill."""
    return (spec for spec in CATALOGUE if owner_of(spec) == owner and not is_sampled(spec))


def is_sampled(spec: MetricSpec) -> bool:
    """Whether the metric is a gauge of a cluster, which shows the last state that was told and no older one."""
    return spec.type is MetricType.GAUGE and "cluster" in spec.labels


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
