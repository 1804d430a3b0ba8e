"""What a plan amounts to: its status, why in a sentence, and every must-rule or evacuation that stays unmet."""

from collections.abc import Sequence
from dataclasses import dataclass

from balancer.assess.goals import UNFIT
from balancer.model.need import Need
from balancer.model.plan import Conflict, Draft, PlanStatus, Violation
from balancer.model.reasons import Refusal
from balancer.model.units import VmId
from balancer.policy.types import Policy
from balancer.rules.placement import Placement
from balancer.rules.standing import stranded
from balancer.rules.violations import violations


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Status, reason and conflicts of a plan."""

    status: PlanStatus
    reason: str
    conflicts: tuple[Conflict, ...]


def conclude(
    need: Need,
    policy: Policy,
    draft: Draft,
    after: Placement,
    *,
    unfit: Sequence[Refusal],
    moves: int,
) -> Conclusion:
    """Judge the placement that the plan leads to. Conflicts name what stays unmet, each thing once."""
    conflicts = (*draft.conflicts, *_unnamed(policy, draft.conflicts, after))
    refusing = [refusal for refusal in unfit if refusal.reason in UNFIT]
    if refusing:
        reason = "the snapshot is not fit to act on: " + "; ".join(str(r) for r in refusing)
        return Conclusion(status=PlanStatus.REFUSED, reason=reason, conflicts=conflicts)
    if conflicts:
        count = f"{len(conflicts)} thing{'s' if len(conflicts) != 1 else ''}"
        reason = f"{count} cannot be met, see conflicts"
        return Conclusion(status=PlanStatus.DEGRADED, reason=reason, conflicts=conflicts)
    if moves:
        return Conclusion(status=PlanStatus.PLANNED, reason="", conflicts=())
    return Conclusion(status=PlanStatus.BALANCED, reason=_quiet(need, policy), conflicts=())


def _unnamed(policy: Policy, named: Sequence[Conflict], after: Placement) -> tuple[Conflict, ...]:
    rules = {rule for conflict in named for rule in conflict.rules}
    vms = {vm for conflict in named for vm in conflict.vms}
    found: list[Conflict] = []
    if policy.goals.rules:
        broken = [v for v in violations(after) if v.mandatory and v.rule not in rules]
        found.extend(_broken_rule(after, violation) for violation in broken)
    if policy.goals.evacuation:
        found.extend(_stranded_vm(after, vm) for vm in stranded(after) if vm not in vms)
    return tuple(found)


def _broken_rule(after: Placement, violation: Violation) -> Conflict:
    names = ", ".join(after.vm(vm).name for vm in violation.vms[:5])
    return Conflict(
        kind="rule",
        message=f"rule '{violation.rule}' stays broken by {names}",
        rules=(violation.rule,),
        vms=violation.vms,
        relax=f"make room for these VMs on other hosts, or relax rule '{violation.rule}'",
    )


def _stranded_vm(after: Placement, vm: VmId) -> Conflict:
    facts = after.vm(vm)
    host = after.ground.snapshot.host_by_id[after.host_of[vm]]
    return Conflict(
        kind="evacuation",
        message=f"{facts.name} stays on {host.name}, which is to be empty",
        vms=(vm,),
        hosts=(host.id,),
        relax=f"make room for {facts.name} on another host, or power it off",
    )


def _quiet(need: Need, policy: Policy) -> str:
    """Say why nothing is done, with the figures that decided."""
    limits = policy.thresholds
    trigger = f"imbalance {need.imbalance:.1%}, trigger {limits.balance_trigger:.1%}"
    if need.wants_relief and policy.goals.contention:
        return f"a host is above its contention threshold, but no move would help ({trigger})"
    if need.wants_balance and policy.goals.balance:
        return f"no move is worth its price ({trigger})"
    return f"nothing to do: {trigger}; no host is above its contention threshold"
