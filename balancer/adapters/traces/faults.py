"""Collects what cannot be mended, so that one run names every problem of a file, up to a bound."""

from dataclasses import dataclass, field
from pathlib import Path

from balancer.model.errors import InputError, Problem

MOST_PROBLEMS = 20
"""Problems of one file that are listed; a file with more is wrong as a whole."""

_NO_FURTHER = "the rest of the file was not looked at"


@dataclass(slots=True)
class Faults:
    """The problems found so far in one file."""

    path: Path
    found: list[Problem] = field(default_factory=list)
    _hints: set[str] = field(default_factory=lambda: {""})

    def add(self, where: str, found: str, *, allowed: str = "", hint: str = "") -> None:
        """Add a problem; `where` is row and column. A hint is told once.

        Raises:
            InputError: there are `MOST_PROBLEMS` now.
        """
        place = f"{self.path.name}, {where}" if where else self.path.name
        is_last = len(self.found) + 1 >= MOST_PROBLEMS
        hints = [] if hint in self._hints else [hint]
        self._hints.add(hint)
        hint = "; ".join([*hints, *([_NO_FURTHER] if is_last else [])])
        self.found.append(Problem(where=place, found=found, allowed=allowed, hint=hint))
        if is_last:
            self.check()

    def check(self) -> None:
        """Raise InputError with all problems, if there is any."""
        if self.found:
            raise InputError(str(self.path), tuple(self.found))


def refused(
    path: Path, found: str, *, where: str = "", allowed: str = "", hint: str = ""
) -> InputError:
    """Return the error of one problem with a file."""
    place = f"{path.name}, {where}" if where else path.name
    return InputError(str(path), (Problem(where=place, found=found, allowed=allowed, hint=hint),))


def cell(row: int, column: str) -> str:
    """Return where a cell stands."""
    return f"row {row}, column {column}"
