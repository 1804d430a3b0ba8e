"""An explanation for a terminal or a ticket: verdict, facts, tables that fit the paper's width."""

from collections.abc import Sequence

from balancer.expose.escape import cells
from balancer.expose.explanation import Explanation, Table
from balancer.expose.text_layout import Paper, Tone, fit, fit_right, widest

LEAST_WIDTH = 80
LEAST_WORDS = 24
"""Columns that the words of a row need beside its figures; where there are fewer they go below."""

MOST_NAME = 24
LEAST_NAME = 8
"""Columns of a name: where a table is too wide, names are shortened in their middle."""


def explain_text(
    explanation: Explanation, *, width: int = 80, color: bool = False, ascii_only: bool = False
) -> str:
    """Return the explanation as text that ends with a line break. `width` is in columns, at least 80."""
    paper = Paper(width=max(width, LEAST_WIDTH), color=color, ascii_only=ascii_only)
    lines = [paper.paint(line, Tone.TITLE) for line in paper.wrap(explanation.verdict, "")]
    labels = widest([label for label, _ in explanation.facts], least=4, most=14)
    for label, told in explanation.facts:
        lines += paper.wrap(told, " " * (labels + 4), f"  {fit(label, labels)}  ")
    for table in explanation.tables:
        lines += ["", paper.paint(table.title, Tone.TITLE), *_table(table, paper)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _table(table: Table, paper: Paper) -> list[str]:
    heads = table.headings[: table.figures]
    columns = [
        widest([paper.safe(row[place]) for row in (heads, *table.rows)], least=1, most=_most(place))
        for place in range(table.figures)
    ]
    columns = _squeezed(columns, paper.width)
    used = _used(columns)
    room = paper.width - used
    lines = [paper.paint(_figures(table.headings, columns, paper) + table.headings[-1], Tone.FAINT)]
    for row in table.rows:
        lines += _row(row, columns, used if room >= LEAST_WORDS else 0, paper)
    if table.note:
        lines += [paper.paint(line, Tone.FAINT) for line in paper.wrap(table.note, "  ", "  ")]
    return lines


def _used(columns: Sequence[int]) -> int:
    return 2 + sum(columns) + 2 * len(columns)


def _squeezed(columns: Sequence[int], width: int) -> list[int]:
    """Return the columns with the names in the first two narrowed as far as the paper asks for."""
    squeezed = list(columns)
    for place in range(min(2, len(squeezed))):
        excess = max(_used(squeezed) - 2 - width, 0)
        squeezed[place] -= min(excess, max(squeezed[place] - LEAST_NAME, 0))
    return squeezed


def _most(place: int) -> int:
    return MOST_NAME if place == 0 else 20


def _figures(row: Sequence[str], columns: Sequence[int], paper: Paper) -> str:
    """Return the figures of a row: the name to the left, what follows to the right."""
    first = fit(paper.safe(row[0]), columns[0])
    rest = [
        fit_right(fit(paper.safe(row[place]), min(cells(paper.safe(row[place])), most)), most)
        for place, most in enumerate(columns)
        if place > 0
    ]
    return "  " + "  ".join([first, *rest]) + "  "


def _row(row: Sequence[str], columns: Sequence[int], beside: int, paper: Paper) -> list[str]:
    """Return a row; its words stand `beside` the figures, or below them where that is 0."""
    figures, words = _figures(row, columns, paper), row[-1]
    if not words:
        return [figures]
    if not beside:
        bare = [figures] if any(row[1:-1]) else [figures.rstrip()]
        return [*bare, *paper.wrap(words, "      ")]
    return paper.wrap(words, " " * beside, figures)
