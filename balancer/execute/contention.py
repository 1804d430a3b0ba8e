"""Whether somebody else works against us on a cluster, and until when it is left to them. Pure.

Two balancers must not fight: where so many VMs are moved back (or on, or others take their way back) within a
day, nothing more is sent until a day has passed since the last of it, or a person has acknowledged it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from balancer.model.past import ForeignMove
from balancer.policy.types import Limits

DAY = timedelta(hours=24)
"""How long a move by others counts against us, and how long the cluster is left to them after the last one."""

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """A cluster that somebody else works on: since and until when, and which of our moves they undid."""

    since: datetime
    until: datetime
    undone: tuple[ForeignMove, ...]

    @property
    def told(self) -> str:
        """Return what happened, in words."""
        names = sorted({move.vm_name for move in self.undone})
        shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
        return (
            f"somebody else undid moves of ours within a day: {shown};"
            f" left alone until {self.until:%Y-%m-%d %H:%M} UTC or until acknowledged"
        )


def contention(moves: Iterable[ForeignMove], limits: Limits, *, now: datetime) -> Contention | None:
    """Return who has the cluster at `now`, or None.

    A VM counts once, however often it was moved: one that a person wants elsewhere is that VM's matter.
    """
    against = sorted(
        (move for move in moves if counts(move)), key=lambda m: (m.seen_at, m.row, m.target)
    )
    since = until = None
    for move in against:
        recent = {m.vm for m in against if move.seen_at - DAY < m.seen_at <= move.seen_at}
        goes_on = until is not None and move.seen_at < until
        if goes_on or len(recent) >= limits.returns_at_most:
            since = since if goes_on else move.seen_at
            until = move.seen_at + DAY
    if since is None or until is None or now >= until:
        return None
    undone = tuple(move for move in against if move.seen_at > since - DAY)
    return Contention(since=since, until=until, undone=undone)


def counts(move: ForeignMove) -> bool:
    """Whether a move by others speaks against us, and nobody has acknowledged it."""
    return move.is_against and move.acknowledged_at is None
