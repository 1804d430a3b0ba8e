"""A matrix of figures over time: one column of time, then one per VM, read by rows at the speed of `float`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
import numpy.typing as npt

from balancer.adapters.traces.faults import Faults, cell, refused
from balancer.adapters.traces.mends import Ledger, MendRule
from balancer.adapters.traces.text import cells_of, lines_of, number_of, short_row, vm_name

FIRST_ROW = 2
"""Number of the first row of figures: the row of names is row 1."""

NO_SAMPLE = frozenset({"", "-", "na", "n/a", "nan", "nil", "none", "null"})
"""What a cell without a sample may say, in small letters. All but the empty cell are counted."""

_COPY = "copy or export the file anew"
_INFINITE = frozenset({"inf", "infinity"})
_PLAIN = re.compile(r"[0-9.,eE+-]*")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """Figures as a file gives them: `figures` of shape (rows, VMs), NaN where there is none.

    `stamps` are the cells of the column of time (named `time`), `rows` their row numbers in the file.
    """

    path: Path
    time: str
    vms: tuple[str, ...]
    stamps: tuple[str, ...]
    rows: tuple[int, ...]
    figures: Floats

    def place(self, row: int, vm: int) -> str:
        """Return where a cell stands, in words; both numbers count from 0."""
        return f"{self.path.name}, {cell(self.rows[row], self.vms[vm])}"


def read_matrix(path: Path, ledger: Ledger) -> Matrix:
    """Read a matrix from CSV, packed or not.

    A second row of names is left out and words for "no sample" are none; both are counted.

    Raises:
        InputError: the file is no such matrix; the first `MOST_PROBLEMS` are listed.
    """
    lines = lines_of(path)
    header = [name.strip() for name in cells_of(lines[0])]
    vms = columns_of(path, header)
    reader = _Reader(path, header, ledger)
    kept = [item for item in enumerate(lines[1:], start=FIRST_ROW) if not reader.is_header(*item)]
    figures = np.full((len(kept), len(vms)), np.nan)
    stamps = [""] * len(kept)
    for index, (row, line) in enumerate(kept):
        cells = cells_of(line)
        if len(cells) != len(header):
            found = short_row(len(cells), is_last=index == len(kept) - 1)
            allowed = f"{len(header)} cells, as row 1"
            reader.faults.add(f"row {row}", *found, allowed=allowed, hint=_COPY)
            continue
        stamps[index] = cells[0].strip()
        figures[index] = reader.figures(row, line, cells)
    reader.faults.check()
    if not kept:
        raise refused(path, "has a row of names and no row of figures", hint=_COPY)
    rows = tuple(row for row, _ in kept)
    return Matrix(
        path=path, time=header[0], vms=vms, stamps=tuple(stamps), rows=rows, figures=figures
    )


def columns_of(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the VMs in a row of names.

    Raises:
        InputError: there is none, one is empty or given twice, or the row holds figures instead.
    """
    faults, seen = Faults(path), dict[str, str]()
    if len(header) < 2:
        raise refused(
            path,
            f"row 1 has one cell, {header[0][:40]!r}",
            allowed="time, then one column per VM, with commas",
        )
    if header[0] and number_of(header[0]) is not None:
        raise refused(
            path,
            "has figures where the names belong",
            where="row 1",
            allowed="slot, vm1, ...",
            hint="put a row of names before them",
        )
    for number, name in enumerate(header[1:], start=2):
        vm = vm_name(name)
        if not vm:
            faults.add(f"row 1, column {number}", "has no name", allowed="the name of a VM")
        elif vm in seen:
            faults.add(
                f"row 1, column {number}", f"VM {vm[:60]} is named twice", allowed="each VM once"
            )
        seen[vm] = name
    faults.check()
    return tuple(seen)


class _Reader:
    """Turns rows of cells into figures; remembers what is wrong."""

    def __init__(self, path: Path, header: Sequence[str], ledger: Ledger) -> None:
        self.faults = Faults(path)
        self._header, self._ledger = header, ledger

    def is_header(self, row: int, line: str) -> bool:
        """Whether a row says the names again; counted."""
        first = line.split(",", 1)[0].strip().strip('"')
        if first != self._header[0] or [name.strip() for name in cells_of(line)] != list(
            self._header
        ):
            return False
        self._ledger.note(MendRule.HEADER_AGAIN, 1, (f"{self.faults.path.name}, row {row}",))
        return True

    def figures(self, row: int, line: str, cells: Sequence[str]) -> list[float]:
        """Return a row's figures: the quick way where every cell is a plain number or empty."""
        if _PLAIN.fullmatch(line, line.find(",") + 1):  # whatever form the time has
            try:
                return [float(text) if text else np.nan for text in cells[1:]]
            except ValueError:
                pass
        return [self._figure(row, column, text) for column, text in enumerate(cells[1:], start=1)]

    def _figure(self, row: int, column: int, text: str) -> float:
        word = text.strip()
        value = number_of(word)
        if value is not None and isfinite(value):
            return value
        if not word:
            return np.nan
        where = cell(row, self._header[column])
        if value is None and word.lower().lstrip("+-") not in NO_SAMPLE | _INFINITE:
            hint = "write it without unit and thousands separator, with a point before decimals"
            allowed = "a number, or an empty cell for no sample"
            self.faults.add(where, f"{word[:40]!r}", allowed=allowed, hint=hint)
        else:
            self._ledger.note(MendRule.NOT_A_NUMBER, 1, (f"{self.faults.path.name}, {where}",))
        return np.nan
