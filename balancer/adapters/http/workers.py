"""The few threads on which questions are answered: at most so many, and no more waiting than are worth it."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from balancer.adapters.http.problems import Refused, busy

T = TypeVar("T")

API_THREADS = 8
PROBE_THREADS = 4
"""For metrics and probes, which wait for no question."""

MOST_WAITING = 24


class Workers:
    """Runs what blocks on a thread of a few. Made and used within the event loop's thread or before it runs."""

    def __init__(self, threads: int = API_THREADS, most_waiting: int = MOST_WAITING) -> None:
        self._threads, self._most_waiting = threads, most_waiting
        self._limiter: CapacityLimiter | None = None

    async def run(self, work: Callable[[], T], *, where: str = "/api/") -> T:
        """Run it and return what it returns. Raises `Refused` where too many wait already."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(self._threads)
        if self._limiter.statistics().tasks_waiting >= self._most_waiting:
            raise Refused(busy(where))
        return await to_thread.run_sync(work, limiter=self._limiter)
