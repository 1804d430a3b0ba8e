"""Law: ceilings. No move fills a host's memory, CPU, vCPUs or number of VMs beyond what the policy allows."""

from math import inf

from balancer.model.host import Host
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import percent
from balancer.policy.types import Thresholds
from balancer.rules.placement import Candidate, Placement

SLACK = 1e-6
"""Absolute slack, in MHz and MiB, so that sums in a different order are judged alike."""


def most_vms(host: Host, limits: Thresholds) -> float:
    """Return how many running VMs a host may get by its own limit and the policy's."""
    own = inf if host.max_running_vms is None else host.max_running_vms
    return min(own, inf if limits.vms_per_host is None else limits.vms_per_host)


def most_vcpus(host: Host, limits: Thresholds) -> float:
    """Return how many vCPUs a host may get; no limit where its cores are not known."""
    if limits.vcpus_per_core is None or host.cpu_cores is None:
        return inf
    return limits.vcpus_per_core * host.cpu_cores


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target that would pass its memory, CPU or vCPU ceiling or its number of VMs.

    Memory counts what VMs hold (`Demand.footprint_mib`), those on their way on both hosts. A mandatory
    move may pass the ceilings of CPU and vCPUs: slow is better than not evacuated.
    """
    refusal = _memory(placement, move)
    if refusal is None and not move.is_mandatory:
        refusal = _cpu(placement, move) or _vcpus(placement, move)
    return refusal or _count(placement, move)


def _memory(placement: Placement, move: Candidate) -> Refusal | None:
    ground = placement.ground
    target = ground.snapshot.host_by_id[move.target]
    memory = placement.footprint_mib[target.id] + ground.demand[move.vm].footprint_mib
    share = _excess(memory, target.usable_memory_mib, ground.policy.thresholds.memory_ceiling)
    detail = f"memory would be {share} full"
    return _no(Reason.MEMORY_CEILING, move, detail, target) if share else None


def _cpu(placement: Placement, move: Candidate) -> Refusal | None:
    ground = placement.ground
    target = ground.snapshot.host_by_id[move.target]
    cpu = placement.cpu_mhz[target.id] + ground.demand[move.vm].cpu_mhz
    share = _excess(cpu, target.usable_cpu_mhz, ground.policy.thresholds.cpu_ceiling)
    detail = f"CPU demand would be {share}"
    return _no(Reason.CPU_CEILING, move, detail, target) if share else None


def _excess(amount: float, usable: float, ceiling: float) -> str:
    """Return the share of a host that would be filled, in words, where it is above the ceiling."""
    return percent(amount / usable) if amount > ceiling * usable + SLACK else ""


def _vcpus(placement: Placement, move: Candidate) -> Refusal | None:
    target = placement.ground.snapshot.host_by_id[move.target]
    most = most_vcpus(target, placement.ground.policy.thresholds)
    vcpus = placement.vcpus[target.id] + placement.vm(move.vm).vcpus
    if vcpus <= most + SLACK:
        return None
    detail = f"{vcpus} vCPUs on {target.cpu_cores} cores, limit is {most:.0f}"
    return _no(Reason.VCPU_CEILING, move, detail, target)


def _count(placement: Placement, move: Candidate) -> Refusal | None:
    target = placement.ground.snapshot.host_by_id[move.target]
    most = most_vms(target, placement.ground.policy.thresholds)
    if len(placement.present[target.id]) + 1 <= most:
        return None
    return _no(Reason.HOST_VM_LIMIT, move, f"limit is {most:.0f} VMs", target)


def _no(reason: Reason, move: Candidate, detail: str, target: Host) -> Refusal:
    return Refusal.of(reason, f"{target.name}: {detail}", vm=move.vm, host=target.id)
