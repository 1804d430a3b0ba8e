"""Sheets of an export as rows of cells: an xlsx file, csv files in a folder or zip, or one csv file.

Owns the ways into a file and the proof that it is whole; it knows the names of sheets and nothing of columns.
Sizes are limited before anything is unpacked, so that no small file becomes a large one in memory.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import ParseError

from balancer.adapters.imports.columns import TAB_OF
from balancer.adapters.imports.findings import Findings, ImportRule
from balancer.model.errors import BalancerError

MOST_BYTES = 1 << 29
"""Largest sheet or workbook that is read, unpacked: 10,000 VMs take about 30 MB."""

MOST_CELL = 1 << 20
"""Longest cell of a csv file, in characters."""

Cell = str | float | bool | datetime | date | None

_NAME = re.compile(r"^(rvtools)?(tab)?(?P<tab>d?v[a-z]+)$")
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ParseError,
)
"""What readers of zip files and workbooks raise on files that are broken or no such files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its number as people count it (the header is 1), and its cells."""

    number: int
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet: its name, what messages call it, its header, and its rows without empty ones."""

    name: str
    label: str
    headers: tuple[str, ...]
    rows: tuple[Row, ...]


def read_sheets(path: Path, findings: Findings) -> Mapping[str, Sheet]:
    """Return the sheets that are known, by name in lower case; what cannot be read is told in `findings`.

    Raises:
        BalancerError: there is no such file, it is no export, or what reads xlsx files is not installed.
    """
    if path.is_dir():
        return _from_folder(path, findings)
    if not path.is_file():
        raise BalancerError(f"{path} cannot be imported: there is no such file or folder.")
    if path.suffix.lower() == ".csv":
        return dict(_from_csv({path.name: path.read_bytes}, findings))
    if not zipfile.is_zipfile(path):
        what = "ends too early or is no xlsx and no zip file"
        findings.tell(ImportRule.TRUNCATED_FILE, str(path), what)
        return {}
    return _from_zip(path, findings)


def _from_folder(path: Path, findings: Findings) -> Mapping[str, Sheet]:
    files = sorted(entry for entry in path.iterdir() if entry.is_file())
    tables = {f.name: f.read_bytes for f in files if f.suffix.lower() == ".csv"}
    books = [f for f in files if f.suffix.lower() in (".xlsx", ".xlsm")]
    if tables:
        return dict(_from_csv(tables, findings))
    if len(books) == 1:
        return _from_zip(books[0], findings)
    found = f"{len(books)} xlsx files" if books else "no csv and no xlsx file"
    raise BalancerError(
        f"{path} cannot be imported: it has {found}. Name one xlsx file, a zip, or a folder of csv files."
    )


def _from_zip(path: Path, findings: Findings) -> Mapping[str, Sheet]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
    except BROKEN as err:
        findings.tell(ImportRule.UNREADABLE_FILE, str(path), words(err))
        return {}
    large = [name for name, size in sizes.items() if size > MOST_BYTES]
    if large or sum(sizes.values()) > 2 * MOST_BYTES:
        found = f"{large[0] if large else path.name} is too large unpacked, allowed: 512 MiB"
        findings.tell(ImportRule.UNREADABLE_FILE, str(path), found)
        return {}
    if "[Content_Types].xml" in sizes:
        return dict(_from_workbook(path, findings))
    names = [name for name in sorted(sizes) if name.lower().endswith(".csv")]
    return dict(_from_csv({name: partial(_member, path, name) for name in names}, findings))


