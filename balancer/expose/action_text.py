"""The after-action report for a terminal: what was done in one line, then batch by batch. Names are made safe."""

from balancer.expose.action_view import ActionRow, ActionView, BatchRows, times, took
from balancer.expose.figures import counted, duration
from balancer.expose.report_rows import Fact
from balancer.expose.text_layout import Paper, Tone, fit, fit_right, widest

MOST_BATCHES = 50
MOST_MOVES = 200
"""Moves shown in all before the rest is left to the document."""

TONES = {
    "better": Tone.GOOD,
    "worse": Tone.BAD,
    "unknown": Tone.WARN,
    "pending": Tone.FAINT,
}


def action_text_of(view: ActionView, paper: Paper) -> str:
    """Return the report as text that ends with a line break, the newest batch first."""
    lines = [paper.paint(line, Tone.TITLE) for line in paper.wrap(view.headline, "")]
    lines += paper.wrap(view.subject, "")
    lines += ["", paper.paint("Sums", Tone.TITLE), *_facts(view.facts, paper)]
    room = MOST_MOVES
    for batch in list(reversed(view.batches))[:MOST_BATCHES]:
        lines += ["", *_batch(batch, paper, max(room, 0))]
        room -= len(batch.moves)
    rest = len(view.batches) - MOST_BATCHES
    if rest > 0:
        lines += ["", f"and {counted(rest, 'older batch', 'older batches')}; use --format json"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _facts(facts: tuple[Fact, ...], paper: Paper) -> list[str]:
    labels = widest([fact.label for fact in facts], least=4, most=22)
    lines: list[str] = []
    for fact in facts:
        first = f"  {fact.label:<{labels}}  "
        lines += paper.wrap(fact.value, " " * len(first), first)
    return lines


def _batch(batch: BatchRows, paper: Paper, room: int) -> list[str]:
    name = paper.paint(
        f"Batch {paper.safe(batch.batch)}: {batch.result}", TONES.get(batch.result, Tone.TITLE)
    )
    lines = [name, *paper.wrap(batch.title, "  "), *paper.wrap(batch.told, "  ")]
    lines += _facts(batch.facts, paper)
    shown = batch.moves[:room]
    lines += _moves(shown, paper) if shown else []
    if len(batch.moves) > len(shown):
        lines.append(
            f"  and {counted(len(batch.moves) - len(shown), 'move')} more; use --format json"
        )
    for told in batch.not_sent[:MOST_BATCHES]:
        lines += paper.wrap(told, "      ", "  not sent: ")
    return lines


def _moves(rows: tuple[ActionRow, ...], paper: Paper) -> list[str]:
    names = widest([paper.safe(row.vm) for row in rows], least=4, most=24)
    ways = [f"{paper.safe(row.source)} -> {paper.safe(row.target)}" for row in rows]
    wide = widest(ways, least=8, most=28)
    head = f"  {fit('VM', names)}  {fit('from -> to', wide)}  {'reason':<11}  {'predicted':>9}  {'took':>12}"
    lines = [paper.paint(f"{head}  times  state", Tone.FAINT)]
    for row, way in zip(rows, ways, strict=True):
        figures = f"{fit_right(duration(row.predicted_s), 9)}  {fit_right(took(row), 12)}  {times(row):>5}"
        line = f"  {fit(paper.safe(row.vm), names)}  {fit(way, wide)}  {row.reason:<11}  {figures}"
        lines.append(f"{line}  {row.state_words}")
        if row.detail and row.state != "done":
            lines += paper.wrap(row.detail, "      ")
    return lines
