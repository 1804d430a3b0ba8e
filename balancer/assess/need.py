"""What one snapshot calls for: demand, imbalance, the triggers of balance and relief, and what is held.

Owns the two triggers; how moves are found is the planner's. Hysteresis is in the policy: balance is
sought above `balance_trigger` and then until `balance_target`, so that noise between them moves nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from balancer.assess.demand import demand_of, has_cpu_figure
from balancer.model.need import Holds, Need
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.policy.objective import HostArrays, imbalance
from balancer.policy.types import Policy, Thresholds
from balancer.rules.placement import Ground, Placement


def assess(snapshot: Snapshot, policy: Policy, holds: Holds) -> Need:
    """Read a snapshot with a policy. `holds` gains the VMs whose CPU demand is not known.

    Contention is measured over the serving hosts as the VMs stand in the snapshot, imbalance over the same
    or, where the policy empties hosts, over those of them that run VMs.
    """
    demand = demand_of(snapshot, policy)
    placement = Placement(Ground(snapshot, policy, demand))
    hosts, spread = placement.host_arrays(), imbalance(placement.levelled_arrays())
    return Need(
        snapshot=snapshot,
        demand=demand,
        holds=replace(holds, vms=_with_unmeasured(snapshot, holds)),
        imbalance=spread,
        wants_balance=spread > policy.thresholds.balance_trigger,
        wants_relief=is_contended(hosts, policy.thresholds),
    )


def is_contended(hosts: HostArrays, thresholds: Thresholds) -> bool:
    """Whether some host's lasting CPU demand with its risk, or memory demand, is above its threshold."""
    limit = np.array([thresholds.cpu_contention, thresholds.memory_contention])
    return bool((hosts.stress(thresholds) > limit).any())


def _with_unmeasured(snapshot: Snapshot, holds: Holds) -> Mapping[VmId, Refusal]:
    unmeasured = {
        vm.id: Refusal.of(Reason.NO_DEMAND_DATA, f"no CPU figure for {vm.name}", vm=vm.id)
        for vm in snapshot.running_vms
        if not has_cpu_figure(vm)
    }
    return MappingProxyType({**unmeasured, **holds.vms})