def _member(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def _from_workbook(path: Path, findings: Findings) -> Iterator[tuple[str, Sheet]]:
    try:
        from openpyxl import load_workbook  # noqa: PLC0415  # of an extra, and slow to load
    except ImportError as err:
        raise BalancerError(
            f"{path} cannot be imported: xlsx files are read with openpyxl, which is not installed. "
            "Install vsphere-balancer[lab], or export csv files."
        ) from err
    try:
        # Read here: by its path openpyxl would refuse a workbook for the end of its name.
        content = io.BytesIO(path.read_bytes())
        book = load_workbook(content, read_only=True, data_only=True)
    except BROKEN as err:
        findings.tell(ImportRule.UNREADABLE_FILE, path.name, words(err))
        return
    with closing(book):
        for title in book.sheetnames:
            tab = tab_of(title)
            rows = _rows_of(book[title], f"{path.name}, sheet {title}", findings) if tab else []
            made = _sheet(tab, title, rows, findings, is_ragged=True) if tab else None
            if tab and made:
                yield tab, made


def _rows_of(sheet: Any, label: str, findings: Findings) -> list[Row]:
    """Return the rows of a sheet; what openpyxl raises on a broken one is not documented."""
    try:
        sheet.reset_dimensions()
        return [Row(number=n, cells=row) for n, row in enumerate(sheet.values, start=1)]
    except BROKEN as err:
        findings.tell(ImportRule.UNREADABLE_FILE, label, words(err))
        return []


def _from_csv(
    files: Mapping[str, Callable[[], bytes]], findings: Findings
) -> Iterator[tuple[str, Sheet]]:
    for name, read in files.items():
        tab = tab_of(PurePosixPath(name).stem)
        if tab is None:
            continue
        try:
            content = read()
        except BROKEN as err:
            findings.tell(ImportRule.UNREADABLE_FILE, name, words(err))
            continue
        if len(content) > MOST_BYTES:
            findings.tell(ImportRule.UNREADABLE_FILE, name, "too large, allowed: 512 MiB")
            continue
        made = _sheet(tab, name, _lines(name, content, findings), findings, is_ragged=False)
        if made is not None:
            yield tab, made


def tab_of(name: str) -> str | None:
    """Return the sheet that a sheet's or file's name stands for, in lower case; None for one not read."""
    match = _NAME.match(re.sub(r"[^a-z]", "", name.lower()))
    return match["tab"] if match and match["tab"] in TAB_OF else None


def _lines(name: str, content: bytes, findings: Findings) -> list[Row]:
    """Return the rows of a csv file as far as they can be read."""
    text = _decoded(name, content, findings)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    csv.field_size_limit(MOST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        rows.extend(Row(number=n, cells=row) for n, row in enumerate(reader, start=1))
    except csv.Error as err:
        findings.tell(ImportRule.TRUNCATED_FILE, f"{name} line {reader.line_num}", str(err))
    return rows


def _decoded(name: str, content: bytes, findings: Findings) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        findings.tell(ImportRule.ENCODING, name, f"byte {err.start} is no UTF-8")
        return content.decode("cp1252", errors="replace")


def _sheet(
    tab: str, label: str, lines: Sequence[Row], findings: Findings, *, is_ragged: bool
) -> Sheet | None:
    """Return a sheet; `is_ragged`: rows may end early, as workbooks leave out empty cells at the end."""
    if not lines:
        findings.tell(ImportRule.TRUNCATED_FILE, label, "there is no header")
        return None
    headers = tuple("" if cell is None else str(cell) for cell in lines[0].cells)
    rows = [row for row in lines[1:] if any(cell not in (None, "") for cell in row.cells)]
    _check_width(label, headers, rows, findings, is_ragged=is_ragged)
    return Sheet(name=TAB_OF[tab].name, label=label, headers=headers, rows=tuple(rows))


def _check_width(
    label: str, headers: Sequence[str], rows: Iterable[Row], findings: Findings, *, is_ragged: bool
) -> None:
    known = list(rows)
    for row in known:
        width, wanted = len(row.cells), len(headers)
        is_long = width > wanted and any(cell not in (None, "") for cell in row.cells[wanted:])
        if not is_long and (width >= wanted or is_ragged):
            continue
        is_last = row is known[-1] and width < wanted
        rule = ImportRule.TRUNCATED_FILE if is_last else ImportRule.WRONG_WIDTH
        found = f"{width} cells, the header has {wanted}"
        findings.tell(rule, f"{label} row {row.number}", found)


def words(err: BaseException) -> str:
    """Return what a reader said of a broken file, in a line."""
    return " ".join(str(err).split())[:200] or type(err).__name__
