"""A matrix of figures over time: one column of time, then one per VM, read by rows at the speed of `float`."""

import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
import numpy.typing as npt

from balancer.adapters.traces.mends import Ledger, MendRule
from balancer.adapters.traces.text import cells_of, lines_of, refused, vm_name

FIRST_ROW = 2
"""Number of the first row of figures: the row of names is row 1."""

_PLAIN = re.compile(r"[0-9.,eE+-]*")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """Figures as a file gives them: `figures` of shape (rows, VMs), NaN where there is none.

    `stamps` are the cells of the column of time, `rows` their numbers in the file.
    """

    path: Path
    time: str
    vms: tuple[str, ...]
    stamps: tuple[str, ...]
    rows: tuple[int, ...]
    figures: npt.NDArray[np.float64]

    def place(self, row: int, vm: int) -> str:
        """Return where a cell stands, in words."""
        return f"{self.path.name}, row {self.rows[row]}, column {self.vms[vm]}"


def read_matrix(path: Path, ledger: Ledger) -> Matrix:
    """Read a matrix from CSV.

    Raises:
        InputError: the file is no such matrix.
    """
    lines = lines_of(path)
    header = cells_of(lines[0])
    vms = tuple(vm_name(name) for name in header[1:])
    stamps, numbers, figures = [], [], np.full((len(lines) - 1, len(vms)), np.nan)
    for index, line in enumerate(lines[1:]):
        number = index + FIRST_ROW
        cells = cells_of(line)
        if len(cells) != len(header):
            found = f"has {len(cells)} cells"
            raise refused(f"{path}, row {number}", found, allowed=f"{len(header)}, as row 1")
        stamps.append(cells[0])
        numbers.append(number)
        if _PLAIN.fullmatch(line):
            figures[index] = [float(cell) if cell else np.nan for cell in cells[1:]]
        else:
            figures[index] = [_figure(cell, ledger) for cell in cells[1:]]
    return Matrix(
        path=path,
        time=header[0],
        vms=vms,
        stamps=tuple(stamps),
        rows=tuple(numbers),
        figures=figures,
    )


def _figure(cell: str, ledger: Ledger) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if cell.strip() and not isfinite(value):
        ledger.note(MendRule.NOT_A_NUMBER, 1, ())
        return np.nan
    return value
