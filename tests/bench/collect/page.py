"""Puts the tables of a run into the documentation page, between two markers."""

from pathlib import Path

BEGIN = "<!-- tables: written by make bench-collect -->"
END = "<!-- end of tables -->"


def write_tables(page: Path, tables: str) -> None:
    """Write the tables into a page that has the markers.

    Raises:
        ValueError: the page lacks a marker.
    """
    head, found, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    text = f"{head}{BEGIN}\n\n{tables.strip()}\n\n{END}{tail}"
    page.write_text(text, encoding="utf-8")
