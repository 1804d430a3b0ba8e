"""Files of text in a trace folder: unpacked, decoded, and split into cells with their row numbers.

Every fault of the file as a whole is found here: unreadable, too large, cut short, no UTF-8, NUL bytes, empty.
Rows are numbered as an editor does it: the row of names is row 1.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from balancer.adapters.traces.faults import Faults, cell, refused
from balancer.policy.file_access import first_bytes, is_file

MOST_BYTES = 1 << 30
"""Largest file that is read, packed or unpacked. A month of 5-minute samples of 10,000 VMs takes 400 MB."""

MEMORY = ("mem_mib", "mem_mb")
"""Names of a column of memory: vSphere's MB is 2**20 bytes, too."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_LINE = 131_072


def found_file(folder: Path, stems: Sequence[str], endings: Sequence[str]) -> Path | None:
    """Return the file of a folder that has one of the names, None where there is none.

    Raises:
        InputError: there are several, so that nobody knows which one is meant.
    """
    paths = [
        path for stem in stems for ending in endings if is_file(path := folder / f"{stem}{ending}")
    ]
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise refused(folder, f"holds {names}", allowed="one of them", hint="move the others away")
    return paths[0] if paths else None


def read_content(path: Path) -> bytes:
    """Return a file's content, unpacked where its name ends with `.gz`.

    Raises:
        InputError: it cannot be read, is larger than `MOST_BYTES`, or is cut short or damaged.
    """
    try:
        packed = first_bytes(path, MOST_BYTES + 1)
    except OSError as err:
        raise refused(path, f"cannot be read: {err.strerror or err}") from err
    content = _unpacked(path, packed) if path.suffix == ".gz" else packed
    if len(content) > MOST_BYTES:
        raise refused(path, "the file is too large", allowed=f"at most {MOST_BYTES >> 20} MiB")
    return content


def _unpacked(path: Path, packed: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            return file.read(MOST_BYTES + 1)
    except EOFError as err:
        found = "is cut short: the end of the packed data is missing"
        raise refused(path, found, hint="copy it anew") from err
    except (OSError, zlib.error) as err:
        raise refused(path, f"is no gzip file, or damaged: {err}", hint="copy it anew") from err


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text file without their ends and without empty lines at its end.

    Raises:
        InputError: as `read_content`, or it is empty, no UTF-8, or holds NUL bytes.
    """
    content = read_content(path).removeprefix(_BYTE_ORDER_MARK)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as err:
        row = content.count(b"\n", 0, err.start) + 1
        found = f"byte 0x{content[err.start]:02x} is not UTF-8"
        hint = _called_so(content) or "save it as CSV in UTF-8"
        raise refused(path, found, where=f"row {row}", hint=hint) from err
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        hint = _called_so(content) or "the file is damaged, or no text: copy or export it anew"
        raise refused(path, "holds a NUL byte", where=f"row {row}", hint=hint)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise refused(path, "is empty", allowed="a row of names and at least one row of figures")
    return lines


def _called_so(content: bytes) -> str:
    """Return what a file is to be called that is not what its name says; empty where that is not known."""
    for begin, ending in ((b"\x1f\x8b", ".csv.gz"), (b"PAR1", ".parquet")):
        if content.startswith(begin):
            return f"by its content its name ends with {ending}: rename it"
    return ""


def cells_of(line: str) -> list[str]:
    """Return the cells of one line: split at commas, with double quotes around what holds one."""
    if '"' not in line or len(line) > _LONGEST_LINE:
        return line.split(",")
    return next(csv.reader([line]), [])


def number_of(text: str) -> float | None:
    """Return the number that a cell holds, None where it holds none. May be infinite (1e999)."""
    return float(text) if _NUMBER.fullmatch(text) else None


def records(
    path: Path, needed: Sequence[str], either: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a small table with their numbers, as mappings of column names to cells.

    Of the columns `either` one must be there too.

    Raises:
        InputError: as `lines_of`, or a needed column is missing, or rows have another count of cells.
    """
    lines = lines_of(path)
    names = [name.strip() for name in cells_of(lines[0])]
    missing = [name for name in needed if name not in names]
    if either and not any(name in names for name in either):
        missing.append(either[0])
    if missing:
        found = f"there is no column {', '.join(missing)}; there are {', '.join(names)[:200]}"
        allowed = ", ".join([*needed, *([" or ".join(either)] if either else [])])
        raise refused(path, found, where="row 1", allowed=f"columns {allowed}")
    faults = Faults(path)
    for row, line in enumerate(lines[1:], start=2):
        cells = [text.strip() for text in cells_of(line)]
        if len(cells) == len(names):
            yield row, dict(zip(names, cells, strict=True))
        else:
            faults.add(
                f"row {row}",
                *short_row(len(cells), is_last=row == len(lines)),
                allowed=f"{len(names)} cells, as row 1",
                hint="copy or export the file anew",
            )
    faults.check()


def short_row(cells: int, *, is_last: bool) -> tuple[str]:
    """Return, in words, that a row has a wrong count of cells."""
    cut = ": the file seems to be cut short" if is_last else ""
    return (f"has {cells} cell{'' if cells == 1 else 's'}{cut}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The numbers that the cells of a column may hold, both ends included."""

    least: float
    most: float
    unit: str = ""
    is_whole: bool = False
    hint: str = ""

    def holds(self, value: float) -> bool:
        """Whether a number is one of them."""
        return self.least <= value <= self.most and not (self.is_whole and value % 1.0)

    def __str__(self) -> str:
        """Return it in words: `a number from 1024 to 33554432 MiB`."""
        kind = "whole number" if self.is_whole else "number"
        return f"a {kind} from {self.least:.15g} to {self.most:.15g} {self.unit}".rstrip()


def figure(row: dict[str, str], column: str, faults: Faults, at: int, span: Span) -> float:
    """Return a cell's number, noting a fault (and returning the least allowed) where it is outside of `span`."""
    text = row.get(column, "")
    value = number_of(text)
    if value is not None and span.holds(value):
        return value
    faults.add(cell(at, column), f"{text[:40]!r}", allowed=str(span), hint=span.hint)
    return span.least


def memory_column(row: Mapping[str, str]) -> str:
    """Return which of the names in `MEMORY` a table's column of memory has; both are MiB."""
    return next((name for name in MEMORY if name in row), MEMORY[0])


def vm_name(text: str) -> str:
    """Return a VM's name as all files of a trace give it; a bare number 7 is the VM `vm7`."""
    name = text.strip()
    return f"vm{name}" if name.isascii() and name.isdigit() else name
