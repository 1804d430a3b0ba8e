"""The cells of a table of checks, and a refusal in words: what all explanations write alike."""

from collections.abc import Sequence

from balancer.expose.check_rows import CheckRow, Outcome
from balancer.expose.reason_texts import reason_text
from balancer.model.insight import ServerAnswer
from balancer.model.reasons import Refusal

CHECK_TITLE = "In the order in which it is asked"
CHECK_HEADINGS = ("check", "now", "then", "answer")
CHECK_NOTE = (
    "Then: with all other moves of the plan done. Care: forbids nothing. The server check is vCenter's own;"
    " it is asked for a VM with a host of --config."
)
_OUTCOMES = {
    Outcome.PASSED: "yes",
    Outcome.CAUTION: "care",
    Outcome.REFUSED: "no",
    Outcome.UNANSWERED: "?",
    Outcome.NOT_APPLICABLE: "-",
    None: "",
}


def check_cells(row: CheckRow) -> tuple[str, ...]:
    """Return the cells of a check under `CHECK_HEADINGS`."""
    answer = told(row.told) if row.told else row.unanswered
    return (row.name.replace("_", " "), _OUTCOMES[row.now], _OUTCOMES[row.then], answer)


def told(refusal: Refusal) -> str:
    """Return a refusal in words, with its stable word: `processors too old: ... [evc]`."""
    phrase = refusal.detail or reason_text(refusal.reason).phrase
    return f"{phrase} [{refusal.reason.value}]"


def server_facts(server: ServerAnswer | None) -> list[tuple[str, str]]:
    """Return what vCenter's check said in short."""
    if server is not None and server.refusals:
        return [("vCenter", f"would refuse it: {told(server.refusals[0])}")]
    if server is not None and server.warnings:
        return [("vCenter", f"would do it, and warns: {told(server.warnings[0])}")]
    return []


def mends(rows: Sequence[CheckRow]) -> list[tuple[str, str]]:
    """Return the mend of everything that is wrong."""
    wrong = {row.told.reason: row.mend for row in rows if row.told and row.mend}
    return [("to mend it", f"{mend} [{reason}]") for reason, mend in wrong.items()]
