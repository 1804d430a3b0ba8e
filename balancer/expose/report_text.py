"""The report for a terminal or a ticket, in the manner of `terraform plan`: verdict first, then why.

Takes a finished plan and the snapshot it was made from; writes nothing, asks nothing. Every name goes
through `escape`, so that no VM can move the cursor or imitate another line.
"""

from balancer.expose.escape import cells
from balancer.expose.figures import counted, duration, gibibytes, listed
from balancer.expose.move_words import detail_words, interval_words
from balancer.expose.report_hosts_text import host_lines
from balancer.expose.report_rows import (
    Fact,
    LeftOutRow,
    MoveRow,
    ReportView,
    RuleRow,
    WaveRows,
)
from balancer.expose.report_view import report_view, without_domain
from balancer.expose.text_layout import Paper, Tone, capped, fit, fit_right, widest
from balancer.model.plan import Conflict, Plan, PlanStatus
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy

MOST_MOVES = 60
MOST_ROWS = 30
"""Rows of a section before the rest is left to the document."""

LEAST_WIDTH = 60

NO_RULES = "No rule is broken, before or after the plan."
NOTHING_LEFT_OUT = "Nothing was left out."

_CHANGE_TONES = {"fixed": Tone.GOOD, "still broken": Tone.BAD, "newly broken": Tone.WARN}


def render_text(
    plan: Plan,
    snapshot: Snapshot,
    *,
    width: int = 100,
    color: bool = False,
    ascii_only: bool = False,
    policy: Policy | None = None,
) -> str:
    """Return the report as text that ends with a line break.

    `width` is in columns, at least 60 are used. `ascii_only` is for terminals that cannot show blocks.
    With `policy` an empty plan shows its gate values beside the policy's thresholds.
    """
    paper = Paper(width=max(width, LEAST_WIDTH), color=color, ascii_only=ascii_only)
    return text_of(report_view(plan, snapshot, policy), paper)


def text_of(whole: ReportView, paper: Paper) -> str:
    """Return what a report says as text that ends with a line break."""
    view, domain = without_domain(whole)
    sections = [
        _head(view, domain, paper),
        _section("About this plan", _fact_lines(view.about, paper), paper),
        _section(view.gates_title, _told_lines(view.gates, paper), paper),
        _section("Hosts", host_lines(view, paper), paper),
        _section("Moves", _move_lines(view, paper), paper),
        _section("Move details", _detail_lines(view, paper), paper),
        _section("Why and why not", _told_lines(view.why, paper), paper),
        _section("Certificate", _certificate_lines(view, paper), paper),
        _section("What earlier batches did", _told_lines(view.verdicts, paper), paper),
        _section("Rules", _rule_lines(view, paper) or [f"  {NO_RULES}"], paper),
        _section("Conflicts", _conflict_lines(view.conflicts, paper), paper),
        _section("Policy notes", _told_lines(view.notes, paper), paper),
        _section("Left out", _left_out_lines(view, paper) or [f"  {NOTHING_LEFT_OUT}"], paper),
        _section("Data quality", _told_lines(view.quality, paper), paper),
        _section("Solver failures", _told_lines(view.incidents, paper), paper),
        _section("Safety", _fact_lines(view.safety, paper), paper),
        _section("To apply", _fact_lines(view.apply, paper), paper),
        [f"Planned in {view.elapsed_s:.1f} s. Nothing in this plan has been done."],
    ]
    lines = [line for section in sections if section for line in (*section, "")]
    return "\n".join(line.rstrip() for line in lines[:-1]) + "\n"


def shows_blocks(encoding: str | None) -> bool:
    """Whether a stream of this encoding can show the report's bars; if not, use `ascii_only`."""
    try:
        "█▏…".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _head(view: ReportView, domain: str, paper: Paper) -> list[str]:
    tones = {PlanStatus.DEGRADED: Tone.WARN, PlanStatus.REFUSED: Tone.BAD}
    tone = tones.get(view.status, Tone.TITLE)
    lines = [paper.paint(line, tone) for line in paper.wrap(view.headline, "")]
    shortened = f"; host names without {domain}" if domain else ""
    lines += paper.wrap(view.subject + shortened, "")
    return lines + (paper.wrap(view.run_note, "") if view.run_note else [])


def _section(title: str, lines: list[str], paper: Paper) -> list[str]:
    return [paper.paint(title, Tone.TITLE), *lines] if lines else []


def _fact_lines(facts: tuple[Fact, ...], paper: Paper) -> list[str]:
    labels = widest([fact.label for fact in facts], least=4, most=18)
    lines: list[str] = []
    for fact in facts:
        first = f"  {fact.label:<{labels}}  "
        lines += paper.wrap(fact.value, " " * len(first), first)
    return lines


def _detail_lines(view: ReportView, paper: Paper) -> list[str]:
    """Return for each move what is expected of it and what it hangs together with."""
    lines: list[str] = []
    for move in view.moves[:MOST_MOVES]:
        first = f"  {fit(paper.safe(move.id), 5)} "
        told = f"{interval_words(move)}; {detail_words(move)}"
        lines += paper.wrap(told, " " * len(first), first)
    rest = len(view.moves) - MOST_MOVES
    return [*lines, f"  and {rest:,} more; use --format json"] if rest > 0 else lines


