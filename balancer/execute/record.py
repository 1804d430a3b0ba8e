"""The journal as one execution writes it: an intent before each call, and no step that gets lost.

`begin` must succeed before anything is sent. A later step that cannot be written is kept and tried
again before the next one; while any is kept, nothing new may be sent (see `is_behind`).
"""

import logging

from balancer.model.errors import StoreError
from balancer.model.lease import Permit
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep
from balancer.ports import Store

log = logging.getLogger(__name__)


class Record:
    """Writes steps in order, and remembers those that the store did not take."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: list[tuple[int, JournalStep]] = []

    @property
    def is_behind(self) -> bool:
        """Whether the journal lacks a step that has happened."""
        return bool(self._kept)

    def open_rows(self, vcenter: str) -> tuple[JournalRow, ...]:
        """Return the open rows; raises `StoreError`."""
        return self._store.open_rows(vcenter)

    def begin(self, entry: JournalEntry, permit: Permit) -> int:
        """Write the intent; raises `StoreError`, and then nothing may be sent."""
        return self._store.begin(entry, permit)

    def advance(self, row: int, step: JournalStep) -> None:
        """Write a step now, or keep it for later."""
        self._kept.append((row, step))
        self.catch_up()

    def catch_up(self) -> None:
        """Write what was kept, oldest first, as far as the store takes it."""
        while self._kept:
            row, step = self._kept[0]
            try:
                self._store.advance(row, step)
            except StoreError as err:
                facts = {"row": row, "state": str(step.state), "error": str(err)}
                log.error("journal step not written, kept for later", extra=facts)
                return
            self._kept.pop(0)
