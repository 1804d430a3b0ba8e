"""The plan v1 document: a `Plan` as the JSON that `plan --format json` prints and `apply` reads again.

The format is public (`balancer/schemas/plan.v1.schema.json`): keys are added, never changed in meaning.
Beside the schema's keys it carries names for people (`from_name`, `to_name`, `name` of a host), the
imbalance of each state and the program's version. Reads a finished plan; decides nothing.
"""

import json
from collections.abc import Mapping

from balancer.expose.figures import timestamp
from balancer.expose.refusal_groups import RefusalGroup, group_refusals
from balancer.model.certificate import Certificate
from balancer.model.digest import plan_digest
from balancer.model.plan import (
    Conflict,
    HostLoad,
    Incident,
    Move,
    Plan,
    RuleMark,
    Spread,
    State,
    Violation,
)
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from balancer.version import VERSION

SCHEMA = "balancer/plan/v1"

Json = dict[str, object]


def plan_document(plan: Plan, snapshot: Snapshot) -> Json:
    """Return the plan as a JSON object in the fixed order of its keys.

    Equal plans give equal documents, but for `elapsed_seconds`, the two timestamps and the digest. Figures carry
    nine significant digits, so that rounding of the last bits does not show.
    """
    document: Json = {
        "schema": SCHEMA,
        "id": plan.id,
        "version": VERSION,
        "created_at": timestamp(plan.created_at),
        "snapshot_taken_at": timestamp(plan.snapshot_taken_at),
        "cluster": {"id": plan.cluster_id, "name": plan.cluster_name},
        "status": plan.status.value,
        "digest": plan_digest(plan),
    }
    if plan.reason:
        document["reason"] = plan.reason
    if plan.mode:
        document["mode"] = _mode(plan)
    document |= {"before": _state(plan.before, snapshot), "after": _state(plan.after, snapshot)}
    if plan.bound is not None:
        document["bound"] = _bound(plan.bound)
    document |= {
        "moves": [move_entry(move, snapshot) for move in plan.moves],
        "rules": [_rule(mark) for mark in plan.rules],
        "makespan_seconds": number(plan.makespan_seconds),
        "conflicts": [_conflict(conflict) for conflict in plan.conflicts],
        "refusals": [_refusal(group) for group in group_refusals(plan.refusals)],
    }
    if plan.incidents:
        document["incidents"] = [_incident(incident) for incident in plan.incidents]
    if plan.notes:
        document["notes"] = list(plan.notes)
    if plan.verdicts:
        document["verdicts"] = list(plan.verdicts)
    return document | {"elapsed_seconds": _elapsed(plan.stage_seconds)}


def document_text(document: Mapping[str, object]) -> str:
    """Return the document as pure ASCII JSON with a final line break; no name can harm a terminal."""
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def number(value: float) -> float:
    """Return a figure with nine significant digits and without a negative zero."""
    return float(f"{value:.9g}") + 0.0


def host_name(snapshot: Snapshot, host: HostId) -> str:
    """Return a host's display name, or its id where the snapshot does not know it."""
    known = snapshot.host_by_id.get(host)
    return known.name if known else host


def _state(state: State, snapshot: Snapshot) -> Json:
    return {
        "cost": number(state.cost),
        "imbalance": number(state.imbalance),
        "cpu": _spread(state.cpu),
        "memory": _spread(state.memory),
        "unmet_cpu_mhz": number(state.unmet_cpu_mhz),
        "violations": [_violation(violation) for violation in state.violations],
        "hosts": [_host(load, snapshot) for load in sorted(state.hosts, key=lambda h: h.id)],
    }


def _mode(plan: Plan) -> Json:
    because = plan.mode_because
    if because is None:
        return {"in_force": plan.mode}
    return {"in_force": plan.mode, "reason": because.reason.value, "detail": because.detail}


def _bound(bound: Certificate) -> Json:
    """Return the bounds; what could not be computed has no key, but a note."""
    figures = {
        "cost": bound.cost,
        "gap": bound.gap,
        "balance": bound.imbalance,
        "level": bound.level,
        "move_price": bound.bound_price,
        "plan_price": bound.price,
        "move_price_ratio": bound.price_ratio,
        "move_seconds": bound.bound_seconds,
        "plan_seconds": bound.seconds,
        "move_seconds_ratio": bound.seconds_ratio,
        "makespan_seconds": bound.makespan_bound_seconds,
        "makespan_ideal_seconds": bound.makespan_ideal_seconds,
    }
    known: Json = {key: number(value) for key, value in figures.items() if value is not None}
    if bound.makespan_bound_seconds is not None:
        known["fastest"] = bound.is_fastest
    return known | {"calm": bound.is_calm, "notes": list(bound.notes)}


def _spread(spread: Spread) -> Json:
    return {
        "mean": number(spread.mean),
        "max": number(spread.max),
        "min": number(spread.min),
        "stddev": number(spread.stddev),
    }


def _violation(violation: Violation) -> Json:
    return {
        "rule": violation.rule,
        "type": violation.type.value,
        "mandatory": violation.mandatory,
        "vms": list(violation.vms),
    }


def _host(load: HostLoad, snapshot: Snapshot) -> Json:
    return {
        "id": load.id,
        "name": host_name(snapshot, load.id),
        "cpu_ratio": number(load.cpu_ratio),
        "memory_ratio": number(load.memory_ratio),
        "vms": load.vms,
    }


def move_entry(move: Move, snapshot: Snapshot) -> Json:
    """Return one move as the document lists it."""
    return {
        "id": move.id,
        "vm": move.vm,
        "vm_name": move.vm_name,
        **({"vm_uuid": move.vm_uuid} if move.vm_uuid else {}),
        "from": move.source,
        "from_name": host_name(snapshot, move.source),
        "to": move.target,
        "to_name": host_name(snapshot, move.target),
        "reason": move.reason.word,
        "mandatory": move.reason.is_mandatory,
        "why": move.why,
        "priority": move.priority.value,
        "wave": move.wave,
        "after": list(move.after),
        "start_seconds": number(move.start_seconds),
        "expected_seconds": number(move.expected_seconds),
        "memory_mib": number(move.memory_mib),
        "this_run": move.this_run,
        "gain": number(move.gain),
        "pace": number(move.pace),
    }


def _rule(mark: RuleMark) -> Json:
    return {
        "name": mark.name,
        "mandatory": mark.mandatory,
        "mark": mark.mark,
        "vms": list(mark.vms),
    }


def _conflict(conflict: Conflict) -> Json:
    document: Json = {
        "kind": conflict.kind,
        "message": conflict.message,
        "rules": list(conflict.rules),
        "vms": list(conflict.vms),
        "hosts": list(conflict.hosts),
    }
    if conflict.relax:
        document["relax"] = conflict.relax
    return document


def _refusal(group: RefusalGroup) -> Json:
    document: Json = {"reason": group.reason.value}
    if len(group.vms) == 1:
        document["vm"] = group.vms[0]
    elif group.vms:
        document["vms"] = list(group.vms)
    if len(group.hosts) == 1:
        document["host"] = group.hosts[0]
    elif group.hosts:
        document["hosts"] = list(group.hosts)
    if group.detail:
        document["detail"] = group.detail
    return document | {"count": group.count}


def _incident(incident: Incident) -> Json:
    return {
        "stage": incident.stage,
        "kind": incident.kind.value,
        "detail": incident.detail,
    }


def _elapsed(stages: Mapping[str, float]) -> Json:
    known = {stage: number(seconds) for stage, seconds in stages.items() if stage != "total"}
    total = stages.get("total", sum(stages.values()))
    return {"total": number(total), **known}
