"""Puts the tables of a run into a documentation page, between two markers."""

from pathlib import Path

BEGIN = "<!-- tables: written by make bench-plan -->"
END = "<!-- end of tables -->"


def with_tables(page: str, tables: str) -> str:
    """Return the page with what stands between the markers replaced.

    Raises:
        ValueError: the page lacks a marker.
    """
    head, found, rest = page.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{tables.strip()}\n\n{END}{tail}"


def write_tables(page: Path, tables: str) -> None:
    """Write the tables into a page that has the markers."""
    page.write_text(with_tables(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
