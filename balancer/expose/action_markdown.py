"""The after-action report for a ticket: what was done in the open, the moves folded away.

GitHub-flavoured Markdown, as short as `report_markdown` keeps it, and escaped as there.
"""

from balancer.expose.action_view import ActionRow, ActionView, BatchRows, times, took
from balancer.expose.escape import markdown_code, markdown_text
from balancer.expose.figures import counted, duration
from balancer.expose.markdown_parts import FEWER_ROWS, MOST_CHARACTERS, folded, listing, sentence

MOST_BATCHES = 20


def action_markdown_of(view: ActionView) -> str:
    """Return the report as Markdown of at most `MOST_CHARACTERS`; what is cut is said in its place."""
    for rows in FEWER_ROWS:
        text = _text(view, rows)
        if len(text) <= MOST_CHARACTERS:
            break
    return text


def _text(view: ActionView, rows: int) -> str:
    newest = list(reversed(view.batches))
    blocks = [
        [f"**{sentence(view.headline)}**"],
        [sentence(f"{view.subject}.")],
        listing("Sums", [f"{fact.label}: {sentence(fact.value)}" for fact in view.facts]),
        listing("Batches", [_batch(batch) for batch in newest]),
        *(_moves(batch, rows) for batch in newest[: min(MOST_BATCHES, rows)]),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _batch(batch: BatchRows) -> str:
    facts = "; ".join(f"{fact.label.lower()} {sentence(fact.value)}" for fact in batch.facts)
    told = f"{batch.title}. {batch.told}"
    return f"{batch.result}: {markdown_code(batch.batch)}, {sentence(told)} ({facts})"


def _moves(batch: BatchRows, rows: int) -> list[str]:
    headings = [
        "row",
        "VM",
        "from",
        "to",
        "reason",
        "state",
        "predicted",
        "took",
        "times",
        "downtime",
        "detail",
    ]
    name = markdown_text(batch.batch)
    title = f"Batch {name}: {counted(len(batch.moves), 'move')}"
    not_sent = [sentence(f"not sent: {told}") for told in batch.not_sent[:rows]]
    return folded(title, [headings, *(_move(row) for row in batch.moves)], rows, after=not_sent)


def _move(row: ActionRow) -> list[str]:
    return [
        str(row.row),
        markdown_code(row.vm),
        markdown_code(row.source),
        markdown_code(row.target),
        row.reason,
        row.state_words,
        duration(row.predicted_s),
        took(row),
        times(row),
        row.downtime,
        sentence(row.detail),
    ]
