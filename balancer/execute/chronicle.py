"""Tells the audit log what is decided outside of the journal: plans, why one was held, moves that were not sent.

A note that cannot be written stops nothing here: no move begins without a note of its own, which the journal writes
with the intent. One chronicle lives as long as its cluster is worked on, so that a plan that is like the one
before it is told once.
"""

import logging
from collections import Counter
from datetime import datetime

from balancer.model.audit import AuditNote
from balancer.model.decision import Answer, Reading
from balancer.model.errors import StoreError
from balancer.model.plan import Move, Plan
from balancer.model.reasons import Refusal
from balancer.ports import Audit

_QUIET = frozenset({Answer.BELOW_TRIGGER, Answer.CALM, Answer.IN_BAND})
"""Answers between which a calm cluster goes to and fro."""

log = logging.getLogger(__name__)


class Chronicle:
    """What was told of one cluster's plans. Not shared between threads: cycles follow each other."""

    def __init__(self) -> None:
        self._told: tuple[object, ...] | None = None

    def planned(
        self, plan: Plan, held: Refusal | None, *, audit: Audit, shard: str, at: datetime
    ) -> None:
        """Tell of a plan that is acted on, or that says something else than the one before."""
        heading = _heading(plan, held)
        if heading == self._told and (held or not plan.admitted):
            return
        note = AuditNote(
            at=at,
            action="plan.held" if held and plan.moves else "plan.made",
            shard=shard,
            subject=plan.id,
            reason=held.told if held else plan.reason,
            facts={
                "status": str(plan.status),
                "mode": plan.mode,
                "mode_because": plan.mode_because and str(plan.mode_because.reason),
                "held": held and str(held.reason),
                "moves": len(plan.moves),
                "admitted": len(plan.admitted),
                "refusals": _counted(plan),
                **_decided(plan),
            },
        )
        if told(audit, note):
            self._told = heading


def told(audit: Audit, note: AuditNote) -> bool:
    """Append a note where the journal takes it; say so in the log where it does not."""
    try:
        audit.note(note)
    except StoreError as err:
        facts = {"action": note.action, "subject": note.subject, "reason": note.reason}
        log.error("not written to the audit log", extra=facts | {"error": str(err)})
        return False
    return True


def not_sent(
    plan: Plan, move: Move, refusal: Refusal, *, cycle_id: str, shard: str, at: datetime
) -> AuditNote:
    """Return the note of a move that was planned and not sent."""
    return AuditNote(
        at=at,
        action="move.refused",
        shard=shard,
        subject=move.vm_name,
        reason=refusal.told,
        facts={
            "vm": move.vm,
            "source": move.source,
            "target": move.target,
            "plan": plan.id,
            "cycle": cycle_id,
        },
    )


def none_sent(
    plan: Plan, moves: int, refusal: Refusal, *, cycle_id: str, shard: str, at: datetime
) -> AuditNote:
    """Return the note of all moves that were still to be sent, for one reason."""
    return AuditNote(
        at=at,
        action="moves.refused",
        shard=shard,
        subject=plan.id,
        reason=refusal.told,
        facts={"moves": moves, "cycle": cycle_id},
    )


def _heading(plan: Plan, held: Refusal | None) -> tuple[object, ...]:
    because = plan.mode_because and plan.mode_because.reason
    decision, answers = plan.decision, tuple[Answer, ...]()
    if decision is not None:
        both = (decision.contention.answer, decision.balance.answer)
        answers = tuple(one for one in both if one not in _QUIET)
    return plan.status, plan.mode, because, tuple(_counted(plan)), held and held.reason, answers


def _decided(plan: Plan) -> dict[str, object]:
    """Return why contention and balance were acted on or not, with the figures."""
    if plan.decision is None:
        return {}
    bargain = plan.decision.bargain
    return {
        "contention": _reading(plan.decision.contention),
        "balance": _reading(plan.decision.balance),
        **({"gain": bargain.gain, "price": bargain.price} if bargain else {}),
    }


def _reading(reading: Reading) -> dict[str, object]:
    return {
        "answer": str(reading.answer),
        "now": round(reading.now, 4),
        "trigger": reading.trigger,
        "looks_over": reading.looks_over,
        "looks": reading.looks,
        "host": reading.host,
    }


def _counted(plan: Plan) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for refusal in plan.refusals:
        counts[str(refusal.reason)] += refusal.count
    return dict(sorted(counts.items()))
