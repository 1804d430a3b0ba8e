"""What was mended while a trace was read: by which rule, how often, and where first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

FIRST_PLACES = 3
"""How many places of one rule are kept by name; all are counted."""


class MendRule(StrEnum):
    """The rules of mending. The words stand in results; docs/operate/traces.md explains each."""

    HEADER_AGAIN = "header_again"  # a second row of names: left out
    NOT_A_NUMBER = "not_a_number"  # NaN, inf, null: no sample
    NEGATIVE = "negative"  # no sample
    ABSURD = "absurd"  # far above what the VM's size can want: no sample
    UNORDERED = "unordered"  # rows that go back in time: sorted
    OFF_GRID = "off_grid"  # a time between two slots: taken for the nearest
    DUPLICATE = "duplicate"  # several rows of one slot: averaged
    MEMORY_ABOVE_SIZE = "memory_above_size"  # cut to the size
    CPU_MISSING = "cpu_missing"  # memory without CPU: no sample of either
    MEMORY_HELD = "memory_held"  # CPU without memory: the last known memory
    GAP_FILLED = "gap_filled"  # up to 15 minutes: the last value
    GAP_LEFT = "gap_left"  # more than 15 minutes without CPU: the VM counts as not there
    SAMPLE_WHILE_OFF = "sample_while_off"  # a figure above 0 of a VM that is powered off: off
    SIZE_JITTER = "size_jitter"  # a change of memory that is small or short: no change of size
    UNKNOWN_VM = "unknown_vm"  # a size or a place for a VM without figures: not used
    CUT_SHORT = "cut_short"  # the last line of a recording's file was not finished: left out
    LEFT_OUT = "left_out"  # VMs without a size, a place or a host that is large enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One rule that had to be used: `count` times, first at `places`, in the order of the file."""

    rule: MendRule
    count: int
    places: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line for people."""
        more = "; ..." if self.count > len(self.places) else ""
        return f"{self.rule}: {self.count} ({'; '.join(self.places)}{more})"


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
