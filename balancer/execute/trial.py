"""How many load moves may be on trial: what nobody has undone for a while earns the next ones. Pure.

Nobody can see beforehand whether somebody else balances the cluster too. So the first moves are few, and only
those that stood their time make more possible. A move that was undone begins it all anew.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from balancer.execute.contention import counts
from balancer.model.outcome import MoveState
from balancer.model.past import Past
from balancer.model.reasons import Reason, Refusal
from balancer.policy.types import Limits

STOOD = timedelta(minutes=15)
"""A move that is still there after this time has stood: three rounds of a scheduler that looks every 5 minutes.

Source: DRS looks every 5 minutes, from vSphere 7.0 on every minute.
"""

STOOD_FOR_ONE_MORE = 2
"""So many moves that stood let one more be on trial: after 2 that stood 3, after 5 that stood 4."""

_MOVED = frozenset({MoveState.DONE, MoveState.EXTERNAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Load moves that may be on trial at a time, and those that are."""

    allowed: int
    under_way: int

    def with_more(self, count: int) -> "Trial":
        """Return the trial with further moves under way."""
        return replace(self, under_way=self.under_way + count)

    def refusal(self, count: int) -> Refusal | None:
        """Return why so many more must wait, or None.

        A group that goes together or not at all may be larger than what is allowed, where nothing else is on
        trial: it would wait for ever.
        """
        if self.under_way == 0 or self.under_way + count <= self.allowed:
            return None
        detail = (
            f"{self.allowed} load moves at a time until more of them have stood for"
            f" {STOOD.total_seconds() / 60:.0f} minutes"
        )
        return Refusal.of(Reason.ON_TRIAL, detail)


def trial_of(past: Past, limits: Limits, *, now: datetime) -> Trial:
    """Return how many load moves may be on trial after what is remembered, and how many are."""
    load = [row for row in past.rows if not row.entry.reason.is_mandatory]
    undone_at = max((m.seen_at for m in past.foreign_moves if counts(m)), default=None)
    under_way = [
        row
        for row in load
        if row.state.is_open or (row.state in _MOVED and now - row.last_at < STOOD)
    ]
    stood = [
        row
        for row in load
        if row.state is MoveState.DONE
        and now - row.last_at >= STOOD
        and (undone_at is None or row.last_at > undone_at)
    ]
    allowed = limits.moves_on_trial + len(stood) // STOOD_FOR_ONE_MORE
    return Trial(allowed=allowed, under_way=len(under_way))
