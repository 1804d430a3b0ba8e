"""Every check of one VM against one target with its outcome: ours in their order, then vCenter's own.

Both the table of the text and the list of the JSON are made of these rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from balancer.expose.reason_texts import reason_text
from balancer.model.insight import Gate, RestingTarget, ServerAnswer, TargetInsight
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
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check: as things stand, and with the plan's other moves done where that makes a difference.

    `told` is what it said, if anything; `unanswered` why there is no answer: what the server said instead, or
    why the check does not apply.
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


def resting_rows(target: RestingTarget) -> tuple[CheckRow, ...]:
    """Return the same rows for a VM that does not run; what does not apply to it says why."""
    gates = (_resting_gate(gate) for gate in target.gates)
    idle = (_idle(name) for name, _, _ in CAUTIONS)
    return (*gates, *idle, *_server(target.server))


def _resting_gate(gate: Gate) -> CheckRow:
    return (
        CheckRow(name=gate.name, now=_of(gate.now), told=gate.now)
        if gate.applies
        else _idle(gate.name)
    )


def _idle(name: str) -> CheckRow:
    return CheckRow(name=name, now=Outcome.NOT_APPLICABLE, unanswered=WHY_IDLE[name])


_OF_THE_COPY = "nothing is copied of a VM that does not run"
_OF_THE_LOAD = "a VM that does not run is no load"

WHY_IDLE: Mapping[str, str] = {
    "hold": "holds concern VMs that are moved, and only running ones are",
    "evc": "processors matter when the VM is switched on; vCenter looks then",
    "anti_affinity": "the rule counts VMs that run",
    "affinity": "the rule counts VMs that run",
    "reservations": "what it is guaranteed is taken when it is switched on",
    "capacity": _OF_THE_LOAD,
    "failover": "HA makes room for VMs that run",
    "threshold": _OF_THE_LOAD,
    "price": "no move of it could relieve anything",
    "vmotion_link": _OF_THE_COPY,
    "vmotion_network": _OF_THE_COPY,
    "dirty_rate": _OF_THE_COPY,
    "swap_file": "it has a swap file only while it runs",
}
"""Why each check does not apply to a VM that does not run, by the check's word."""


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
