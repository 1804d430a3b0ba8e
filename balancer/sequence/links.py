"""Copies under way and the links they share: when each will have ended, as others begin and end.

All copies of a host share its link evenly, in both directions together; what one cannot use, because its
other end is slower, is not given to the others (believed; it makes forecasts a little late rather than
early). Keeps time; starts nothing by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil

from balancer.sequence.jobs import Copy, Shop

Key = tuple[int, int]
"""Job and entry of a copy of ours."""


@dataclass(slots=True, eq=False)
class _Run:
    """One copy under way. It sends nothing before `copies_from`, nor after it has been `settled`."""

    copy: Copy
    key: Key
    left_mbit: float
    copies_from: int
    settled: int
    speed: float = 0.0
    version: int = 0


class Links:
    """All that runs. Time only goes forward, to the next end."""

    def __init__(self, shop: Shop) -> None:
        self.now = 0
        self._runs: list[set[_Run]] = [set() for _ in range(shop.hosts)]
        self._foreign = [0] * shop.hosts
        self._stale: set[int] = set()
        self._numbers = 0
        self._ends: list[tuple[int, int, int, _Run | tuple[int, ...]]] = []
        for flight in shop.running:
            self._push(flight.ticks, 0, flight.claims)
            for host in self._hosts_among(flight.claims):
                self._foreign[host] += 1

    @property
    def is_busy(self) -> bool:
        """Whether something runs."""
        return bool(self._ends or self._stale)

    def begin(self, copy: Copy, key: Key) -> None:
        """Let a copy begin now."""
        start = self.now + copy.setup_ticks
        run = _Run(copy=copy, key=key, left_mbit=copy.mbit, copies_from=start, settled=start)
        for host in copy.hosts:
            self._runs[host].add(run)
        self._stale.update(copy.hosts)

    def advance(self) -> Iterator[tuple[Key | None, tuple[int, ...]]]:
        """Go to the next end and yield the key and the claims of all that ends then.

        The key is None for a migration of others.
        """
        self._adapt()
        is_first = True
        while self._ends and (is_first or self._ends[0][0] == self.now):
            at, _, version, what = heappop(self._ends)
            if isinstance(what, _Run) and what.version != version:
                continue
            self.now, is_first = at, False
            yield self._end(what)
        self._drop_outdated()

    def _drop_outdated(self) -> None:
        """Forget ends at the top of the heap that were put off or brought forward."""
        while self._ends:
            _, _, version, what = self._ends[0]
            if not isinstance(what, _Run) or what.version == version:
                break
            heappop(self._ends)

    def _end(self, what: "_Run | tuple[int, ...]") -> tuple[Key | None, tuple[int, ...]]:
        if not isinstance(what, _Run):
            hosts = list(self._hosts_among(what))
            for host in hosts:
                self._foreign[host] -= 1
            self._stale.update(hosts)
            return None, what
        for host in what.copy.hosts:
            self._runs[host].discard(what)
        self._stale.update(what.copy.hosts)
        return what.key, what.copy.claims

    def _adapt(self) -> None:
        """Give every copy on a host where something began or ended its new share, and its new end."""
        touched = {run.key: run for host in self._stale for run in self._runs[host]}
        self._stale.clear()
        for key in sorted(touched):
            self._share(touched[key])

    def _share(self, run: _Run) -> None:
        source, target = run.copy.hosts
        speed = run.copy.mbit_per_tick(self._sharing(source), self._sharing(target))
        if speed == run.speed:
            return
        if self.now > run.settled:
            run.left_mbit -= run.speed * (self.now - run.settled)
            run.settled = self.now
        run.speed = speed
        run.version += 1
        ticks = ceil(max(run.left_mbit, 0.0) / speed)
        self._push(max(self.now, run.copies_from) + ticks, run.version, run)

    def _sharing(self, host: int) -> int:
        return len(self._runs[host]) + self._foreign[host]

    def _hosts_among(self, claims: tuple[int, ...]) -> Iterator[int]:
        return (resource for resource in claims if resource < len(self._runs))

    def _push(self, at: int, version: int, what: "_Run | tuple[int, ...]") -> None:
        heappush(self._ends, (at, self._numbers, version, what))
        self._numbers += 1
