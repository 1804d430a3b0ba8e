"""The audit notes of what a store writes, so that both stores note the same. Pure.

A note is appended in the transaction that writes what it tells of: neither is there without the other.
"""

from datetime import datetime

from balancer.model.audit import AuditNote
from balancer.model.control import Approval, Evacuation, Pause
from balancer.model.lease import Lease
from balancer.model.outcome import JournalEntry, JournalRow, JournalStep
from balancer.model.past import Breaker, Disturbance, ForeignMove, Quarantine, Verdict
from balancer.model.units import ClusterId


def of_intent(row: int, entry: JournalEntry, lease: Lease) -> AuditNote:
    """Return the note of a move that is about to be sent."""
    return AuditNote(
        at=entry.intended_at,
        action="move.intent",
        shard=lease.shard,
        subject=entry.vm_name,
        reason=str(entry.reason),
        facts=_journey(row, entry) | {"plan": entry.plan_id, "token": lease.token},
    )


def of_step(row: JournalRow, step: JournalStep, shard: str) -> AuditNote:
    """Return the note of what became of a move."""
    learnt = {"task": step.task, "fault": step.fault, "kind": step.kind and str(step.kind)}
    return AuditNote(
        at=step.at,
        action=f"move.{step.state}",
        shard=shard,
        subject=row.entry.vm_name,
        reason=step.detail,
        facts=_journey(row.id, row.entry) | {name: fact for name, fact in learnt.items() if fact},
    )


def _journey(row: int, entry: JournalEntry) -> dict[str, object]:
    return {"row": row, "vm": entry.vm, "source": entry.source, "target": entry.target}


def of_pause(pause: Pause) -> AuditNote:
    """Return the note of a pause that begins."""
    return AuditNote(
        at=pause.at, action="pause", actor=pause.by, shard=pause.shard, reason=pause.reason
    )


def of_resume(shard: str, ended: tuple[Pause, ...], *, by: str, at: datetime) -> AuditNote:
    """Return the note of the end of pauses."""
    facts = {"pauses": [pause.id for pause in ended]}
    return AuditNote(at=at, action="resume", actor=by, shard=shard, facts=facts)


def of_evacuation(evacuation: Evacuation) -> AuditNote:
    """Return the note of a host that is to be emptied."""
    return AuditNote(
        at=evacuation.at,
        action="evacuation.asked",
        actor=evacuation.by,
        shard=evacuation.shard,
        subject=evacuation.host_name,
        reason=evacuation.reason,
        facts={"request": evacuation.id, "host": evacuation.host},
    )


def of_evacuation_end(evacuation: Evacuation) -> AuditNote:
    """Return the note of a request that was ended."""
    return AuditNote(
        at=evacuation.ended_at or evacuation.at,
        action="evacuation.ended",
        actor=evacuation.ended_by,
        shard=evacuation.shard,
        subject=evacuation.host_name,
        facts={"request": evacuation.id, "host": evacuation.host},
    )


def of_decision(approval: Approval) -> AuditNote:
    """Return the note of a yes or no to a plan."""
    return AuditNote(
        at=approval.at,
        action="plan.rejected" if approval.rejected else "plan.approved",
        actor=approval.by,
        shard=approval.shard,
        subject=str(approval.plan),
        reason=approval.reason,
        facts={"digest": approval.digest, "expires_at": approval.expires_at.isoformat()},
    )


def of_use(approval: Approval, at: datetime) -> AuditNote:
    """Return the note of an approval that is acted on."""
    return AuditNote(
        at=at,
        action="approval.used",
        shard=approval.shard,
        subject=str(approval.plan),
        facts={"digest": approval.digest, "approved_by": approval.by},
    )


def of_quarantine(quarantine: Quarantine) -> AuditNote:
    """Return the note of a VM or host that is left alone."""
    return AuditNote(
        at=quarantine.since,
        action="quarantine",
        subject=quarantine.subject,
        reason=f"{quarantine.reason}: {quarantine.detail}",
        facts=_where(quarantine.vcenter, quarantine.cluster)
        | {
            "kind": str(quarantine.kind),
            "level": quarantine.level,
            "until": quarantine.until.isoformat(),
            "row": quarantine.cause,
        },
    )


def of_foreign_move(move: ForeignMove) -> AuditNote:
    """Return the note of a move by somebody else."""
    return AuditNote(
        at=move.seen_at,
        action="move.foreign",
        subject=move.vm_name,
        facts=_where(move.vcenter, move.cluster)
        | {
            "vm": move.vm,
            "source": move.source,
            "target": move.target,
            "row": move.row,
            "is_return": move.is_return,
            "is_against": move.is_against,
        },
    )


def of_disturbance(disturbance: Disturbance) -> AuditNote:
    """Return the note of something after which a cluster is left in peace."""
    return AuditNote(
        at=disturbance.at,
        action="disturbance",
        subject=disturbance.subject,
        reason=disturbance.detail,
        facts=_where(disturbance.vcenter, disturbance.cluster) | {"kind": str(disturbance.kind)},
    )


def of_breaker(
    vcenter: str, cluster: ClusterId, before: Breaker, after: Breaker, *, at: datetime
) -> AuditNote | None:
    """Return the note of a breaker that opens, closes or changes; None where it only went on counting."""
    if _state_of(before) == _state_of(after):
        return None
    became = {(False, True): "opened", (True, False): "closed"}
    return AuditNote(
        at=at,
        action=f"breaker.{became.get((before.is_open, after.is_open), 'changed')}",
        reason=after.cause,
        facts=_where(vcenter, cluster)
        | {"level": after.level, "until": after.until and after.until.isoformat()},
    )


def _state_of(breaker: Breaker) -> tuple[object, ...]:
    return breaker.is_open, breaker.level, breaker.since, breaker.until, breaker.cause


def of_verdict(verdict: Verdict) -> AuditNote:
    """Return the note of what a batch was found to have done."""
    return AuditNote(
        at=verdict.judged_at or verdict.ended_at,
        action=f"verdict.{verdict.result}",
        subject=verdict.plan_id,
        reason=verdict.detail,
        facts=_where(verdict.vcenter, verdict.cluster)
        | {
            "cycle": verdict.cycle_id,
            "predicted_gain": verdict.predicted_gain,
            "measured_gain": verdict.measured_gain,
        },
    )


def of_acknowledgement(
    vcenter: str, cluster: ClusterId, count: int, *, by: str, at: datetime
) -> AuditNote:
    """Return the note of verdicts that a person has taken note of."""
    facts = _where(vcenter, cluster) | {"verdicts": count}
    return AuditNote(at=at, action="verdicts.acknowledged", actor=by, facts=facts)


def of_acknowledged_moves(
    vcenter: str, cluster: ClusterId, count: int, *, by: str, at: datetime
) -> AuditNote:
    """Return the note of moves by others that a person has taken note of."""
    facts = _where(vcenter, cluster) | {"foreign_moves": count}
    return AuditNote(at=at, action="foreign_moves.acknowledged", actor=by, facts=facts)


def _where(vcenter: str, cluster: ClusterId) -> dict[str, object]:
    return {"vcenter": vcenter, "cluster": cluster}
