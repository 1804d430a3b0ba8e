"""Files of text in a trace folder: unpacked, decoded, and split into cells with their line numbers.

Every fault of the file as a whole is found here: unreadable, too large, cut short, no UTF-8, NUL bytes, empty.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from balancer.model.errors import InputError, Problem
from balancer.policy.file_access import first_bytes

MOST_BYTES = 1 << 30
"""Largest file that is read, packed or unpacked. A month of 5-minute samples of 10,000 VMs takes 400 MB."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def refused(where: str, found: str, *, allowed: str = "", hint: str = "") -> InputError:
    """Return the error of one problem; `where` begins with the file's name."""
    problem = Problem(where=where, found=found, allowed=allowed, hint=hint)
    return InputError(where.split(",", 1)[0], (problem,))


def read_content(path: Path) -> bytes:
    """Return a file's content, unpacked where its name ends with `.gz`.

    Raises:
        InputError: it cannot be read, is larger than `MOST_BYTES`, or is cut short or damaged.
    """
    try:
        packed = first_bytes(path, MOST_BYTES + 1)
    except OSError as err:
        raise refused(str(path), f"cannot be read: {err.strerror or err}") from err
    content = _unpacked(path, packed) if path.suffix == ".gz" else packed
    if len(content) > MOST_BYTES:
        raise refused(str(path), "the file is too large", allowed=f"{MOST_BYTES >> 20} MiB")
    return content


def _unpacked(path: Path, packed: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            return file.read(MOST_BYTES + 1)
    except EOFError as err:
        raise refused(
            str(path), "is cut short: the end of the packed data is missing", hint="copy it anew"
        ) from err
    except (gzip.BadGzipFile, zlib.error, OSError) as err:
        raise refused(
            str(path), f"is no gzip file, or damaged: {err}", hint="copy it anew"
        ) from err


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text file without their ends.

    Raises:
        InputError: as `read_content`, or it is empty, no UTF-8, or holds NUL bytes.
    """
    content = read_content(path).removeprefix(_BYTE_ORDER_MARK)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        found = f"is not UTF-8: byte 0x{content[err.start]:02x}"
        raise refused(f"{path}, row {line}", found, hint="save it as UTF-8") from err
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise refused(
            f"{path}, row {line}", "holds a NUL byte", hint="the file is damaged or no text"
        )
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise refused(
            str(path), "is empty", allowed="a row of names and at least one row of figures"
        )
    return lines


def cells_of(line: str) -> list[str]:
    """Return the cells of one line: split at commas, with double quotes around what holds one."""
    if '"' not in line:
        return line.split(",")
    return next(csv.reader([line]), [])


def records(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a small table with their numbers (the row of names is row 1), by column name.

    Raises:
        InputError: as `lines_of`, or a needed column is missing, or a row has another count of cells.
    """
    lines = lines_of(path)
    names = [name.strip() for name in cells_of(lines[0])]
    missing = [name for name in needed if name not in names]
    if missing:
        found = f"there is no column {', '.join(missing)}; it has {', '.join(names)}"
        raise refused(f"{path}, row 1", found, allowed=f"columns {', '.join(needed)}")
    for number, line in enumerate(lines[1:], start=2):
        cells = cells_of(line)
        if len(cells) != len(names):
            raise refused(
                f"{path}, row {number}",
                f"has {len(cells)} cells",
                allowed=f"{len(names)}, as row 1",
            )
        yield number, dict(zip(names, (cell.strip() for cell in cells), strict=True))


def vm_name(text: str) -> str:
    """Return a VM's name as all files of a trace give it; a bare number 7 is the VM `vm7`."""
    name = text.strip()
    return f"vm{name}" if name.isdigit() else name
