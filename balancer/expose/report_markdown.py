"""The report for a ticket: the verdict and what needs a person in the open, the tables folded away.

GitHub-flavoured Markdown. Names stand in code spans and sentences are escaped, so that no VM can start
a link, mention somebody or end a table.
"""

from collections.abc import Sequence

from balancer.expose.escape import markdown_code, markdown_text
from balancer.expose.figures import counted, duration, gibibytes, percent
from balancer.expose.report_view import (
    HostRow,
    LeftOutRow,
    MoveRow,
    ReportView,
    RuleRow,
    report_view,
)
from balancer.model.plan import Conflict, Plan
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy

MOST_ROWS = 100
"""Rows of a folded table before the rest is left to the document."""

MOST_LINES = 20
"""Lines of an open list."""

MOVES_IN_THE_OPEN = 10
MOST_NAMES = 5


def render_markdown(plan: Plan, snapshot: Snapshot, *, policy: Policy | None = None) -> str:
    """Return the report as Markdown that ends with a line break."""
    view = report_view(plan, snapshot, policy)
    blocks = [
        [f"**{markdown_text(view.headline.replace(' -> ', ' → '))}**"],
        [markdown_text(" ".join([view.subject + ".", view.run_note]).strip())],
        _list("Why nothing is moved", [markdown_text(gate) for gate in view.gates]),
        _list("Conflicts", [_conflict(conflict) for conflict in view.conflicts]),
        _list("Solver failures", [markdown_text(told) for told in view.incidents]),
        _list("Policy notes", [markdown_text(note) for note in view.notes]),
        _list("What earlier batches did", [markdown_text(told) for told in view.verdicts]),
        _list("Rules", [_rule(row) for row in view.rules]),
        _changes(view),
        _list("Certificate", [markdown_text(line) for line in view.certificate]),
        _moves(view),
        _folded(f"Hosts ({len(view.hosts)})", _hosts(view), len(view.hosts)),
        _folded("Left out", _left_out(view), len(view.left_out)),
        ["_Nothing in this plan has been done._"],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _list(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    rest = len(items) - MOST_LINES
    more = [f"- and {rest:,} more; use `--format json`"] if rest > 0 else []
    return [f"**{title}**", "", *(f"- {item}" for item in items[:MOST_LINES]), *more]


def _conflict(conflict: Conflict) -> str:
    mend = f" To mend it: {markdown_text(conflict.relax)}" if conflict.relax else ""
    return f"{markdown_text(conflict.message)}.{mend}"


def _rule(row: RuleRow) -> str:
    force = "must" if row.is_must else "should"
    return f"{row.change}: {markdown_code(row.rule)} ({force}, {row.meaning}): {_names(row.vms)}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(markdown_code(name) for name in names[:MOST_NAMES])
    rest = len(names) - MOST_NAMES
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def _changes(view: ReportView) -> list[str]:
    if view.times == 1:
        return _table(["", "now"], [[c.label, c.before] for c in view.changes])
    rows = [[c.label, c.before, c.after] for c in view.changes]
    return _table(["", "before", "after"], rows)


def _moves(view: ReportView) -> list[str]:
    rows = [_move(wave.number, move) for wave in view.waves for move in wave.moves]
    if not rows:
        return []
    headings = ["wave", "VM", "from", "to", "reason", "about", "memory", "this run", "why"]
    table = _table(headings, rows[:MOST_ROWS])
    if len(rows) <= MOVES_IN_THE_OPEN:
        return ["**Moves**", "", *table]
    return _folded(f"Moves ({len(rows)})", table, len(rows))


def _move(wave: int, move: MoveRow) -> list[str]:
    return [
        str(wave),
        markdown_code(move.vm),
        markdown_code(move.source),
        markdown_code(move.target),
        move.reason,
        duration(move.seconds),
        gibibytes(move.memory_mib),
        "waits" if move.waits else "yes",
        markdown_text(move.why),
    ]


def _hosts(view: ReportView) -> list[str]:
    rows = [_host(row, view.times) for row in view.hosts[:MOST_ROWS]]
    return _table(["host", "state", "CPU", "memory", "VMs"], rows)


def _host(row: HostRow, times: int) -> list[str]:
    states = (row.before, row.after)[:times]
    return [
        markdown_code(row.name),
        row.state,
        " → ".join(percent(state.cpu_ratio) for state in states),
        " → ".join(percent(state.memory_ratio) for state in states),
        " → ".join(str(state.vms) for state in states),
    ]


def _left_out(view: ReportView) -> list[str]:
    rows = [_left_out_row(row) for row in view.left_out[:MOST_ROWS]]
    return _table(["how many", "why", "word", "which", "detail"], rows)


def _left_out_row(row: LeftOutRow) -> list[str]:
    word = markdown_code(row.reason)
    return [row.extent, row.phrase, word, _names(row.vms), markdown_text(row.detail)]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return [line(headings), line(["---"] * len(headings)), *(line(row) for row in rows)]


def _folded(title: str, table: list[str], rows: int) -> list[str]:
    if not rows:
        return []
    more = ["", f"and {counted(rows - MOST_ROWS, 'row')} more; use `--format json`"]
    rest = more if rows > MOST_ROWS else []
    return ["<details>", f"<summary>{title}</summary>", "", *table, *rest, "", "</details>"]
