"""What one snapshot calls for: demand, imbalance, the triggers of balance and relief, and what is held.

When an aim calls for action is the business of `assess.trigger`; how moves are found is the planner's.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from balancer.assess.demand import demand_of, has_cpu_figure
from balancer.assess.trigger import past_of, read_balance, read_contention
from balancer.model.decision import CALLING
from balancer.model.need import Holds, Need
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement


def assess(snapshot: Snapshot, policy: Policy, holds: Holds) -> Need:
    """Read a snapshot with a policy. `holds` gains the VMs whose CPU demand is not known.

    Contention is measured over the serving hosts as the VMs stand in the snapshot, imbalance over the same
    or, where the policy empties hosts, over those of them that run VMs.
    """
    demand = demand_of(snapshot, policy)
    placement = Placement(Ground(snapshot, policy, demand))
    hosts = snapshot.serving_hosts
    past = past_of(snapshot, policy, hosts)
    contention, calling = read_contention(hosts, placement.host_arrays(), past, policy)
    rows = placement.levelled_rows()
    balance = read_balance(
        [hosts[row] for row in rows], placement.levelled_arrays(), past.of(rows), policy
    )
    return Need(
        snapshot=snapshot,
        demand=demand,
        holds=replace(holds, vms=_with_unmeasured(snapshot, holds)),
        imbalance=balance.now,
        wants_balance=balance.answer in CALLING,
        wants_relief=bool(calling),
        contention=contention,
        balance=balance,
    )


def _with_unmeasured(snapshot: Snapshot, holds: Holds) -> Mapping[VmId, Refusal]:
    unmeasured = {
        vm.id: Refusal.of(Reason.NO_DEMAND_DATA, f"no CPU figure for {vm.name}", vm=vm.id)
        for vm in snapshot.running_vms
        if not has_cpu_figure(vm)
    }
    return MappingProxyType({**unmeasured, **holds.vms})
