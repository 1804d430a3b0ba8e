"""Law: shared storage. A compute-only vMotion needs every datastore of the VM on the target, writable."""

from balancer.model.reasons import Reason, Refusal
from balancer.rules.placement import Candidate, Placement


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target that does not reach all datastores of the VM."""
    reach = placement.ground.snapshot.host_by_id[move.target].datastores
    if reach is None:
        return None
    lost = placement.ground.names_of(placement.vm(move.vm).datastores - reach)
    if not lost:
        return None
    detail = f"not on the target: {', '.join(lost)}"
    return Refusal.of(Reason.DATASTORE, detail, vm=move.vm, host=move.target)
