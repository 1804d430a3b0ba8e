"""From a plan file back to the plan that it was made from, as far as it is needed to carry it out.

The way back of `expose.document`: cluster, moves, rules and states come back whole; what is only said to people
(refusals, bounds, incidents) does not. Decides nothing: whether the plan still fits is asked elsewhere.
"""

from types import MappingProxyType

from balancer.adapters.files.plan_file import (
    ConflictEntry,
    HostLoadEntry,
    MoveEntry,
    PlanEntry,
    RuleEntry,
    SpreadEntry,
    StateEntry,
    ViolationEntry,
    parse_plan,
)
from balancer.model.digest import plan_digest
from balancer.model.errors import PlanRefused
from balancer.model.plan import (
    Conflict,
    HostLoad,
    Move,
    MoveReason,
    Plan,
    RuleMark,
    Spread,
    State,
    Violation,
)
from balancer.model.rule import RuleType
from balancer.model.units import ClusterId, HostId, Mhz, MoveId, VmId


def plan_from_bytes(content: bytes, *, name: str) -> Plan:
    """Return the plan that a plan document stands for; `name` is what messages call it.

    Raises:
        InputError: the document has not the form of a plan.
        PlanRefused: it has no digest, or its digest is not that of its moves.
    """
    entry = parse_plan(content, name=name)
    plan, told = plan_of(entry), entry.get("digest", "")
    _check_mandatory(entry, plan, name)
    if not told:
        raise PlanRefused(
            f"{name} has no digest, so that nobody can tell whether it was changed: "
            "it was written by an older version, or not by balancer plan. Make it anew with "
            "balancer plan --config F --format json --output FILE."
        )
    if told != plan_digest(plan):
        raise PlanRefused(
            f"{name} was changed after it was made: its digest is {told[:12]}, that of what it says "
            f"now is {plan_digest(plan)[:12]}. Make a new plan; to leave moves out, change the policy."
        )
    return plan


def _check_mandatory(entry: PlanEntry, plan: Plan, name: str) -> None:
    for given, move in zip(entry["moves"], plan.moves, strict=True):
        if given.get("mandatory", move.reason.is_mandatory) != move.reason.is_mandatory:
            raise PlanRefused(
                f"{name} says of {move.id} that it is {given['reason']} and that mandatory is "
                f"{str(given['mandatory']).lower()}: "
                "both cannot be. It was changed after it was made; make a new plan."
            )


def plan_of(entry: PlanEntry) -> Plan:
    """Return the plan of a document that has the form of one."""
    cluster, mode = entry["cluster"], entry.get("mode")
    return Plan(
        id=entry["id"],
        created_at=entry["created_at"],
        snapshot_taken_at=entry.get("snapshot_taken_at", entry["created_at"]),
        cluster_id=ClusterId(cluster["id"]),
        cluster_name=cluster["name"],
        status=entry["status"],
        reason=entry.get("reason", ""),
        before=_state(entry["before"]),
        after=_state(entry["after"]),
        moves=tuple(map(_move, entry["moves"])),
        conflicts=tuple(map(_conflict, entry.get("conflicts", ()))),
        refusals=(),
        makespan_seconds=entry.get("makespan_seconds", 0.0),
        stage_seconds=MappingProxyType(dict(entry["elapsed_seconds"])),
        mode=mode["in_force"].value if mode else "",
        notes=tuple(entry.get("notes", ())),
        verdicts=tuple(entry.get("verdicts", ())),
        rules=tuple(map(_rule, entry.get("rules", ()))),
    )


def _move(entry: MoveEntry) -> Move:
    return Move(
        id=MoveId(entry["id"]),
        vm=VmId(entry["vm"]),
        vm_name=entry["vm_name"],
        source=HostId(entry["from"]),
        target=HostId(entry["to"]),
        reason=_reason(entry),
        why=entry.get("why", ""),
        priority=entry["priority"],
        wave=entry["wave"],
        after=tuple(map(MoveId, entry["after"])),
        start_seconds=entry.get("start_seconds", 0.0),
        expected_seconds=entry["expected_seconds"],
        memory_mib=entry.get("memory_mib", 0.0),
        gain=entry.get("gain", 0.0),
        pace=entry.get("pace", 1.0),
        this_run=entry.get("this_run", True),
        vm_uuid=entry.get("vm_uuid", ""),
    )


def _reason(entry: MoveEntry) -> MoveReason:
    """Return the reason; the file's "rule" stands for a must unless it says that it is not mandatory."""
    if entry["reason"] == MoveReason.RULE.value and not entry.get("mandatory", True):
        return MoveReason.SHOULD_RULE
    return MoveReason(entry["reason"])


def _rule(entry: RuleEntry) -> RuleMark:
    return RuleMark(
        name=entry["name"],
        mandatory=entry.get("mandatory", True),
        mark=entry["mark"],
        vms=tuple(map(VmId, entry.get("vms", ()))),
    )


def _conflict(entry: ConflictEntry) -> Conflict:
    return Conflict(
        kind=entry["kind"],
        message=entry["message"],
        rules=tuple(entry.get("rules", ())),
        vms=tuple(map(VmId, entry.get("vms", ()))),
        hosts=tuple(map(HostId, entry.get("hosts", ()))),
        relax=entry.get("relax", ""),
    )


def _state(entry: StateEntry) -> State:
    return State(
        cost=entry["cost"],
        imbalance=entry.get("imbalance", 0.0),
        cpu=_spread(entry["cpu"]),
        memory=_spread(entry["memory"]),
        unmet_cpu_mhz=Mhz(entry.get("unmet_cpu_mhz", 0.0)),
        violations=tuple(map(_violation, entry["violations"])),
        hosts=tuple(map(_host, entry.get("hosts", ()))),
    )


def _spread(entry: SpreadEntry) -> Spread:
    return Spread(mean=entry["mean"], max=entry["max"], min=entry["min"], stddev=entry["stddev"])


def _violation(entry: ViolationEntry) -> Violation:
    return Violation(
        rule=entry["rule"],
        type=entry.get("type", RuleType.AFFINITY),
        mandatory=entry.get("mandatory", True),
        vms=tuple(map(VmId, entry.get("vms", ()))),
    )


def _host(entry: HostLoadEntry) -> HostLoad:
    return HostLoad(
        id=HostId(entry["id"]),
        cpu_ratio=entry["cpu_ratio"],
        memory_ratio=entry["memory_ratio"],
        vms=entry["vms"],
    )
