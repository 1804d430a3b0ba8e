"""How long a row of unknown end has been waited for, by every clock that can be asked.

A wall clock that jumps must not end the wait early, and one that was set back must not make it endless: what
this process has waited itself, on the clock that never jumps, counts in any case.
"""

from datetime import datetime

from balancer.model.outcome import JournalRow
from balancer.model.units import Seconds


class Vigil:
    """Remembers since when this process has looked for the end of each open row. For one cluster and thread."""

    def __init__(self) -> None:
        self._since_s: dict[int, Seconds] = {}

    def keep(self, rows: tuple[JournalRow, ...], now_s: Seconds) -> None:
        """Begin to wait for these rows, and forget all others. `now_s` is monotonic."""
        self._since_s = {row.id: self._since_s.get(row.id, now_s) for row in rows}

    def waited_s(
        self, row: JournalRow, *, now_s: Seconds, here: datetime, there: datetime
    ) -> Seconds:
        """Return how long ago the move was intended, at least.

        `here` is our wall clock, `there` the vCenter's. The smaller age of the two counts, since one of them
        may have jumped ahead.
        """
        ages = [(here - row.entry.intended_at).total_seconds()]
        if row.entry.intended_at_vcenter is not None:
            ages.append((there - row.entry.intended_at_vcenter).total_seconds())
        return max(now_s - self._since_s.get(row.id, now_s), min(ages))
