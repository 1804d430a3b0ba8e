"""What is heard on the wire to one vCenter, as metrics: calls, logins, objects that could not be read.

Implements the observer that the vSphere adapter asks for. Called from any thread; never raises.
"""

import threading

from balancer.expose.instruments import Instruments
from balancer.expose.metric_labels import Words
from balancer.model.units import Seconds


class VcenterMetrics:
    """Listener of one vCenter.

    Objects that a read left out are kept for the cluster whose cycle runs on the same thread: the
    adapter reads one cluster at a time and does not know the label of the cluster it reads.
    """

    def __init__(self, label: str, instruments: Instruments) -> None:
        self.label = label
        self._instruments = instruments
        self._methods = Words(most=48)
        self._results = Words(most=16)
        self._causes = Words(most=24)
        self._outcomes = Words(most=24)
        self._kinds = Words(most=24)
        self._rejected = threading.local()

    def request(self, method: str, result: str, seconds: Seconds) -> None:
        """Count one finished call on the wire."""
        word = self._methods.word(method)
        counter = self._instruments.counter("balancer_vcenter_requests_total")
        counter.labels(self.label, word, self._results.word(result)).inc()
        histogram = self._instruments.histogram("balancer_vcenter_request_duration_seconds")
        histogram.labels(self.label, word).observe(max(seconds, 0.0))

    def login(self, result: str) -> None:
        """Count one login."""
        counter = self._instruments.counter("balancer_vcenter_logins_total")
        counter.labels(self.label, self._results.word(result)).inc()

    def listening(self, is_listening: bool) -> None:
        """Take note whether changes are heard of between cycles."""
        gauge = self._instruments.gauge("balancer_vcenter_change_hints_up")
        gauge.labels(self.label).set(float(is_listening))

    def changed(self, kind: str) -> None:
        """Count one change that was heard of."""
        counter = self._instruments.counter("balancer_vcenter_changes_total")
        counter.labels(self.label, self._kinds.word(kind)).inc()

    def rejected(self, kind: str, cause: str, count: int) -> None:
        """Take the objects of one read that are not in the snapshot."""
        pending = self._pending()
        key = (self._causes.word(kind), self._causes.word(cause))
        pending[key] = pending.get(key, 0) + count

    def take_rejected(self) -> dict[tuple[str, str], int]:
        """Return what this thread's last read left out, by kind and cause, and forget it."""
        pending = self._pending()
        self._rejected.pending = {}
        return pending

    def sampled(self, kind: str, outcome: str, count: int) -> None:
        """Take the objects of one reading of statistics, by what came of it."""
        self._samples()[self._causes.word(kind), self._outcomes.word(outcome)] = count

    def faulty_samples(self, fault: str, count: int) -> None:
        """Count values of statistics that are no numbers."""
        counter = self._instruments.counter("balancer_vcenter_faulty_samples_total")
        counter.labels(self.label, self._outcomes.word(fault)).inc(max(count, 0))

    def take_sampled(self) -> dict[tuple[str, str], int]:
        """Return what this thread's last reading of statistics came to, and forget it."""
        found = self._samples()
        self._rejected.samples = {}
        return found

    def up(self, is_up: bool) -> None:
        """Take note whether the vCenter answered."""
        gauge = self._instruments.gauge("balancer_vcenter_up")
        gauge.labels(self.label).set(float(is_up))

    def clock_offset(self, offset_s: Seconds) -> None:
        """Take note of the vCenter's clock minus ours, in seconds."""
        gauge = self._instruments.gauge("balancer_vcenter_clock_offset_seconds")
        gauge.labels(self.label).set(offset_s)

    def _samples(self) -> dict[tuple[str, str], int]:
        if not hasattr(self._rejected, "samples"):
            self._rejected.samples = {}
        samples: dict[tuple[str, str], int] = self._rejected.samples
        return samples

    def _pending(self) -> dict[tuple[str, str], int]:
        if not hasattr(self._rejected, "pending"):
            self._rejected.pending = {}
        pending: dict[tuple[str, str], int] = self._rejected.pending
        return pending
