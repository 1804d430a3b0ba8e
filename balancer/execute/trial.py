"""How many load moves may be on trial: what nobody has undone for a while earns the next ones. Pure.

Nobody can see beforehand whether somebody else balances the cluster too. So the first moves are few, and only
those that stood their time make more possible. For a day after a move was undone it is one at a time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from balancer.execute.contention import DAY, counts
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
    against = [m for m in past.foreign_moves if counts(m) and now - m.seen_at < DAY]
    undone_at = max((m.seen_at for m in against), default=None)
    undone = {m.row for m in past.foreign_moves if m.is_against}
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
        and row.id not in undone
        and (undone_at is None or row.last_at > undone_at)
    ]
    first = limits.moves_on_trial if undone_at is None else 1
    allowed = first + len(stood) // STOOD_FOR_ONE_MORE
    return Trial(allowed=allowed, under_way=len(under_way))
