"""What the journal says of clusters between cycles, told to their metrics: whose lease it is, which plans wait.

Reads the store with each heartbeat and as little as it can. Decides nothing; what cannot be read is counted by
the store itself and read again at the next heartbeat.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from balancer.approvals import PlanState, known_plans
from balancer.expose.metrics import ClusterMetrics
from balancer.model.errors import StoreError
from balancer.model.units import Seconds
from balancer.ports import Clock, Store

NEWEST_PLANS = 20
"""How many of a cluster's last plans are looked at for those that wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A cluster whose metrics are told. `approval_s` gives how long its plans can be approved."""

    metrics: ClusterMetrics
    approval_s: Callable[[], Seconds]


class Standing:
    """Looks for one process; `holder` is what its leases are taken by."""

    def __init__(self, store: Store, clock: Clock, holder: str) -> None:
        self._store, self._clock, self._holder = store, clock, holder
        self._seen: dict[str, tuple[int, int]] = {}

    def look(self, subjects: Mapping[str, Subject]) -> None:
        """Tell the clusters' metrics how things stand; `subjects` are named as their leases are."""
        try:
            self._look(subjects)
        except StoreError:
            return  # told and counted where the store was asked

    def _look(self, subjects: Mapping[str, Subject]) -> None:
        for lease in self._store.leases():
            if lease.shard in subjects:
                metrics = subjects[lease.shard].metrics
                metrics.led_by(lease.holder, is_us=lease.holder == self._holder)
        newest = max((one.id for one in self._store.approvals("", last=1)), default=0)
        for shard, subject in subjects.items():
            moment = (subject.metrics.cycles_ended, newest)
            if self._seen.get(shard) != moment:
                subject.metrics.awaiting(self._waiting(shard, subject.approval_s()))
                self._seen[shard] = moment

    def _waiting(self, shard: str, approval_s: Seconds) -> dict[str, datetime]:
        """Return the plans that wait by digest: one that is made again in the next cycle is the same plan."""
        known = known_plans(self._store, shard, last=NEWEST_PLANS, lasts_s=approval_s)
        now = self._clock.now()
        waiting = [plan for plan in known if plan.state_at(now) is PlanState.WAITING]
        return {one.plan.digest: one.expires_at for one in reversed(waiting)}
