"""What was mended while a trace was read: by which rule, how often, and where first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

FIRST_PLACES = 3
"""How many places of one rule are kept by name; all are counted."""


class MendRule(StrEnum):
    """The rules of mending. The words stand in results; docs/operate/traces.md explains each."""

    HEADER_AGAIN = "header_again"
    NOT_A_NUMBER = "not_a_number"
    NEGATIVE = "negative"
    ABSURD = "absurd"
    UNORDERED = "unordered"
    OFF_GRID = "off_grid"
    DUPLICATE = "duplicate"
    MEMORY_ABOVE_SIZE = "memory_above_size"
    CPU_MISSING = "cpu_missing"
    MEMORY_HELD = "memory_held"
    GAP_FILLED = "gap_filled"
    GAP_LEFT = "gap_left"
    SAMPLE_WHILE_OFF = "sample_while_off"
    SIZE_JITTER = "size_jitter"
    UNKNOWN_VM = "unknown_vm"
    CUT_SHORT = "cut_short"
    LEFT_OUT = "left_out"

    @property
    def meaning(self) -> str:
        """Return what was met and what became of it, in words for people."""
        return _MEANINGS[self]


_MEANINGS = {
    MendRule.HEADER_AGAIN: "the row of names once more; left out",
    MendRule.NOT_A_NUMBER: "NaN, null and the like count as no sample",
    MendRule.NEGATIVE: "a figure below 0 counts as no sample",
    MendRule.ABSURD: "a figure far above what the VM's size can want counts as no sample",
    MendRule.UNORDERED: "rows that go back in time are put where they belong",
    MendRule.OFF_GRID: "a time between two steps is taken for the nearest",
    MendRule.DUPLICATE: "several rows of one step are averaged",
    MendRule.MEMORY_ABOVE_SIZE: "active memory above the VM's size is cut to the size",
    MendRule.CPU_MISSING: "memory without CPU counts as no sample of either",
    MendRule.MEMORY_HELD: "CPU without memory: the last known memory counts",
    MendRule.GAP_FILLED: "up to 15 minutes without CPU: the last value counts",
    MendRule.GAP_LEFT: "more than 15 minutes without CPU: the VM counts as not there for so long",
    MendRule.SAMPLE_WHILE_OFF: "a figure of a VM that is powered off is not used",
    MendRule.SIZE_JITTER: "a change of size that is small or short is no change",
    MendRule.UNKNOWN_VM: "a size or a place for a VM without figures is not used",
    MendRule.CUT_SHORT: "the last line of a file was not finished; read up to there",
    MendRule.LEFT_OUT: "VMs without a size, a place or a host that is large enough are not played",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One rule that had to be used: `count` times, first at `places`, in the order of the file."""

    rule: MendRule
    count: int
    places: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.rule}, {self.told}"

    @property
    def told(self) -> str:
        """Return how often, what it means, and the first places."""
        times = "once" if self.count == 1 else f"{self.count:,} times"
        more = "; ..." if self.count > len(self.places) else ""
        return f"{times}: {self.rule.meaning}: {'; '.join(self.places)}{more}"


@dataclass(slots=True)
class Ledger:
    """Counts mends while a trace is being read."""

    _counts: dict[MendRule, int] = field(default_factory=dict)
    _places: dict[MendRule, list[str]] = field(default_factory=dict)

    def note(self, rule: MendRule, count: int, places: Iterable[str]) -> None:
        """Count a rule's uses; of `places` the first ones are kept (of VMs left out: all)."""
        if count == 0:
            return
        self._counts[rule] = self._counts.get(rule, 0) + count
        kept = self._places.setdefault(rule, [])
        for place in places:
            if len(kept) >= FIRST_PLACES and rule is not MendRule.LEFT_OUT:
                break
            kept.append(place)

    def mends(self) -> tuple[Mend, ...]:
        """Return what was counted, in the order of the rules."""
        return tuple(
            Mend(rule=rule, count=self._counts[rule], places=tuple(self._places[rule]))
            for rule in MendRule
            if rule in self._counts
        )
