"""Law: VMs that must be kept together, judged by where each will be once all begun moves have ended."""

from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.rules.placement import Candidate, Placement


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a move after which the group stands on more hosts than it does now.

    A group moves as one: put the whole wave into `placement.heading` (or judge with the others begun).
    """
    for rule in placement.ground.musts(move.vm, RuleType.AFFINITY):
        members = [vm for vm in rule.vms if vm in placement.host_of]
        now = {placement.host_of[vm] for vm in members}
        then = {move.target if vm == move.vm else placement.destination(vm) for vm in members}
        if len(then) > len(now):
            detail = f"rule '{rule.name}' keeps it with VMs that stay elsewhere"
            return Refusal.of(Reason.AFFINITY, detail, vm=move.vm, host=move.target)
    return None
