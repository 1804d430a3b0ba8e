"""What the daemon saw last of each cluster: snapshot, plan, cycle and failure, for whoever asks without a vCenter.

A listener of each cluster's events that keeps the newest of each kind. Told on the threads of the cycles, read on
those of the HTTP side. What is kept of a cluster that is not watched any more goes with it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from balancer.model.events import (
    CycleEnded,
    CycleFailed,
    Event,
    MoveEnded,
    MoveProgressed,
    PastReviewed,
    PlanMade,
    SnapshotTaken,
)
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last cycle that came to its end without an error, and what it sent."""

    at: datetime
    plan: Plan
    sent: int
    held: Refusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One cluster as the daemon saw it last. Each part is None until it was first seen.

    `plan` was made from `snapshot`; a plan that a person approved does not take its place. `failure` is the last
    error, None again once a cycle has ended well. `progress` is in percent, of migrations that run.
    """

    snapshot: Snapshot | None = None
    plan: Plan | None = None
    past: Past | None = None
    closed: tuple[Refusal, ...] = ()
    ended: Ended | None = None
    failure: CycleFailed | None = None
    progress: tuple[tuple[VmId, int], ...] = ()


NOTHING_SEEN = Seen()


class Board:
    """The newest of each cluster by shard. Thread-safe; what is read is a value and does not change."""

    def __init__(self, clock: Clock, shards: Collection[str] = ()) -> None:
        self._clock = clock
        self._lock = Lock()
        self._seen = dict.fromkeys(shards, NOTHING_SEEN)

    def keep(self, shards: Collection[str]) -> None:
        """Know these clusters from now on, and no others."""
        with self._lock:
            self._seen = {shard: self._seen.get(shard, NOTHING_SEEN) for shard in shards}

    def seen(self, shard: str) -> Seen:
        """Return what was seen last of a cluster; nothing of one that is not known."""
        with self._lock:
            return self._seen.get(shard, NOTHING_SEEN)

    def listener(self, shard: str) -> "Listener":
        """Return what a cluster's events are told to."""
        return Listener(self, shard)

    def note(self, shard: str, event: Event) -> None:
        """Take an event of a cluster; one of a cluster that is gone is passed over."""
        with self._lock:
            before = self._seen.get(shard)
            if before is not None:
                self._seen[shard] = _after(before, event, self._clock.now())


class Listener:
    """A `ports.Events` that notes one cluster's events on the board."""

    def __init__(self, board: Board, shard: str) -> None:
        self._board, self._shard = board, shard

    def tell(self, event: Event) -> None:
        """Note it."""
        self._board.note(self._shard, event)


def _after(seen: Seen, event: Event, now: datetime) -> Seen:
    match event:
        case SnapshotTaken():
            seen = replace(seen, snapshot=event.snapshot, plan=None)
        case PlanMade() if seen.plan is None:
            seen = replace(seen, plan=event.plan)
        case PastReviewed():
            seen = replace(seen, past=event.past, closed=event.closed)
        case CycleEnded():
            sent = sum(1 for outcome in event.outcomes if outcome.was_sent)
            ended = Ended(at=now, plan=event.plan, sent=sent, held=event.held)
            seen = replace(seen, ended=ended, failure=None, progress=())
        case CycleFailed():
            seen = replace(seen, failure=event, progress=())
        case MoveProgressed() | MoveEnded():
            seen = replace(seen, progress=_progress_after(seen, event))
    return seen


def _progress_after(seen: Seen, event: MoveProgressed | MoveEnded) -> tuple[tuple[VmId, int], ...]:
    move = event.move if isinstance(event, MoveProgressed) else event.outcome.move
    others = tuple(pair for pair in seen.progress if pair[0] != move.vm)
    if isinstance(event, MoveEnded):
        return others
    return (*others, (move.vm, event.progress_percent))
