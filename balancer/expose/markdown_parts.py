"""Pieces of Markdown that reports share: lists, tables, folds, and sentences that cannot grow without bound."""

from collections.abc import Sequence

from balancer.expose.escape import markdown_text
from balancer.expose.figures import counted

MOST_CHARACTERS = 60_000
"""GitHub takes 65,536 characters in a comment; the rest is for what a person writes around it."""

FEWER_ROWS = (100, 50, 25, 10, 5, 1)
"""Rows of a folded table before the rest is left to the document; fewer where the whole is too long."""

MOST_LINES = 20
"""Lines of an open list."""

MOST_OF_A_SENTENCE = 600
"""Characters of one sentence before the rest is cut."""


def sentence(text: str) -> str:
    """Return foreign words with no effect, cut where they are far too long."""
    is_long = len(text) > MOST_OF_A_SENTENCE
    shown = f"{text[:MOST_OF_A_SENTENCE]}…" if is_long else text
    return markdown_text(shown.replace(" -> ", " → "))


def listing(title: str, items: Sequence[str]) -> list[str]:
    """Return a list in the open under a title; nothing where there are no items."""
    if not items:
        return []
    rest = len(items) - MOST_LINES
    more = [f"- and {rest:,} more; use `--format json`"] if rest > 0 else []
    return [f"**{title}**", "", *(f"- {item}" for item in items[:MOST_LINES]), *more]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table; cells are escaped already."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return [line(headings), line(["---"] * len(headings)), *(line(row) for row in rows)]


def folded(
    title: str, whole: Sequence[Sequence[str]], most: int, *, after: Sequence[str] = ()
) -> list[str]:
    """Return a table of at most `most` rows, whose first row is its heading, and a list behind it, folded away."""
    rows = whole[1:]
    if not rows and not after:
        return []
    lines = table(whole[0], rows[:most]) if rows else []
    cut = len(rows) - most
    lines += ["", f"and {counted(cut, 'row')} more; use `--format json`"] if cut > 0 else []
    lines += ["", *(f"- {line}" for line in after)] if after else []
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>"]
