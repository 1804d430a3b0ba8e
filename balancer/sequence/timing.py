"""When each move is expected to start: the list schedule under the limits, simulated.

A forecast for people and for the order of the list; the executor goes by what really happens. No wave
is overtaken: a move starts when its `after` have ended, slots are free and every earlier wave has
begun, so that the order of the list is the order of starts.
"""

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush

from balancer.model.duration import SETUP_SECONDS
from balancer.model.units import HostId, Seconds
from balancer.rules.placement import Ground
from balancer.sequence.dependencies import Entry
from balancer.sequence.slots import Slots
from balancer.sequence.units import step_seconds


def start_times(
    ground: Ground, entries: Sequence[Entry], after: Sequence[Sequence[int]]
) -> list[Seconds]:
    """Return the expected start of each entry, in seconds from the start of the execution."""
    clock = _Clock(ground)
    starts: list[Seconds] = [0.0] * len(entries)
    waiting = list(entries)
    while waiting:
        first_wave = waiting[0].wave
        begun = set()
        for entry in waiting:
            if entry.wave != first_wave:
                break
            if clock.may_start(entry, after[entry.number]):
                starts[entry.number] = clock.start(entry)
                begun.add(entry.number)
        waiting = [entry for entry in waiting if entry.number not in begun]
        if waiting and (not begun or waiting[0].wave == first_wave):
            clock.advance()
    return starts


class _Clock:
    """Simulated time: what runs, when it ends, which slots it holds."""

    def __init__(self, ground: Ground) -> None:
        slots = Slots(ground.snapshot, ground.policy.limits)
        self._per_host, self._per_cluster = slots.per_host, slots.per_cluster
        self._now: Seconds = 0.0
        self._busy: Counter[HostId] = Counter()
        self._running: list[tuple[Seconds, int, HostId, HostId]] = []
        self._ended: set[int] = set()
        self._start_flights(ground)

    def _start_flights(self, ground: Ground) -> None:
        """Let the migrations that run already hold their slots for the rest of their expected time."""
        snapshot = ground.snapshot
        for index, flight in enumerate(snapshot.in_flight, start=1):
            left = SETUP_SECONDS
            known = {flight.source, flight.target} <= snapshot.host_by_id.keys()
            if known and flight.vm in ground.demand:
                since = flight.started_at or snapshot.taken_at
                elapsed = (snapshot.taken_at - since).total_seconds()
                whole = step_seconds(ground, flight.vm, flight.source, flight.target)
                left = max(whole - elapsed, SETUP_SECONDS)
            self._hold(left, -index, flight.source, flight.target)

    def may_start(self, entry: Entry, after: Sequence[int]) -> bool:
        """Whether all that the entry waits for has ended and slots are free on both hosts."""
        ends = (entry.step.source, entry.step.target)
        if len(self._running) >= self._per_cluster:
            return False
        if any(self._busy[host] >= self._per_host for host in ends):
            return False
        return all(number in self._ended for number in after)

    def start(self, entry: Entry) -> Seconds:
        """Start the entry now and return the time."""
        step = entry.step
        self._hold(self._now + step.seconds, entry.number, step.source, step.target)
        return self._now

    def advance(self) -> None:
        """Go to the end of the migration that ends next."""
        self._now, number, source, target = heappop(self._running)
        self._ended.add(number)
        self._busy.subtract((source, target))

    def _hold(self, until: Seconds, number: int, source: HostId, target: HostId) -> None:
        heappush(self._running, (until, number, source, target))
        self._busy.update((source, target))
