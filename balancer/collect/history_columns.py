"""Who is remembered, and in which column: dense, so that whoever goes is replaced by the last one.

Owns when what is known begins anew: a VM that was resized, or seen powered off, and everybody who has been away
for too long. Their number is bounded whatever comes and goes.
"""

from collections.abc import Callable, Sequence

import numpy as np

from balancer.collect.history_ring import Places

SPARE = 256
SPARE_RATIO = 1 / 32
"""How many that are away are kept at most: 256 and one for 32 of those that were seen last."""

_GROWTH = 256


class Columns:
    """Identities with their sizes, and the steps at which each began and was last seen.

    `dropped` is told of each column that goes: (its number, the number of the last one, which takes its place).
    """

    def __init__(self, dropped: Callable[[int, int], None]) -> None:
        self._dropped = dropped
        self._at: dict[str, int] = {}
        self._names: list[str] = []
        self._shown: tuple[str, ...] | None = ()
        self._asked: tuple[list[str], Places] = [], np.zeros(0, dtype=np.intp)
        self.vcpus = np.zeros(0, dtype=np.int64)
        self.memory_mib = np.zeros(0)
        self.begun = np.zeros(0, dtype=np.int64)
        self.seen = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the identities in the order of the columns."""
        if self._shown is None:
            self._shown = tuple(self._names)
        return self._shown

    def of(self, names: Sequence[str]) -> Places:
        """Return the columns of these identities, -1 for one that is not remembered."""
        if names == self._asked[0]:
            return self._asked[1].copy()
        at = self._at
        found = np.array([at.get(name, -1) for name in names], dtype=np.intp)
        if len(names) == len(self) and not (found < 0).any():
            self._asked = list(names), found.copy()
        return found

    def add(self, name: str, *, vcpus: int, memory_mib: float, begun: int) -> int:
        """Give a new identity a column and return it. A size below 0 is not known, a begin of 0 neither."""
        at = len(self._names)
        if at == len(self.vcpus):
            self._grow(at + _GROWTH)
        self._at[name] = at
        self._names.append(name)
        self._shown = None
        self.vcpus[at], self.memory_mib[at] = vcpus, memory_mib
        self.begun[at] = self.seen[at] = begun
        return at

    def drop(self, name: str) -> None:
        """Forget an identity, if it is remembered."""
        at = self._at.pop(name, None)
        if at is None:
            return
        self._asked = [], np.zeros(0, dtype=np.intp)
        last = len(self._names) - 1
        self._dropped(at, last)
        moved = self._names.pop()
        if at != last:
            self._names[at], self._at[moved] = moved, at
            for facts in (self.vcpus, self.memory_mib, self.begun, self.seen):
                facts[at] = facts[last]
        self._shown = None

    def drop_absent(self, step: int, within: int) -> None:
        """Forget who was not seen within so many steps before `step`, and of those away at it the ones too many."""
        seen = self.seen[: len(self)]
        away = np.flatnonzero(seen < step)
        most = SPARE + int((len(self) - len(away)) * SPARE_RATIO)
        longest = away[np.argsort(seen[away], kind="stable")]
        too_many = max(len(longest) - most, 0)
        is_late = seen[longest] < step - within
        gone = [self._names[at] for at in longest[(np.arange(len(longest)) < too_many) | is_late]]
        for name in gone:
            self.drop(name)

    def _grow(self, room: int) -> None:
        for name in ("vcpus", "memory_mib", "begun", "seen"):
            old = getattr(self, name)
            new = np.zeros(room, dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
