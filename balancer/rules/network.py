"""Law: networks. Every port group of the VM must exist on the target."""

from balancer.model.reasons import Reason, Refusal
from balancer.rules.placement import Candidate, Placement


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target that lacks a network of the VM."""
    reach = placement.ground.snapshot.host_by_id[move.target].networks
    if reach is None:
        return None
    lost = placement.ground.names_of(placement.vm(move.vm).networks - reach)
    if not lost:
        return None
    detail = f"not on the target: {', '.join(lost)}"
    return Refusal.of(Reason.NETWORK, detail, vm=move.vm, host=move.target)
