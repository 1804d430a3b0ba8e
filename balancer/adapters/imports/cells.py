"""Cells of a sheet as values: texts, flags, and figures in our units; with the place of each for messages.

A figure that is measured and wrong becomes unknown by a rule; one that a snapshot cannot do without is left to
the caller, who refuses it. Nothing becomes 0 that is not written as 0.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import isfinite
from typing import Self

from balancer.adapters.imports.columns import FACTORS, TAB_OF, Column, Found, Kind, find_columns
from balancer.adapters.imports.findings import Findings, ImportRule
from balancer.adapters.imports.tables import Cell, Row, Sheet

_NOTHING = frozenset({"", "-", "n/a", "none", "null", "unknown"})
_YES = frozenset({"true", "yes", "1", "1.0"})
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[,.'\u2019 ]\d{3})+")
_DECIMAL = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_WITH_UNIT = re.compile(r"^(?P<figure>.*?\d)\s*(?P<unit>bytes|[kmgt]i?b|[mg]hz|%)$")
_LONGEST = 40
_COLUMNS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Wrong:
    """A cell that is no figure, as it stands there."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A sheet whose columns are known."""

    sheet: Sheet
    found: Mapping[str, Found]
    findings: Findings

    @classmethod
    def of(cls, sheet: Sheet, findings: Findings) -> Self:
        """Find the columns; missing and double ones are told. A sheet that may be missing may lack columns."""
        tab = TAB_OF[sheet.name.lower()]
        found, missing, doubled = find_columns(tab, sheet.headers)
        rule = ImportRule.MISSING_COLUMN if tab.is_required else ImportRule.SHEET_LEFT_OUT
        for column in missing:
            names = " or ".join(f"'{name}'" for name in column.names)
            findings.tell(rule, sheet.label, f"no column {names}; {_others(column, sheet, found)}")
        for name in doubled:
            findings.tell(ImportRule.DUPLICATE_COLUMN, sheet.label, f"column '{name}'")
        return cls(sheet=sheet, found=found, findings=findings)

    @property
    def is_whole(self) -> bool:
        """Whether all columns are there that the sheet cannot do without."""
        tab = TAB_OF[self.sheet.name.lower()]
        return all(column.key in self.found for column in tab.columns if column.is_required)

    def has(self, key: str) -> bool:
        """Whether a column is there."""
        return key in self.found

    def place(self, key: str) -> str:
        """Return where a column stands."""
        return f"{self.sheet.label}, column '{self.found[key].header}'"

    def lines(self) -> "Iterator[Line]":
        """Yield the rows."""
        for row in self.sheet.rows:
            yield Line(self, row)


def _others(column: Column, sheet: Sheet, found: Mapping[str, Found]) -> str:
    """Return the columns that a missing one may be under another name: those not read, the most alike first."""
    read = {column.index for column in found.values()}
    names = [h.strip() for n, h in enumerate(sheet.headers) if n not in read and h.strip()]
    if not names:
        return "it has no other columns than those that are read"
    alike = sorted(names, key=lambda name: -_likeness(name, column))
    shown = ", ".join(f"'{name[:_LONGEST]}'" for name in alike[:_COLUMNS_SHOWN])
    return f"not read there are {shown}{', ...' if len(names) > _COLUMNS_SHOWN else ''}"


def _likeness(header: str, column: Column) -> float:
    words = header[:_LONGEST].lower()
    return max(SequenceMatcher(None, words, name.lower()).ratio() for name in column.names)


class Line:
    """One row of a sheet, read by our words for its columns."""

    __slots__ = ("_columns", "_row")

    def __init__(self, columns: Columns, row: Row) -> None:
        self._columns = columns
        self._row = row

    @property
    def number(self) -> int:
        """Return the row's number as people count it: the header is 1."""
        return self._row.number

    def where(self, key: str | None = None) -> str:
        """Return the row's place, and that of one column in it."""
        place = f"{self._columns.sheet.label} row {self._row.number}"
        found = self._columns.found.get(key or "")
        return f"{place}, column '{found.header}'" if found else place

    def text(self, key: str) -> str:
        """Return a text without blanks around it; empty where nothing is written."""
        cell = self._cell(key)
        text = "" if cell is None else str(cell).strip()
        return text.removesuffix(".0") if isinstance(cell, float) else text

    def flag(self, key: str) -> bool:
        """Whether a flag is set; one that is not there is not."""
        return self.text(key).lower() in _YES

    def figure(self, key: str) -> float | Wrong | None:
        """Return a figure in our unit, None where nothing is written, or what stands there instead of one."""
        found = self._columns.found.get(key)
        if found is None:
            return None
        cell = self._cell(key)
        if isinstance(cell, bool):
            return Wrong(str(cell))
        if isinstance(cell, int | float):
            return float(cell) * found.factor if isfinite(cell) else Wrong(str(cell))
        return self._written(key, found)

    def measured(self, key: str, *, most: float | None = None) -> float | None:
        """Return a measured figure; one that is wrong, negative or above `most` is told and unknown."""
        figure = self.figure(key)
        if figure is None:
            return None
        if isinstance(figure, Wrong):
            self.tell(ImportRule.NOT_A_NUMBER, key, f"'{figure.text[:_LONGEST]}'")
        elif figure < 0.0:
            self.tell(ImportRule.NEGATIVE_FIGURE, key, f"{figure:g}")
        elif most is not None and figure > most:
            self.tell(ImportRule.ABSURD_FIGURE, key, f"{figure:g}, at most {most:g} can be")
        else:
            return figure
        return None

    def limit(self, key: str) -> float | None:
        """Return a limit; -1 is vSphere's word for none. Source: vSphere API, `ResourceAllocationInfo.limit`."""
        figure = self.figure(key)
        return None if figure in (-1.0, None) else self.measured(key)

    def tell(self, rule: ImportRule, key: str | None, found: str) -> None:
        """Note what is wrong here."""
        self._columns.findings.tell(rule, self.where(key), found)

    def _cell(self, key: str) -> Cell:
        found = self._columns.found.get(key)
        if found is None or found.index >= len(self._row.cells):
            return None
        return self._row.cells[found.index]

    def _written(self, key: str, found: Found) -> float | Wrong | None:
        text = " ".join(self.text(key).replace("\u00a0", " ").replace("\u202f", " ").split())
        if text.lower() in _NOTHING:
            return None
        match = _WITH_UNIT.match(text.lower())
        factor = found.factor
        if match:
            units = FACTORS.get(found.kind, {})
            if match["unit"] not in units:
                return Wrong(text)
            if units[match["unit"]] != factor:
                self.tell(ImportRule.UNIT_IN_CELL, key, f"'{text[:_LONGEST]}'")
            factor, text = units[match["unit"]], match["figure"]
        number = self._number(key, text, found.kind)
        return number * factor if isinstance(number, float) else number

    def _number(self, key: str, text: str, kind: Kind) -> float | Wrong:
        if kind is not Kind.PERCENT and _GROUPED.fullmatch(text):
            self.tell(ImportRule.GROUPED_NUMBER, key, f"'{text[:_LONGEST]}'")
            return float(re.sub(r"[,.'\u2019 ]", "", text))
        if _DECIMAL.fullmatch(text) and len(text) <= _LONGEST:
            return float(text.replace(",", "."))
        return Wrong(text)
