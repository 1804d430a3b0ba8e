"""The report for a ticket: the verdict and what needs a person in the open, the tables folded away.

GitHub-flavoured Markdown. Names stand in code spans and sentences are escaped, so that no VM can start
a link, mention somebody or end a table.
"""

from collections.abc import Sequence

from balancer.expose.escape import markdown_code
from balancer.expose.figures import duration, gibibytes, percent
from balancer.expose.host_words import headroom, ready, ready_words, room_words
from balancer.expose.markdown_parts import (
    FEWER_ROWS,
    MOST_CHARACTERS,
    folded,
    listing,
    sentence,
    table,
)
from balancer.expose.move_words import (
    copy_words,
    interval_words,
    links_words,
    risk_words,
    share_words,
    stun_words,
)
from balancer.expose.report_rows import (
    Fact,
    HostRow,
    LeftOutRow,
    MoveRow,
    ReportView,
    RuleRow,
)
from balancer.expose.report_text import NO_RULES, NOTHING_LEFT_OUT
from balancer.expose.report_view import report_view
from balancer.model.plan import Conflict, Plan
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy

MOVES_IN_THE_OPEN = 10
MOST_NAMES = 5


def render_markdown(plan: Plan, snapshot: Snapshot, *, policy: Policy | None = None) -> str:
    """Return the report as Markdown that ends with a line break."""
    return markdown_of(report_view(plan, snapshot, policy))


def markdown_of(view: ReportView) -> str:
    """Return what a report says as Markdown of at most `MOST_CHARACTERS`; what is cut is said in its place."""
    for rows in FEWER_ROWS:
        text = _Page(view, rows).text()
        if len(text) <= MOST_CHARACTERS:
            break
    return text


class _Page:
    """One rendering with at most `rows` rows in each folded table."""

    def __init__(self, view: ReportView, rows: int) -> None:
        self._view = view
        self._rows = rows

    def text(self) -> str:
        """Return the whole page."""
        view = self._view
        blocks = [
            [f"**{sentence(view.headline.replace(' -> ', ' → '))}**"],
            [sentence(" ".join([view.subject + ".", view.run_note]).strip())],
            listing(
                view.gates_title, [sentence(gate.replace(" -> ", " → ")) for gate in view.gates]
            ),
            listing("Conflicts", [_conflict(conflict) for conflict in view.conflicts]),
            listing("Solver failures", [sentence(told) for told in view.incidents]),
            listing("Rules", [_rule(row) for row in view.rules] or [NO_RULES]),
            listing("Policy notes", [sentence(note) for note in view.notes]),
            _changes(view),
            [sentence(told) for told in _outlook(view)],
            listing("Certificate", [sentence(line) for line in view.certificate]),
            self._moves(),
            listing("To apply", [_apply(fact) for fact in view.apply]),
            folded("About this plan", _facts(view.about), self._rows),
            folded(f"Hosts ({len(view.hosts)})", _hosts(view), self._rows),
            folded("Move details", _details(view), self._rows),
            folded("Why and why not", _why(view), self._rows),
            folded("Left out and data quality", _left_out(view), self._rows, after=_quality(view)),
            folded("Safety", _facts(view.safety), self._rows),
            folded("Way back", _way_back(view), self._rows),
            ["_Nothing in this plan has been done._"],
        ]
        return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"

    def _moves(self) -> list[str]:
        rows = [_move(wave.number, move) for wave in self._view.waves for move in wave.moves]
        if not rows:
            return []
        headings = ["wave", "VM", "from", "to", "reason", "about", "memory", "this run", "why"]
        if len(rows) <= MOVES_IN_THE_OPEN:
            return ["**Moves**", "", *table(headings, rows)]
        return folded(f"Moves ({len(rows)})", [headings, *rows], self._rows)


def _outlook(view: ReportView) -> list[str]:
    worst = f"Worst host: {' → '.join(view.worst)}." if view.worst else ""
    told = [worst, room_words(view), ready_words(view), view.idle]
    return [" ".join(f"{one.rstrip('.')}." for one in told if one)]


def _facts(facts: Sequence[Fact]) -> list[list[str]]:
    rows = [[fact.label, sentence(fact.value)] for fact in facts]
    return [["", ""], *rows] if rows else [["", ""]]


def _apply(fact: Fact) -> str:
    is_command = fact.value.startswith("balancer ")
    return f"{fact.label}: {markdown_code(fact.value) if is_command else sentence(fact.value)}"


def _why(view: ReportView) -> list[list[str]]:
    lines = [*view.why, *view.verdicts]
    return [["why"], *([sentence(line)] for line in lines)]


def _quality(view: ReportView) -> list[str]:
    nothing = [] if view.left_out else [NOTHING_LEFT_OUT]
    return [*nothing, *(sentence(line) for line in view.quality)]


def _way_back(view: ReportView) -> list[list[str]]:
    return [["move back"], *([markdown_code(line)] for line in view.way_back)]


def _conflict(conflict: Conflict) -> str:
    mend = f" To mend it: {sentence(conflict.relax)}" if conflict.relax else ""
    return f"{sentence(conflict.message)}.{mend}"


def _rule(row: RuleRow) -> str:
    force = "must" if row.is_must else "should"
    return f"{row.change}: {markdown_code(row.rule)} ({force}, {row.meaning}): {_names(row.vms)}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(markdown_code(name) for name in names[:MOST_NAMES])
    rest = len(names) - MOST_NAMES
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def _changes(view: ReportView) -> list[str]:
    if view.times == 1:
        return table(["", "now"], [[c.label, c.before] for c in view.changes])
    rows = [[c.label, c.before, c.after] for c in view.changes]
    return table(["", "before", "after"], rows)


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
        sentence(move.why),
    ]


def _details(view: ReportView) -> list[list[str]]:
    headings = [
        "move",
        "VM",
        "interval",
        "sends",
        "stun",
        "risk",
        "share",
        "hangs together",
        "approval",
    ]
    return [headings, *(_detail(move) for move in view.moves)]


def _detail(move: MoveRow) -> list[str]:
    return [
        markdown_code(move.id),
        markdown_code(move.vm),
        interval_words(move),
        copy_words(move),
        stun_words(move),
        sentence(risk_words(move)),
        share_words(move),
        sentence(links_words(move)),
        move.consent or "not known",
    ]


def _hosts(view: ReportView) -> list[list[str]]:
    headings = ["host", "state", "CPU", "memory", "VMs", "CPU ready", "headroom"]
    return [headings, *(_host(row, view.times) for row in view.hosts)]


def _host(row: HostRow, times: int) -> list[str]:
    states = (row.before, row.after)[:times]
    rooms = (row.room_before, row.room_after)[:times]
    return [
        markdown_code(row.name),
        row.state,
        " → ".join(percent(state.cpu_ratio) for state in states),
        " → ".join(percent(state.memory_ratio) for state in states),
        " → ".join(str(state.vms) for state in states),
        ready(row),
        " → ".join(headroom(room) for room in rooms),
    ]


def _left_out(view: ReportView) -> list[list[str]]:
    headings = ["how many", "why", "word", "which", "detail"]
    return [headings, *(_left_out_row(row) for row in view.left_out)]


def _left_out_row(row: LeftOutRow) -> list[str]:
    word = markdown_code(row.reason)
    return [row.extent, row.phrase, word, _names(row.vms), sentence(row.detail)]
