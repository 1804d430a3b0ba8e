"""Why VMs stay that a person might expect to move: counts by reason, so that the list stays readable."""

from collections import Counter

import numpy as np

from balancer.model.reasons import Reason, Refusal
from balancer.model.units import VmId
from balancer.plan.codes import reason_of
from balancer.plan.desk import Desk

_OF_THE_VM = frozenset(
    {
        Reason.AUTOMATION_MANUAL,
        Reason.AUTOMATION_DISABLED,
        Reason.SOURCE_HOST_STATE,
    }
)


def grouped(desk: Desk) -> tuple[Refusal, ...]:
    """Return how many VMs are tied to their host and how many pairs the static laws rule out, by reason.

    Holds of time and experience are counted by VM. A VM's own host is not counted.
    """
    vms, pairs = Counter[Reason](), Counter[Reason]()
    count, codes = desk.start_masks.class_codes()
    for code in np.unique(codes[codes > 0]).tolist():
        reason, hosts = reason_of(code), (codes == code).sum(axis=1)
        is_tied = (hosts == codes.shape[1]) | ((hosts > 0) & (reason in _OF_THE_VM))
        vms[reason] += int(count[is_tied].sum())
        if reason is not Reason.ON_SOURCE_ALREADY:
            pairs[reason] += int((count * hosts)[~is_tied].sum())
    vms, pairs = +vms, +pairs
    holds = desk.problem.need.holds
    for refusal in (*holds.vms.values(), *holds.pinned.values()):
        vms[refusal.reason] += 1
    vms.update(+_excluded(desk))
    stay = [
        _counted(reason, vms[reason], "VM that stays", "VMs that stay") for reason in sorted(vms)
    ]
    out = [
        _counted(
            reason, pairs[reason], "pair of VM and host ruled out", "pairs of VM and host ruled out"
        )
        for reason in sorted(pairs)
    ]
    return (*stay, *out)


def _excluded(desk: Desk) -> Counter[Reason]:
    """Return how many running VMs a rule or tag excludes from some goal; each counts once."""
    left: set[VmId] = set()
    for vms in desk.problem.need.holds.excluded.values():
        left.update(vm for vm, why in vms.items() if why.reason is Reason.EXCLUDED)
    return Counter({Reason.EXCLUDED: len(left & desk.problem.vm_at.keys())})


def _counted(reason: Reason, count: int, one: str, many: str) -> Refusal:
    return Refusal(reason=reason, detail=f"{count} {one if count == 1 else many}", count=count)
