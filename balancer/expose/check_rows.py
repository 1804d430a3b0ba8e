"""Every check of one VM against one target with its outcome: ours in their order, then vCenter's own.

Both the table of the text and the list of the JSON are made of these rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from balancer.expose.reason_texts import reason_text
from balancer.model.insight import ServerAnswer, TargetInsight
from balancer.model.reasons import Reason, Refusal
from balancer.rules.cautions import CAUTIONS

SERVER = "server_check"
"""The check that vCenter makes itself, `CheckRelocate_Task`."""


class Outcome(StrEnum):
    """How a check ended. Only `refused` forbids the move."""

    PASSED = "passed"
    CAUTION = "caution"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check: as things stand, and with the plan's other moves done where that makes a difference.

    `told` is what it said, if anything; `unanswered` why the server gave no answer.
    """

    name: str
    now: Outcome
    then: Outcome | None = None
    told: Refusal | None = None
    unanswered: str = ""

    @property
    def mend(self) -> str:
        """Return what can be done about it; empty where nothing is wrong or can be done."""
        return reason_text(self.told.reason).mend if self.told else ""


def check_rows(target: TargetInsight) -> tuple[CheckRow, ...]:
    """Return a row for each law and hold, each caution, and each thing that the server said."""
    return (*_gates(target), *_cautions(target), *_server(target.server))


def _gates(target: TargetInsight) -> Iterator[CheckRow]:
    for gate in target.gates:
        told = gate.after or gate.now
        yield CheckRow(name=gate.name, now=_of(gate.now), then=_of(gate.after), told=told)


def _cautions(target: TargetInsight) -> Iterator[CheckRow]:
    told: dict[Reason, Refusal] = {caution.reason: caution for caution in target.cautions}
    for name, reason, _ in CAUTIONS:
        now = Outcome.CAUTION if reason in told else Outcome.PASSED
        yield CheckRow(name=name, now=now, told=told.get(reason))


def _server(answer: ServerAnswer | None) -> Iterator[CheckRow]:
    if answer is None:
        return
    if answer.unanswered:
        yield CheckRow(name=SERVER, now=Outcome.UNANSWERED, unanswered=answer.unanswered)
    elif not answer.refusals and not answer.warnings:
        yield CheckRow(name=SERVER, now=Outcome.PASSED)
    for refusal in answer.refusals:
        yield CheckRow(name=SERVER, now=Outcome.REFUSED, told=refusal)
    for warning in answer.warnings:
        yield CheckRow(name=SERVER, now=Outcome.CAUTION, told=warning)


def _of(refusal: Refusal | None) -> Outcome:
    return Outcome.REFUSED if refusal else Outcome.PASSED
