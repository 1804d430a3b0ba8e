"""What a run learns while it goes on: that moves fail, that hosts are lost, that somebody moves VMs back.

Asked before every submit (S8). It goes through memory anew after each failure, and from time to time reads the
whole cluster: what happens on hosts that no move of the plan touches is seen as well. Sends nothing.
"""

from collections.abc import Callable, Mapping

from balancer.execute.breaker import is_probing
from balancer.execute.gates import why_closed
from balancer.execute.review import review, review_ends
from balancer.execute.tools import Tools
from balancer.model.errors import StoreError
from balancer.model.past import Past
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, Seconds, VmId
from balancer.policy.types import Policy
from balancer.ports import ClusterRef

LOOK_EVERY_S: Seconds = 10.0
"""A run that goes on looks at the whole cluster this often, if that is quick."""

LOOKS_AT_MOST = 0.1
"""Share of a run's time that looking may take: a large cluster is looked at less often."""


class Lookout:
    """What one run has learnt so far. `base` is the snapshot that its plan was made from."""

    def __init__(self, base: Snapshot, policy: Policy, tools: Tools) -> None:
        self._cluster = ClusterRef(id=base.cluster.id, name=base.cluster.name)
        self._policy, self._tools = policy, tools
        self._places = _places(base)
        self._has_news = True
        self._is_probing = False
        self._closed: Refusal | None = None
        self._next_look_s = tools.clock.monotonic() + LOOK_EVERY_S

    @property
    def is_probing(self) -> bool:
        """Whether the breaker was open, so that this run sends one move and no more."""
        return self._is_probing

    def failed(self) -> None:
        """Take it that a move of this run has failed."""
        self._has_news = True

    def refusal(self, *, has_sent: bool) -> Refusal | None:
        """Return why nothing more may be sent in this run, or None. `has_sent` says that it sent something."""
        if self._has_news:
            self._learn(lambda: review_ends(self._cluster.id, self._policy, self._tools))
        if self._closed is None and self._is_probing and has_sent:
            return Refusal.of(Reason.BREAKER_OPEN, "one move tries whether moves succeed again")
        return self._closed

    def is_due(self) -> bool:
        """Whether it is time to look at the whole cluster."""
        return self._tools.clock.monotonic() >= self._next_look_s

    def look(self) -> Snapshot:
        """Read the whole cluster, and learn from it.

        Raises:
            SourceError: vCenter could not be asked.
        """
        clock = self._tools.clock
        asked_at, began_s = clock.now(), clock.monotonic()
        snapshot = self._tools.inventory.snapshot(self._cluster)
        took_s = clock.monotonic() - began_s
        self._next_look_s = clock.monotonic() + max(LOOK_EVERY_S, took_s / LOOKS_AT_MOST)
        places, self._places = self._places, _places(snapshot)
        self._learn(
            lambda: review(snapshot, self._policy, self._tools, before=places, asked_at=asked_at)
        )
        return snapshot

    def _learn(self, look_through: Callable[[], Past]) -> None:
        """Keep what closes the cluster; a memory that cannot be read or written does too."""
        now = self._tools.clock.now()
        try:
            past = look_through()
        except StoreError as err:
            self._closed = Refusal.of(Reason.JOURNAL_UNAVAILABLE, str(err))
            return
        self._has_news = False
        self._is_probing = self._is_probing or is_probing(past.breaker, now=now)
        self._closed = why_closed(past, self._policy.limits, now=now)


def _places(snapshot: Snapshot) -> Mapping[VmId, HostId]:
    return {vm.id: vm.host for vm in snapshot.vms}
