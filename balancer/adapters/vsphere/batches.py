"""How many entities one statistics query names: halved when the server refuses, grown slowly after.

Owns the size and its bounds. One oversized query can take a vCenter down, so that a size which was
refused is not tried again for long, and one that was never answered is tried by one query at a time. Used by
`statistics`, from any thread.
"""

import threading

FIRST_SIZE = 50
"""Source: VMware's advice for QueryPerf, 10 to 50 entities in a call."""

LARGEST_SIZE = 100
FORGIVEN_AFTER = 500
"""Answered queries after which a size that was refused may be tried again."""


class BatchSize:
    """Entities in one query, from 1 to below what was refused, and to a ceiling of the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._size = FIRST_SIZE
        self._ceiling = LARGEST_SIZE
        self._barred = LARGEST_SIZE + 1
        self._answered = 0
        self._proven = FIRST_SIZE
        self._tried = 0

    def limit(self, ceiling: int) -> None:
        """Take the most entities that the server allows, at least 1."""
        with self._lock:
            self._ceiling = max(min(ceiling, LARGEST_SIZE), 1)
            self._size = min(self._size, self._ceiling)

    def current(self) -> int:
        """Return the size in force: the most that a query may name."""
        return self._size

    def begun(self) -> int:
        """Return the size of a query that begins now; `ended` must be told when it is over.

        While one query tries a size that was never answered, the others keep to the largest that was.
        """
        with self._lock:
            if self._size <= self._proven:
                return self._size
            if self._tried:
                return self._proven
            self._tried = self._size
            return self._size

    def ended(self, size: int) -> None:
        """Take back what `begun` gave out, whatever became of the query."""
        with self._lock:
            if size == self._tried:
                self._tried = 0

    def worked(self, size: int) -> None:
        """Grow half the way to what was refused, after a full query that was answered."""
        with self._lock:
            self._proven = max(self._proven, size)
            self._answered += 1
            if self._answered >= FORGIVEN_AFTER:
                self._barred, self._answered = LARGEST_SIZE + 1, 0
            room = min(self._ceiling, self._barred - 1) - self._size
            if size >= self._size and room > 0:
                self._size += max(room // 2, 1)

    def refused(self, size: int) -> None:
        """Halve what was refused; a smaller size that is in force already stays."""
        with self._lock:
            self._answered = 0
            self._barred = max(min(self._barred, size), 2)
            self._size = max(min(self._size, size // 2), 1)
            self._proven = min(self._proven, self._size)
