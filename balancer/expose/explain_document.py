"""The explanation of a VM or a host as JSON: the figures as they are, for scripts.

Format `balancer/explain/v1` (`balancer/schemas/explain.v1.schema.json`); keys are added, never changed in
meaning. Costs are in the unit of `State.cost`, ratios of usable capacity.
"""

from balancer.expose.check_rows import CheckRow, check_rows, resting_rows
from balancer.expose.document import Json, host_name, move_entry, number
from balancer.expose.figures import timestamp
from balancer.expose.refusal_groups import group_by_reason
from balancer.model.insight import (
    Gate,
    HostFigures,
    HostInsight,
    RestingTarget,
    TargetInsight,
    VmInsight,
)
from balancer.model.plan import Plan
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.version import VERSION

SCHEMA = "balancer/explain/v1"


def vm_document(insight: VmInsight, plan: Plan, snapshot: Snapshot) -> Json:
    """Return the explanation of a VM. Every target lists all its gates."""
    facts = snapshot.vm_by_id[insight.vm]
    vm: Json = {
        "id": insight.vm,
        "name": facts.name,
        "host": insight.host,
        "host_name": host_name(snapshot, insight.host),
        "moves_with": [vm for vm in insight.movers if vm != insight.vm],
        "cpu_mhz": number(insight.cpu_mhz),
        "memory_mib": number(insight.memory_mib),
        "footprint_mib": number(insight.footprint_mib),
        "moves": [move_entry(move, snapshot) for move in insight.moves],
    }
    if insight.stays is not None:
        vm["stays"] = _refusal(insight.stays)
    if insight.relax:
        vm["relax"] = insight.relax
    if insight.source is not None:
        vm["source"] = {"with": _figures(insight.source[0]), "without": _figures(insight.source[1])}
    vm["targets"] = [_target(target, snapshot) for target in insight.targets]
    if insight.resting:
        vm["resting_targets"] = [_resting(target, snapshot) for target in insight.resting]
    return _head(plan, snapshot) | {"vm": vm}


def host_document(insight: HostInsight, plan: Plan, snapshot: Snapshot) -> Json:
    """Return the explanation of a host."""
    facts = snapshot.host_by_id[insight.host]
    cpu, memory = insight.thresholds
    cpu_ceiling, memory_ceiling = insight.ceilings
    host: Json = {
        "id": insight.host,
        "name": facts.name,
        "state": facts.state.value,
        "before": _figures(insight.before),
        "after": _figures(insight.after),
        "cpu_contention": number(cpu),
        "memory_contention": number(memory),
        "cpu_ceiling": number(cpu_ceiling),
        "memory_ceiling": number(memory_ceiling),
        "leaving": [move_entry(move, snapshot) for move in insight.leaving],
        "arriving": [move_entry(move, snapshot) for move in insight.arriving],
        "may_leave": insight.may_leave,
        "cannot_leave": _groups(insight.cannot_leave),
        "may_come": insight.may_come,
        "cannot_come": _groups(insight.cannot_come),
    }
    if insight.most_vms is not None:
        host["most_vms"] = insight.most_vms
    return _head(plan, snapshot) | {"host": host}


def _head(plan: Plan, snapshot: Snapshot) -> Json:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "plan": plan.id,
        "status": plan.status.value,
        "snapshot_taken_at": timestamp(snapshot.taken_at),
        "cluster": {"id": plan.cluster_id, "name": plan.cluster_name},
    }


def _figures(figures: HostFigures) -> Json:
    return {
        "cpu_ratio": number(figures.cpu_ratio),
        "memory_ratio": number(figures.memory_ratio),
        "footprint_ratio": number(figures.footprint_ratio),
        "vms": figures.vms,
        "cost": number(figures.cost),
    }


def _target(target: TargetInsight, snapshot: Snapshot) -> Json:
    document: Json = {
        "host": target.host,
        "host_name": host_name(snapshot, target.host),
        "is_chosen": target.is_chosen,
        "gain": number(target.gain),
        "price": number(target.price),
        "net": number(target.net),
        "seconds": number(target.seconds),
        "before": _figures(target.before),
        "after": _figures(target.after),
    }
    if target.refusal is not None:
        document["refusal"] = _refusal(target.refusal)
    if target.refusal_now is not None:
        document["refusal_now"] = _refusal(target.refusal_now)
    document["gates"] = [_gate(gate) for gate in target.gates]
    return document | {"checks": [_check(row) for row in check_rows(target)]}


def _resting(target: RestingTarget, snapshot: Snapshot) -> Json:
    return {
        "host": target.host,
        "host_name": host_name(snapshot, target.host),
        "checks": [_check(row) for row in resting_rows(target)],
    }


def _check(row: CheckRow) -> Json:
    document: Json = {"name": row.name, "outcome": row.now.value}
    if row.then is not None:
        document["then"] = row.then.value
    if row.unanswered:
        document["detail"] = row.unanswered
    if row.told is None:
        return document
    return document | _refusal(row.told) | ({"mend": row.mend} if row.mend else {})


def _gate(gate: Gate) -> Json:
    document: Json = {"name": gate.name}
    if gate.now is not None:
        document["now"] = _refusal(gate.now)
    if gate.after is not None:
        document["after"] = _refusal(gate.after)
    return document


def _refusal(refusal: Refusal) -> Json:
    document: Json = {"reason": refusal.reason.value}
    return document | ({"detail": refusal.detail} if refusal.detail else {})


def _groups(refusals: tuple[Refusal, ...]) -> list[Json]:
    return [
        {"reason": group.reason.value, "count": group.count, "vms": list(group.vms)}
        for group in group_by_reason(refusals)
    ]
