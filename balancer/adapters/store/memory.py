"""The journal in memory: for the demonstration, the simulation and tests. Gone when the process ends.

The twin of the SQLite store: one suite of tests runs over both. Never to be used against a real vCenter,
where a crash must not lose what was sent.
"""

import threading
from collections.abc import Callable
from datetime import datetime

from balancer.adapters.store.steps import after_step, first_row
from balancer.model.errors import RowOpen, StoreError
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep
from balancer.model.units import ClusterId


class MemoryStore:
    """A `ports.Store` that keeps rows in a list. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[JournalRow] = []

    def begin(self, entry: JournalEntry) -> int:
        """Write an INTENT row and return its id.

        Raises:
            RowOpen: the VM has a row whose end is not known.
        """
        with self._lock:
            for row in self._rows:
                same = (row.entry.vcenter, row.entry.vm) == (entry.vcenter, entry.vm)
                if same and row.state.is_open:
                    raise RowOpen.of(entry.vm_name, row.id)
            self._rows.append(first_row(len(self._rows) + 1, entry))
            return len(self._rows)

    def advance(self, row: int, step: JournalStep) -> None:
        """Write the next state of a row.

        Raises:
            StoreError: there is no such row, or it has ended.
        """
        with self._lock:
            if not 1 <= row <= len(self._rows):
                raise StoreError(f"the journal has no row {row}; nothing was written")
            self._rows[row - 1] = after_step(self._rows[row - 1], step)

    def open_rows(self, vcenter: str) -> tuple[JournalRow, ...]:
        """Return the rows whose end is not known, oldest first."""
        return self._select(lambda row: row.entry.vcenter == vcenter and row.state.is_open)

    def rows_since(
        self, vcenter: str, cluster: ClusterId, since: datetime
    ) -> tuple[JournalRow, ...]:
        """Return the rows intended at or after `since`, oldest first."""
        return self._select(
            lambda row: (
                (row.entry.vcenter, row.entry.cluster) == (vcenter, cluster)
                and row.entry.intended_at >= since
            )
        )

    def _select(self, wanted: Callable[[JournalRow], bool]) -> tuple[JournalRow, ...]:
        with self._lock:
            return tuple(row for row in self._rows if wanted(row))
