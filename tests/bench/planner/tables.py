"""Markdown tables, and the words in which figures are put."""

from collections.abc import Iterable, Sequence

NOTHING = "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are figures."""
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def section(title: str, note: str, body: str) -> str:
    """Return a titled section."""
    return f"### {title}\n\n{note}\n\n{body}\n"


def number(value: float | None, digits: int = 0) -> str:
    """Return a figure, or a dash where there is none."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def points(ratio: float | None) -> str:
    """Return a spread in percentage points."""
    return NOTHING if ratio is None else f"{100 * ratio:.2f}"


def percent(ratio: float | None) -> str:
    """Return a ratio as a percentage."""
    return NOTHING if ratio is None else f"{100 * ratio:.0f} %"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
