"""What a plan amounts to: its status, why in a sentence, and every must-rule or evacuation that stays unmet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from balancer.assess.state import measure
from balancer.model.decision import Answer
from balancer.model.goal import Goal
from balancer.model.need import NO_VM_HOLDS, Need
from balancer.model.plan import Conflict, Draft, Move, Plan, PlanStatus, Schedule, Violation
from balancer.model.reasons import UNFIT, Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.units import HostId, Seconds, VmId, percent
from balancer.policy.in_force import InForce
from balancer.policy.types import Policy
from balancer.rules.failover import Loss, losses
from balancer.rules.placement import Ground, Placement
from balancer.rules.standing import stranded
from balancer.rules.violations import violations


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the stages found: draft, schedule, the moves with their budgets, every refusal, and the mode."""

    draft: Draft
    schedule: Schedule
    moves: tuple[Move, ...]
    unfit: tuple[Refusal, ...]
    waiting: tuple[Refusal, ...]
    in_force: InForce


def conclude(
    need: Need,
    policy: Policy,
    found: Findings,
    *,
    plan_id: str,
    now: datetime,
    laps: Mapping[str, Seconds],
) -> Plan:
    """Make the plan: replay its moves, measure before and after, and name what stays unmet, once each."""
    placement = Placement(Ground(need.snapshot, policy, need.demand))
    before, lost_before = measure(placement), {loss.host for loss in losses(placement)}
    for move in found.moves:
        placement.move(move.vm, move.target)
    unnamed = _unnamed(need, policy, found.draft.conflicts, placement)
    conflicts = (*found.draft.conflicts, *unnamed)
    conflicts += _lost_failures(placement, lost_before)
    status, reason = _status(need, policy, found, conflicts)
    draft, schedule = found.draft, found.schedule
    return Plan(
        id=plan_id,
        created_at=now,
        snapshot_taken_at=need.snapshot.taken_at,
        cluster_id=need.snapshot.cluster.id,
        cluster_name=need.snapshot.cluster.name,
        status=status,
        reason=reason,
        before=before,
        after=measure(placement) if found.moves else before,
        moves=found.moves,
        conflicts=conflicts,
        refusals=(
            *found.unfit,
            *_left_alone(need, unnamed),
            *_not_lasting(need, policy),
            *draft.refusals,
            *schedule.dropped,
            *found.waiting,
        ),
        makespan_seconds=schedule.makespan_seconds,
        makespan_bound_seconds=schedule.makespan_bound_seconds,
        makespan_ideal_seconds=schedule.makespan_ideal_seconds,
        stage_seconds=laps,
        incidents=draft.incidents,
        mode=found.in_force.mode.value,
        mode_because=found.in_force.because,
    )


def _status(
    need: Need, policy: Policy, found: Findings, conflicts: tuple[Conflict, ...]
) -> tuple[PlanStatus, str]:
    refusing = [refusal for refusal in found.unfit if refusal.reason in UNFIT]
    if refusing:
        facts = "; ".join(refusal.told for refusal in refusing)
        return PlanStatus.REFUSED, f"the snapshot is not fit to act on: {facts}"
    if conflicts:
        count = f"{len(conflicts)} thing{'s' if len(conflicts) != 1 else ''}"
        return PlanStatus.DEGRADED, f"{count} cannot be met, see conflicts"
    if found.moves:
        return PlanStatus.PLANNED, ""
    return PlanStatus.BALANCED, _quiet(need, policy, found)


def _unnamed(
    need: Need, policy: Policy, named: Sequence[Conflict], after: Placement
) -> tuple[Conflict, ...]:
    rules = {rule for conflict in named for rule in conflict.rules}
    vms = {vm for conflict in named for vm in conflict.vms}
    found: list[Conflict] = []
    if policy.goals.rules:
        broken = [v for v in violations(after) if v.mandatory and v.rule not in rules]
        found.extend(_broken_rule(need, after, violation) for violation in broken)
    if policy.goals.evacuation:
        left = [vm for vm in stranded(after) if vm not in vms]
        found.extend(_stranded_vm(need, after, vm) for vm in left)
    return tuple(found)


def _broken_rule(need: Need, after: Placement, violation: Violation) -> Conflict:
    names = ", ".join(after.vm(vm).name for vm in violation.vms[:5])
    left = [vm for vm in violation.vms if need.holds.excludes(vm, Goal.RULES)]
    return Conflict(
        kind="rule",
        message=f"rule '{violation.rule}' stays broken by {names}{_why(need, left, Goal.RULES)}",
        rules=(violation.rule,),
        vms=violation.vms,
        relax=f"make room for these VMs on other hosts, or relax rule '{violation.rule}'"
        if not left
        else f"move {after.vm(left[0]).name} by hand, or change what excludes it from rule repairs",
    )


