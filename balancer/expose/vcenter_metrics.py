"""What is heard on the wire to one vCenter, as metrics: calls, logins, objects that could not be read.

Implements the observer that the vSphere adapter asks for. Called from any thread; never raises.
"""

import threading

from balancer.expose.instruments import Instruments
from balancer.expose.metric_labels import CAUSES, OTHER, Words
from balancer.model.errors import SourceError
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
        for result in ("ok", "refused", "failed"):
            self._instruments.count("balancer_vcenter_logins_total", label, result, by=0.0)

    def request(self, method: str, result: str, seconds: Seconds) -> None:
        """Count one finished call on the wire."""
        word = self._methods.word(method)
        self._instruments.count(
            "balancer_vcenter_requests_total", self.label, word, self._results.word(result)
        )
        self._instruments.observe(
            "balancer_vcenter_request_duration_seconds", seconds, self.label, word
        )

    def login(self, result: str) -> None:
        """Count one login."""
        self._instruments.count(
            "balancer_vcenter_logins_total", self.label, self._results.word(result)
        )

    def listening(self, is_listening: bool) -> None:
        """Take note whether changes are heard of between cycles."""
        self._instruments.set("balancer_vcenter_change_hints_up", float(is_listening), self.label)

    def changed(self, kind: str) -> None:
        """Count one change that was heard of."""
        self._instruments.count(
            "balancer_vcenter_changes_total", self.label, self._kinds.word(kind)
        )

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
        self._instruments.count(
            "balancer_vcenter_faulty_samples_total",
            self.label,
            self._outcomes.word(fault),
            by=count,
        )

    def take_sampled(self) -> dict[tuple[str, str], int]:
        """Return what this thread's last reading of statistics came to, and forget it."""
        found = self._samples()
        self._rejected.samples = {}
        return found

    def up(self) -> None:
        """Take note that the vCenter answered."""
        self._instruments.set("balancer_vcenter_up", 1.0, self.label)
        self._failing("")

    def down(self, error: SourceError) -> None:
        """Take note that the vCenter could not be asked, and why."""
        self._instruments.set("balancer_vcenter_up", 0.0, self.label)
        self._failing(
            next((word for kind, word in CAUSES.items() if isinstance(error, kind)), OTHER)
        )

    def _failing(self, cause: str) -> None:
        for each in (*CAUSES.values(), OTHER):
            value = float(each == cause)
            self._instruments.set("balancer_vcenter_failing", value, self.label, each)

    def clock_offset(self, offset_s: Seconds) -> None:
        """Take note of the vCenter's clock minus ours, in seconds."""
        self._instruments.set("balancer_vcenter_clock_offset_seconds", offset_s, self.label)

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
