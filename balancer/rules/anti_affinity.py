"""Law: VMs that must be kept apart, also while they are on their way."""

from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId
from balancer.rules.placement import Candidate, Placement


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target that holds another member, unless fewer members share it than share the source.

    The exception lets a group that has more members than hosts be spread: no pair that was apart comes
    together without more pairs coming apart.
    """
    for rule in placement.ground.musts(move.vm, RuleType.ANTI_AFFINITY):
        there = _others(placement, rule, move, move.target)
        if there and there >= _others(placement, rule, move, placement.host_of[move.vm]):
            detail = f"rule '{rule.name}' keeps it apart from a VM on the target"
            return Refusal.of(Reason.ANTI_AFFINITY, detail, vm=move.vm, host=move.target)
    return None


def _others(placement: Placement, rule: Rule, move: Candidate, host: HostId) -> int:
    present = placement.present[host]
    return sum(1 for vm in rule.vms if vm != move.vm and vm in present)