def _stranded_vm(need: Need, after: Placement, vm: VmId) -> Conflict:
    facts = after.vm(vm)
    host = after.ground.snapshot.host_by_id[after.host_of[vm]]
    left = [v for v in _kept_with(after, vm) if need.holds.excludes(v, Goal.EVACUATION)]
    why = _why(need, left, Goal.EVACUATION)
    return Conflict(
        kind="evacuation",
        message=f"{facts.name} stays on {host.name}, which is to be empty{why}",
        vms=(vm,),
        hosts=(host.id,),
        relax=f"make room for {facts.name} on another host, or power it off"
        if not left
        else f"move {facts.name} by hand, or change what excludes it from evacuation",
    )


def _kept_with(after: Placement, vm: VmId) -> tuple[VmId, ...]:
    """Return a VM and those on its host that must-rules keep it with, itself first."""
    here = after.present[after.host_of[vm]]
    mates = [v for rule in after.ground.musts(vm, RuleType.AFFINITY) for v in rule.vms if v in here]
    return tuple(dict.fromkeys((vm, *mates)))


def _why(need: Need, vms: Sequence[VmId], goal: Goal) -> str:
    """Return why the first of the VMs is left alone, as the end of a sentence; empty where there is none."""
    refusal = need.holds.excludes(vms[0], goal) if vms else None
    if refusal is None:
        return ""
    name = need.snapshot.vm_by_id[vms[0]].name
    return f": {name} is left alone" + (f" ({refusal.detail})" if refusal.detail else "")


def _left_alone(need: Need, conflicts: Sequence[Conflict]) -> tuple[Refusal, ...]:
    """Return why VMs of these conflicts are left alone, for those that are."""
    goal_of = {"evacuation": Goal.EVACUATION, "rule": Goal.RULES}
    found = [
        need.holds.excludes(vm, goal_of[conflict.kind])
        for conflict in conflicts
        for vm in conflict.vms
    ]
    return tuple(dict.fromkeys(refusal for refusal in found if refusal is not None))


def _not_lasting(need: Need, policy: Policy) -> tuple[Refusal, ...]:
    """Return which hosts are above a threshold for too short a time to be relieved, each once."""
    if not policy.goals.contention:
        return ()
    excluded = need.holds.excluded.get(Goal.CONTENTION, NO_VM_HOLDS).values()
    return tuple(dict.fromkeys(one for one in excluded if one.reason is Reason.NOT_SUSTAINED))


def _lost_failures(after: Placement, lost_before: Collection[HostId]) -> tuple[Conflict, ...]:
    """Name the host failures that the plan's mandatory moves leave nobody to survive."""
    new = [loss for loss in losses(after) if loss.host not in lost_before]
    return tuple(_lost_failure(after, loss) for loss in new)


def _lost_failure(after: Placement, loss: Loss) -> Conflict:
    vm, hosts = after.vm(loss.vm), after.ground.snapshot.host_by_id
    gib = after.ground.demand[vm.id].footprint_mib / 1024
    names = " and ".join(hosts[host].name for host in loss.fails)
    return Conflict(
        kind="ha",
        message=f"if {names} failed, {vm.name} ({gib:.0f} GiB) would find no host any more",
        vms=(vm.id,),
        hosts=loss.fails,
        relax="bring another host into service, or power VMs off",
    )


def _quiet(need: Need, policy: Policy, found: Findings) -> str:
    """Say why nothing is done, with the figures that decided."""
    limits = policy.thresholds
    trigger = (
        f"imbalance {percent(need.imbalance, 1)}, trigger {percent(limits.balance_trigger, 1)}"
    )
    if need.wants_relief:
        return (
            f"a host is above its contention threshold, but {_helpless(policy, found)} ({trigger})"
        )
    given_up = [one.detail for one in found.draft.refusals if one.reason is Reason.NO_GAIN]
    if need.wants_balance and policy.goals.balance and given_up:
        return given_up[0]
    if need.wants_balance and policy.goals.balance:
        return f"no move is worth its price ({trigger})"
    waiting = [
        f"{what} in {reading.looks_over} of {reading.looks} looks only, {reading.looks_needed} needed"
        for what, reading in (
            ("a host is above its contention threshold", need.contention),
            ("the imbalance is above its trigger", need.balance),
        )
        if reading.answer is Answer.NOT_SUSTAINED
    ]
    if waiting:
        return f"nothing to do yet: {trigger}; {'; '.join(waiting)}"
    if need.balance.answer is Answer.CALM:
        floor = percent(limits.balance_floor)
        return f"nothing to do: {trigger}, but no host has more demand than {floor} of what it has"
    rest = "; no further host can be emptied" if policy.goals.consolidation else ""
    return f"nothing to do: {trigger}; no host is above its contention threshold{rest}"


def _helpless(policy: Policy, found: Findings) -> str:
    """Say why a host that is above its threshold is not relieved."""
    if policy.goals.contention:
        return "no move would help"
    why = "; ".join(refusal.told for refusal in found.unfit) or "the policy does not ask for it"
    return f"is not relieved: {why}"
