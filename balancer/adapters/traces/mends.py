"""What was mended while a trace was read: by which rule, how often, and where first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

FIRST_PLACES = 3
"""How many places of one rule are kept by name; all are counted."""


class MendRule(StrEnum):
    """The rules of mending. The words stand in results; docs/operate/traces.md explains each."""

    GAP_FILLED = "gap_filled"
    NEGATIVE = "negative"
    NOT_A_NUMBER = "not_a_number"
    ABSURD = "absurd"
    MEMORY_ABOVE_SIZE = "memory_above_size"
    DUPLICATE = "duplicate"
    UNORDERED = "unordered"
    OFF_GRID = "off_grid"
    SIZE_JITTER = "size_jitter"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One rule that had to be used: `count` times, first at `places`, in the order of the file."""

    rule: MendRule
    count: int
    places: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line for people."""
        more = ", ..." if self.count > len(self.places) else ""
        return f"{self.rule}: {self.count} ({', '.join(self.places)}{more})"


@dataclass(slots=True)
class Ledger:
    """Counts mends while a trace is being read."""

    _counts: dict[MendRule, int] = field(default_factory=dict)
    _places: dict[MendRule, list[str]] = field(default_factory=dict)

    def note(self, rule: MendRule, count: int, places: Iterable[str]) -> None:
        """Count a rule's uses; of `places` the first ones are kept."""
        if count == 0:
            return
        self._counts[rule] = self._counts.get(rule, 0) + count
        kept = self._places.setdefault(rule, [])
        for place in places:
            if len(kept) >= FIRST_PLACES:
                break
            kept.append(place)

    def mends(self) -> tuple[Mend, ...]:
        """Return what was counted, in the order of the rules."""
        return tuple(
            Mend(rule=rule, count=self._counts[rule], places=tuple(self._places[rule]))
            for rule in MendRule
            if rule in self._counts
        )
