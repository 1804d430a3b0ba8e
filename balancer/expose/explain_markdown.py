"""An explanation for a ticket: verdict and facts in the open, long tables folded away."""

from balancer.expose.escape import markdown_text
from balancer.expose.explanation import Explanation, Table

ROWS_IN_THE_OPEN = 12


def explain_markdown(explanation: Explanation) -> str:
    """Return the explanation as GitHub-flavoured Markdown that ends with a line break."""
    facts = [f"- {label}: {_text(told)}" for label, told in explanation.facts]
    blocks = [[f"**{_text(explanation.verdict)}**"], facts]
    blocks += [_table(table) for table in explanation.tables]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _table(table: Table) -> list[str]:
    keep = len(table.headings) if any(row[-1] for row in table.rows) else table.figures
    lines = [_line(table.headings[:keep]), _line(["---"] * keep)]
    lines += [_line([_text(cell) for cell in row[:keep]]) for row in table.rows]
    note = [f"_{_text(table.note)}_", ""] if table.note else []
    if len(table.rows) <= ROWS_IN_THE_OPEN:
        return [f"**{_text(table.title)}**", "", *note, *lines]
    title = f"<summary>{_text(table.title)}</summary>"
    return ["<details>", title, "", *note, *lines, "", "</details>"]


def _line(cells: "list[str] | tuple[str, ...]") -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    return markdown_text(text.replace(" -> ", " → "))
