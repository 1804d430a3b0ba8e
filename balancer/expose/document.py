"""The plan v1 document: a `Plan` as the JSON that `plan --format json` prints and `apply` reads again.

The format is public (`balancer/schemas/plan.v1.schema.json`): keys are added, never changed in meaning.
Beside the schema's keys it carries names for people (`from_name`, `to_name`, `name` of a host), the
imbalance of each state and the program's version. Reads a finished plan; decides nothing.
"""

import json
from collections.abc import Mapping

from balancer.expose.brief_document import brief_entries, move_brief
from balancer.expose.decision_document import decision_entry
from balancer.expose.figures import number, timestamp
from balancer.expose.origin import NOWHERE, Origin
from balancer.expose.refusal_groups import RefusalGroup, group_refusals
from balancer.expose.report_rows import ReportView
from balancer.expose.report_view import ready_percents, report_view, room_of
from balancer.expose.rows_document import entry_of, row_of
from balancer.model.certificate import Certificate
from balancer.model.digest import plan_digest
from balancer.model.errors import BalancerError
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
from balancer.policy.types import Policy
from balancer.version import VERSION

__all__ = [
    "FORMAT_VERSION",
    "SCHEMA",
    "Json",
    "document_text",
    "host_name",
    "kept_text",
    "move_entry",
    "number",
    "plan_document",
    "view_of",
]

SCHEMA = "balancer/plan/v1"

FORMAT_VERSION = "1.1"
"""A reader takes any minor version and refuses another major one: keys are added, never changed in meaning."""

Json = dict[str, object]


def plan_document(
    plan: Plan, snapshot: Snapshot, *, policy: Policy | None = None, origin: Origin = NOWHERE
) -> Json:
    """Return the plan as a JSON object in the fixed order of its keys.

    Equal plans give equal documents, but for `elapsed_seconds`, times, the digest, and `report`, which has them in
    words. Figures carry nine significant digits, so that rounding of the last bits does not show. `policy` and
    `origin` are for `report` alone: thresholds beside the figures, and the commands that apply the plan.
    """
    view = report_view(plan, snapshot, policy, origin=origin)
    document: Json = {
        "schema": SCHEMA,
        "format_version": FORMAT_VERSION,
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
    ready = ready_percents(snapshot)
    document |= {
        "before": _state(plan.before, snapshot, ready=ready),
        "after": _state(plan.after, snapshot, ready={}),
    }
    if plan.bound is not None:
        document["bound"] = _bound(plan.bound)
    document |= {
        "moves": _moves(plan, snapshot, view),
        "rules": [_rule(mark) for mark in plan.rules],
        "makespan_seconds": number(plan.makespan_seconds),
        "conflicts": [_conflict(conflict) for conflict in plan.conflicts],
        "refusals": [_refusal(group) for group in group_refusals(plan.refusals)],
    }
    if plan.decision is not None:
        document["decision"] = decision_entry(plan.decision, snapshot)
    if plan.incidents:
        document["incidents"] = [_incident(incident) for incident in plan.incidents]
    if plan.notes:
        document["notes"] = list(plan.notes)
    if plan.verdicts:
        document["verdicts"] = list(plan.verdicts)
    if plan.brief:
        document |= brief_entries(plan.brief, snapshot)
    return document | {"elapsed_seconds": _elapsed(plan.stage_seconds), "report": entry_of(view)}


def view_of(document: Mapping[str, object]) -> ReportView:
    """Return what the reports of a plan document say.

    Raises:
        BalancerError: it was written by a version that put no report into it, or it was changed.
    """
    try:
        return row_of(ReportView, document.get("report"))
    except (TypeError, ValueError) as err:
        raise BalancerError(
            f"This plan document has no report that can be shown: {err}. It was written by an older version, or "
            "changed. Its moves can still be read as JSON."
        ) from err


def _moves(plan: Plan, snapshot: Snapshot, view: ReportView) -> list[Json]:
    briefs = {brief.move: brief for brief in (plan.brief.moves if plan.brief else ())}
    rows = {row.id: row for row in view.moves}
    entries = []
    for move in plan.moves:
        entry, row = move_entry(move, snapshot), rows[move.id]
        entry |= {} if row.share is None else {"benefit_share": number(row.share)}
        entry |= move_brief(briefs[move.id]) if move.id in briefs else {}
        entries.append(entry | {"blocks": list(row.blocks), "rules": list(row.rules)})
    return entries


def document_text(document: Mapping[str, object]) -> str:
    """Return the document as pure ASCII JSON with a final line break; no name can harm a terminal."""
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def kept_text(document: Mapping[str, object]) -> str:
    """Return the document in one line, for programs alone: three quarters of the size, in a quarter of the time."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def host_name(snapshot: Snapshot, host: HostId) -> str:
    """Return a host's display name, or its id where the snapshot does not know it."""
    known = snapshot.host_by_id.get(host)
    return known.name if known else host


def _state(state: State, snapshot: Snapshot, *, ready: Mapping[HostId, float]) -> Json:
    return {
        "cost": number(state.cost),
        "imbalance": number(state.imbalance),
        "cpu": _spread(state.cpu),
        "memory": _spread(state.memory),
        "unmet_cpu_mhz": number(state.unmet_cpu_mhz),
        "violations": [_violation(violation) for violation in state.violations],
        "hosts": [
            _host(load, snapshot, ready.get(load.id))
            for load in sorted(state.hosts, key=lambda h: h.id)
        ],
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


def _host(load: HostLoad, snapshot: Snapshot, ready_percent: float | None) -> Json:
    entry: Json = {
        "id": load.id,
        "name": host_name(snapshot, load.id),
        "cpu_ratio": number(load.cpu_ratio),
        "memory_ratio": number(load.memory_ratio),
        "vms": load.vms,
    }
    host = snapshot.host_by_id.get(load.id)
    room = room_of(host, load)
    if host is not None and room is not None:
        entry["state"] = host.state.value
        entry["headroom_cpu_mhz"] = number(room.cpu_mhz)
        entry["headroom_memory_mib"] = number(room.memory_mib)
    return entry if ready_percent is None else entry | {"ready_percent": number(ready_percent)}


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
