"""Law: reservations. What VMs are guaranteed must fit the target, those on their way included.

Source: vSphere refuses such a move with `InsufficientCpuResourcesFault` or
`InsufficientMemoryResourcesFault`.
"""

from balancer.model.reasons import Reason, Refusal
from balancer.rules.capacity import SLACK
from balancer.rules.placement import Candidate, Placement


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target whose unreserved CPU or memory is less than what the VM is guaranteed."""
    ground = placement.ground
    vm, target = ground.demand[move.vm], ground.snapshot.host_by_id[move.target]
    cpu = placement.cpu_reserved_mhz[target.id] + vm.cpu_reserved_mhz
    if vm.cpu_reserved_mhz > 0 and cpu > target.usable_cpu_mhz + SLACK:
        detail = f"{cpu:.0f} of {target.usable_cpu_mhz:.0f} MHz reserved"
        return Refusal.of(Reason.CPU_RESERVATION, detail, vm=move.vm, host=target.id)
    memory = placement.memory_reserved_mib[target.id] + vm.memory_reserved_mib
    if vm.memory_reserved_mib > 0 and memory > target.usable_memory_mib + SLACK:
        detail = f"{memory:.0f} of {target.usable_memory_mib:.0f} MiB reserved"
        return Refusal.of(Reason.MEMORY_RESERVATION, detail, vm=move.vm, host=target.id)
    return None
