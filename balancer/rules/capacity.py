"""Law: ceilings. No move fills a host's memory, CPU or number of VMs beyond what the policy allows."""

from balancer.model.host import Host
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import percent
from balancer.rules.placement import Candidate, Placement

SLACK = 1e-6
"""Absolute slack, in MHz and MiB, so that sums in a different order are judged alike."""


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target that would pass its memory or CPU ceiling or its number of VMs.

    Memory counts what VMs hold (`Demand.footprint_mib`), those on their way on both hosts. A mandatory
    move may pass the CPU ceiling: slow is better than not evacuated.
    """
    ground = placement.ground
    target, demand = ground.snapshot.host_by_id[move.target], ground.demand[move.vm]
    limits = ground.policy.thresholds
    memory = placement.footprint_mib[target.id] + demand.footprint_mib
    if memory > limits.memory_ceiling * target.usable_memory_mib + SLACK:
        share = memory / target.usable_memory_mib
        return _no(Reason.MEMORY_CEILING, move, f"memory would be {percent(share)} full", target)
    cpu = placement.cpu_mhz[target.id] + demand.cpu_mhz
    if not move.is_mandatory and cpu > limits.cpu_ceiling * target.usable_cpu_mhz + SLACK:
        share = cpu / target.usable_cpu_mhz
        return _no(Reason.CPU_CEILING, move, f"CPU demand would be {percent(share)}", target)
    count = len(placement.present[target.id]) + 1
    if target.max_running_vms is not None and count > target.max_running_vms:
        return _no(Reason.HOST_VM_LIMIT, move, f"limit is {target.max_running_vms} VMs", target)
    return None


def _no(reason: Reason, move: Candidate, detail: str, target: Host) -> Refusal:
    return Refusal.of(reason, f"{target.name}: {detail}", vm=move.vm, host=target.id)
