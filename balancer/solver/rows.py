"""What a model was told, as plain numbers: each constraint can count a solution through by itself.

Owns the meaning of the constraints for the check of solutions. Takes no word of the solver's and loads
nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol


class Row(Protocol):
    """One constraint."""

    def holds(self, values: Sequence[int]) -> bool:
        """Whether a solution, one value per variable, obeys it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A linear sum, and the intervals, bound after bound, that it lies in."""

    variables: Sequence[int]
    coefficients: Sequence[int]
    domain: Sequence[int]

    def holds(self, values: Sequence[int]) -> bool:
        """Whether the sum lies in one of the intervals."""
        total = sum(
            factor * values[index]
            for index, factor in zip(self.variables, self.coefficients, strict=True)
        )
        ends = zip(self.domain[::2], self.domain[1::2], strict=True)
        return any(lowest <= total <= highest for lowest, highest in ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """Literals of which one at least is true: the index of a variable, or -1 less it for its negation."""

    literals: Sequence[int]

    def holds(self, values: Sequence[int]) -> bool:
        """Whether one of them is true."""
        return any(is_true(values, literal) for literal in self.literals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """A multiple of one variable and a constant; without a variable the constant alone."""

    variable: int | None
    coefficient: int
    offset: int

    def of(self, values: Sequence[int]) -> int:
        """Return its value in a solution."""
        if self.variable is None:
            return self.offset
        return self.coefficient * values[self.variable] + self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level that starts at 0 and changes at certain times; what changes at one time is one change.

    It may not go below `lowest` nor above `highest`.
    """

    times: Sequence[Affine]
    changes: Sequence[int]
    lowest: int
    highest: int

    def holds(self, values: Sequence[int]) -> bool:
        """Whether the level stays within its bounds at every time."""
        times = [time.of(values) for time in self.times]
        level, changes = 0, sorted(zip(times, self.changes, strict=True))
        for _time, at_once in groupby(changes, key=lambda change: change[0]):
            level += sum(change for _, change in at_once)
            if not self.lowest <= level <= self.highest:
                return False
        return True


def is_true(values: Sequence[int], literal: int) -> bool:
    """Whether a literal is true in a solution."""
    return bool(values[literal]) if literal >= 0 else not values[-literal - 1]