def _move_lines(view: ReportView, paper: Paper) -> list[str]:
    room, lines = MOST_MOVES, []
    columns = _move_columns(view.moves[:MOST_MOVES], paper)
    for wave in view.waves:
        shown = wave.moves[:room]
        if not shown:
            break
        lines.append(f"  Wave {wave.number}, {counted(len(wave.moves), 'move')}{_wave_start(wave)}")
        for move in shown:
            lines += _move_row(move, columns, paper)
        room -= len(shown)
    rest = len(view.moves) - MOST_MOVES
    if rest > 0:
        lines.append(f"  and {rest:,} more; use --format json")
    if any(move.waits for move in view.moves):
        lines.append("  > admitted by this run's budget   . waits for a later run")
    return lines


def _wave_start(wave: WaveRows) -> str:
    return f", after about {duration(wave.starts_s)}" if wave.starts_s > 0 else ""


def _move_columns(moves: tuple[MoveRow, ...], paper: Paper) -> dict[str, int]:
    """Return the width of each column; `why` is 0 where the sentence gets a line of its own."""
    sources = widest([paper.safe(m.source) for m in moves], least=4, most=20)
    targets = widest([paper.safe(m.target) for m in moves], least=4, most=20)
    reasons = widest([m.reason for m in moves], least=4, most=12)
    fixed = 6 + 2 + sources + 4 + targets + 2 + reasons + 2 + 7 + 2 + 8
    names = widest([paper.safe(m.vm) for m in moves], least=8, most=max(paper.width - fixed, 24))
    left = paper.width - fixed - names - 2
    needed = max([cells(paper.safe(m.why)) for m in moves], default=0)
    return {
        "vm": names,
        "source": sources,
        "target": targets,
        "reason": reasons,
        "why": left if needed <= left else 0,
    }


def _move_row(move: MoveRow, columns: dict[str, int], paper: Paper) -> list[str]:
    mark = "." if move.waits else ">"
    source = fit(paper.safe(move.source), columns["source"])
    target = fit(paper.safe(move.target), columns["target"])
    cells_of_row = [
        f"    {mark} {fit(paper.safe(move.vm), columns['vm'])}",
        f"{source} -> {target}",
        fit(move.reason, columns["reason"]),
        fit_right(duration(move.seconds), 7),
        fit_right(gibibytes(move.memory_mib), 8),
    ]
    row = "  ".join(cells_of_row)
    if columns["why"]:
        row = f"{row}  {paper.safe(move.why)}"
    tone = Tone.FAINT if move.waits else Tone.PLAIN
    lines = [paper.paint(row.rstrip(), tone)]
    if move.why and not columns["why"]:
        lines += [paper.paint(line, Tone.FAINT) for line in paper.wrap(move.why, " " * 8)]
    return lines


def _rule_lines(view: ReportView, paper: Paper) -> list[str]:
    lines: list[str] = []
    for row in view.rules[:MOST_ROWS]:
        lines += _rule_row(row, paper)
    rest = len(view.rules) - MOST_ROWS
    return [*lines, f"  and {rest:,} more; use --format json"] if rest > 0 else lines


def _rule_row(row: RuleRow, paper: Paper) -> list[str]:
    force = "must" if row.is_must else "should"
    mark = {"fixed": "+", "still broken": "!", "newly broken": "-"}[row.change]
    text = f"{row.rule} ({force}, {row.meaning}): {listed(list(row.vms), 6)}"
    first = f"  {mark} {row.change:<13} "
    tone = _CHANGE_TONES[row.change]
    lines = paper.wrap(text, " " * len(first), first)
    return [paper.paint(lines[0], tone), *lines[1:]]


def _certificate_lines(view: ReportView, paper: Paper) -> list[str]:
    return [line for text in view.certificate for line in paper.wrap(text, "    ", "  ")]


def _conflict_lines(conflicts: tuple[Conflict, ...], paper: Paper) -> list[str]:
    lines: list[str] = []
    for conflict in conflicts[:MOST_ROWS]:
        told = paper.wrap(conflict.message, "    ", "  ! ")
        lines += [paper.paint(line, Tone.WARN) for line in told]
        if conflict.relax:
            lines += paper.wrap(f"to mend it: {conflict.relax}", "      ", "    ")
    rest = len(conflicts) - MOST_ROWS
    return [*lines, f"  and {rest:,} more; use --format json"] if rest > 0 else lines


def _told_lines(every: tuple[str, ...], paper: Paper) -> list[str]:
    return [line for told in every for line in paper.wrap(told, "    ", "  ")]


def _left_out_lines(view: ReportView, paper: Paper) -> list[str]:
    extents = widest([row.extent for row in view.left_out], least=4, most=12)
    lines: list[str] = []
    for row in view.left_out:
        lines += _left_out_row(row, extents, paper)
    return capped(lines, 2 * MOST_ROWS)


def _left_out_row(row: LeftOutRow, extents: int, paper: Paper) -> list[str]:
    who = f": {listed(list(row.vms), 5)}" if row.vms else ""
    first = f"  {fit_right(row.extent, extents)}  "
    indent = " " * len(first)
    lines = paper.wrap(f"{row.phrase}{who} [{row.reason}]", indent, first)
    return lines + (paper.wrap(row.detail, indent) if row.detail else [])
