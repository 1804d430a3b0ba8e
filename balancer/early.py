"""When a change that a vCenter tells of is worth a cycle before its turn.

Owns the rate limit of early cycles and the telling apart of our own moves from everybody else's. Runs
nothing itself: it answers with a delay. Sits between the hints of the adapter and the daemon's scheduler.
"""

import threading
from collections.abc import Iterable

from balancer.model.changes import Change
from balancer.model.units import Seconds, VmId
from balancer.ports import Clock

SETTLE_S = 2.0
"""Changes come in bursts (a host in trouble, a script): so long is waited for the rest of one."""


class EarlyCycles:
    """The early cycles of one cluster. Safe for several threads.

    Two cycles begin at least `shortest_s` apart. What changes while a cycle runs is weighed at its end,
    when it is known which VMs it moved: their changes are its own doing. So a VM that is moved by us and
    then by somebody else wakes nobody; the next regular cycle finds it.
    """

    def __init__(self, clock: Clock, *, shortest_s: Seconds) -> None:
        self._clock = clock
        self._shortest_s = shortest_s
        self._lock = threading.Lock()
        self._begun_at: Seconds | None = None
        self._is_running = False
        self._is_asked_for = False
        self._ours: frozenset[VmId] = frozenset()
        self._unweighed: list[Change] = []

    def begun(self) -> None:
        """A cycle begins: it sees whatever has changed until now."""
        with self._lock:
            self._begun_at, self._is_running = self._clock.monotonic(), True
            self._is_asked_for = False
            self._unweighed.clear()

    def paced(self, shortest_s: Seconds) -> None:
        """Keep this distance between two cycles from now on."""
        with self._lock:
            self._shortest_s = shortest_s

    def moved(self, vms: Iterable[VmId]) -> None:
        """The running cycle moved these VMs."""
        with self._lock:
            self._ours = frozenset(vms)

    def ended(self) -> Seconds | None:
        """A cycle has ended; return in how many seconds the next one shall begin, None for its turn."""
        with self._lock:
            self._is_running = False
            told, self._unweighed = self._unweighed, []
            return self._weighed(told)

    def heard(self, changes: Iterable[Change]) -> Seconds | None:
        """Take changes; return as `ended` does. At most one answer for each cycle is not None."""
        with self._lock:
            if self._is_running:
                self._unweighed.extend(changes)
                return None
            return self._weighed(changes)

    def _weighed(self, changes: Iterable[Change]) -> Seconds | None:
        is_urgent = any(c.is_urgent and c.vm not in self._ours for c in changes)
        if not is_urgent or self._is_asked_for:
            return None
        self._is_asked_for = True
        begun_at = self._begun_at
        if begun_at is None:
            return SETTLE_S
        return max(begun_at + self._shortest_s - self._clock.monotonic(), SETTLE_S)
