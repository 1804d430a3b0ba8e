"""Demand of every running VM, read from its samples as the policy says.

Which value of a CPU demand that varies counts is the policy's `demand.statistic`: the mean, or a percentile
of a normal distribution with the sampled mean and standard deviation. Of a forecast in slots the policy's
`demand.horizon_s` counts.

Owns which figure stands in for a missing one, and says so (`Demand.is_measured`). Never invents a
figure: a VM without any CPU sample asks for nothing, or for what a memory of it makes `foresight` assume, and is
held still by `assess.need`. First step of
the assessment; planner, report and metrics take their figures from here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil
from operator import attrgetter
from types import MappingProxyType

from balancer.assess.demand_wanted import wanted_mhz, with_reclaimed
from balancer.assess.guarantees import with_guarantees
from balancer.assess.limits import within_limits
from balancer.assess.pools import pool_tree
from balancer.model.drafts import maker_of
from balancer.model.host import Host
from balancer.model.need import Demand
from balancer.model.snapshot import Snapshot
from balancer.model.units import Mib, VmId
from balancer.model.vm import DemandBasis, Profile, Vm
from balancer.policy.types import DemandReading, MemoryMetric, Policy, Statistic

DEVIATIONS: Mapping[Statistic, float] = MappingProxyType(
    {
        Statistic.MEAN: 0.0,
        Statistic.P75: 0.6745,
        Statistic.P90: 1.2816,
        Statistic.P95: 1.6449,
    }
)
"""By how many standard deviations each statistic lies above the mean: quantiles of the normal distribution."""

_NO_PROFILE = Profile()

_MemoryMetric = Callable[[Vm], Mib | None]
_new_demand = maker_of(Demand)


def demand_of(snapshot: Snapshot, policy: Policy) -> Mapping[VmId, Demand]:
    """Return the demand of each running VM, by id in the order of the snapshot."""
    counted = within_horizon(snapshot, policy.demand)
    vms = snapshot.running_vms
    profiles = [_profile(vm, counted) for vm in vms]
    slots = max((_slots(profile) for profile in profiles), default=0)
    host, memory_of = snapshot.host_by_id, _memory_metric(policy)
    deviations = DEVIATIONS[policy.demand.statistic]
    demand = {
        vm.id: _demand(vm, host[vm.host], profile, memory_of, deviations, slots)
        for vm, profile in zip(vms, profiles, strict=True)
    }
    if snapshot.resource_pools:
        tree = pool_tree(snapshot.resource_pools, vms)
        demand = with_guarantees(snapshot, tree, within_limits(tree, demand))
    return MappingProxyType(demand)


def within_horizon(snapshot: Snapshot, reading: DemandReading) -> int | None:
    """Return how many slots of a profile count, at least 1; None for all of them.

    Those count that begin within the horizon, which reaches from the snapshot's time. All do where the
    length of a slot is not known.
    """
    slot_s = snapshot.profile_slot_seconds
    if reading.horizon_s is None or slot_s is None:
        return None
    return max(ceil(reading.horizon_s / slot_s - 1e-9), 1)


def has_cpu_figure(vm: Vm) -> bool:
    """Whether anything is known of the CPU demand as it is now."""
    if vm.demand_basis is DemandBasis.ASSUMED:
        return False
    if vm.cpu_demand_mhz is not None or vm.cpu_usage_mhz is not None:
        return True
    return bool(vm.profile and vm.profile.cpu_demand_mhz)


def _demand(
    vm: Vm, host: Host, profile: Profile, memory_of: _MemoryMetric, deviations: float, slots: int
) -> Demand:
    """Return the demand of a VM: `deviations` above the mean, with `slots` slots of the horizon."""
    cpu_mhz = _mean(profile.cpu_demand_mhz) if profile.cpu_demand_mhz else wanted_mhz(vm, host)
    memory_mib = _memory_figure(vm, profile, memory_of)
    most_mhz, most_mib = _limit(vm.cpu_limit_mhz), _limit(vm.memory_limit_mib)
    stddev_mhz = vm.cpu_demand_stddev_mhz or 0.0
    more = deviations * stddev_mhz
    cpu = 0.0 if cpu_mhz is None else min(cpu_mhz + more, most_mhz)
    memory = min(vm.memory_mib if memory_mib is None else memory_mib, most_mib)
    cpu_slots = [mhz + more for mhz in profile.cpu_demand_mhz] if slots else ()
    return _new_demand(
        cpu_mhz=cpu,
        memory_mib=memory,
        footprint_mib=vm.footprint_mib,
        cpu_variance_mhz2=stddev_mhz**2,
        cpu_reserved_mhz=vm.cpu_reservation_mhz,
        memory_reserved_mib=vm.memory_reservation_mib,
        cpu_slots_mhz=_filled(cpu_slots, cpu, most_mhz, slots),
        memory_slots_mib=_filled(profile.memory_demand_mib, memory, most_mib, slots),
        is_measured=memory_mib is not None and has_cpu_figure(vm),
    )


def _memory_figure(vm: Vm, profile: Profile, memory_of: _MemoryMetric) -> Mib | None:
    """Return the memory demand: mean of the profile, else the policy's metric, else consumed memory.

    None where none of them was measured.
    """
    if profile.memory_demand_mib:
        return _mean(profile.memory_demand_mib)
    wanted = memory_of(vm)
    return with_reclaimed(vm, vm.memory_consumed_mib if wanted is None else wanted)


def _profile(vm: Vm, counted: int | None) -> Profile:
    """Return the part of a VM's profile that counts."""
    if vm.profile is None or counted is None:
        return vm.profile or _NO_PROFILE
    return Profile(
        cpu_demand_mhz=vm.profile.cpu_demand_mhz[:counted],
        memory_demand_mib=vm.profile.memory_demand_mib[:counted],
    )


def _slots(profile: Profile) -> int:
    return max(len(profile.cpu_demand_mhz), len(profile.memory_demand_mib))


def _filled(given: Sequence[float], mean: float, limit: float, slots: int) -> tuple[float, ...]:
    """Return the demand in every slot of the horizon; a slot of which nothing is known has the mean."""
    if not slots:
        return ()
    return (*(min(value, limit) for value in given), *[mean] * (slots - len(given)))


def _limit(limit: float | None) -> float:
    """Return what a VM can get at most: a limit of None is none. Source: `ResourceAllocationInfo.limit`."""
    return float("inf") if limit is None else limit


def _memory_metric(policy: Policy) -> _MemoryMetric:
    match policy.memory_metric:
        case MemoryMetric.ACTIVE:
            return partial(_active_and_idle, idle_share=policy.idle_memory_share)
        case MemoryMetric.CONSUMED:
            return attrgetter("memory_consumed_mib")
        case MemoryMetric.GRANTED:
            return attrgetter("memory_granted_mib")


def _active_and_idle(vm: Vm, idle_share: float) -> Mib | None:
    active, consumed = vm.memory_active_mib, vm.memory_consumed_mib
    if active is None or consumed is None:
        return active
    return active + idle_share * max(consumed - active, 0.0)


def _mean(slots: tuple[float, ...]) -> float:
    return sum(slots) / len(slots)
