"""How many migrations may run at once, per host and per cluster, and which are taken in a wave.

Counts only; knows neither laws nor time. Source: both ends of a vMotion are charged (vCenter's own
limits are the ceiling, the policy's are below them).
"""

from collections import Counter
from itertools import chain

from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from balancer.policy.types import Limits
from balancer.sequence.units import Unit

NO_HOST_SLOT = Refusal.of(Reason.HOST_SLOTS, "no migration slot is free on a host")
NO_CLUSTER_SLOT = Refusal.of(Reason.CLUSTER_SLOTS, "no migration slot is free in the cluster")


class Slots:
    """The slots of one wave. Migrations that run already hold theirs in every wave, see `release`."""

    def __init__(self, snapshot: Snapshot, limits: Limits) -> None:
        flights = snapshot.in_flight
        self.per_host = max(limits.migrations_per_host, 1)
        self.per_cluster = max(min(limits.migrations_per_cluster, limits.migrations_per_vcenter), 1)
        self._foreign = Counter(chain.from_iterable((f.source, f.target) for f in flights))
        self._foreign_total = len(flights)
        self.clear()

    def clear(self) -> None:
        """Begin a new wave."""
        self._taken: Counter[HostId] = Counter(self._foreign)
        self._total = self._foreign_total
        self._units = 0
        self._is_taken_whole = False

    def release(self) -> bool:
        """Count running migrations as ended; False where there were none.

        They end some time, and moves that wait for nothing else are planned for then.
        """
        had_any = self._foreign_total > 0
        self._foreign.clear()
        self._foreign_total = 0
        self.clear()
        return had_any

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits into this wave: no slot is left, or an oversize group has it."""
        return self._total >= self.per_cluster or self._is_taken_whole

    def refuse(self, unit: Unit) -> Refusal | None:
        """Return why `unit` does not fit into this wave, or None.

        An affinity group that is larger than the limits has a wave of its own, in which the limits
        are left to the executor: the group takes turns there.
        """
        if self._units == 0 and self._is_oversize(unit):
            return None
        if self._is_taken_whole or self._total + len(unit.steps) > self.per_cluster:
            return NO_CLUSTER_SLOT
        for host, count in _ends(unit).items():
            if self._taken[host] + count > self.per_host:
                return NO_HOST_SLOT
        return None

    def take(self, unit: Unit) -> None:
        """Hold the unit's slots on all its hosts; an oversize unit holds the whole wave."""
        self._is_taken_whole = self._units == 0 and self._is_oversize(unit)
        self._taken.update(_ends(unit))
        self._total += len(unit.steps)
        self._units += 1

    def give_back(self, unit: Unit) -> None:
        """Free the unit's slots."""
        self._taken.subtract(_ends(unit))
        self._total -= len(unit.steps)
        self._units -= 1
        self._is_taken_whole = False

    def _is_oversize(self, unit: Unit) -> bool:
        most = max(_ends(unit).values())
        return len(unit.steps) > self.per_cluster or most > self.per_host


def _ends(unit: Unit) -> Counter[HostId]:
    return Counter(chain.from_iterable((step.source, step.target) for step in unit.steps))
