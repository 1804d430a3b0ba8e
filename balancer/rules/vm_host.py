"""Law: mandatory VM-host rules. They hold even while DRS is off (vSphere enforces them always)."""

from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.rules.placement import Candidate, Placement

_REASON = {
    RuleType.VM_HOST_AFFINE: Reason.VM_HOST_AFFINE,
    RuleType.VM_HOST_ANTI_AFFINE: Reason.VM_HOST_ANTI_AFFINE,
}


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target outside of the hosts that the VM must run on, or among those it must avoid."""
    for rule in placement.ground.must_rules_of.get(move.vm, ()):
        if not rule.allows_host(move.target):
            detail = f"rule '{rule.name}'"
            return Refusal.of(_REASON[rule.type], detail, vm=move.vm, host=move.target)
    return None
