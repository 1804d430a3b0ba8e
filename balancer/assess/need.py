"""What one snapshot calls for: demand, imbalance, the triggers of balance and relief, and what is held.

When an aim calls for action is the business of `assess.trigger`; how moves are found is the planner's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from balancer.assess.demand import demand_of, has_cpu_figure
from balancer.assess.trigger import RESOURCES, past_of, read_balance, read_contention
from balancer.model.decision import CALLING, Reading
from balancer.model.goal import Goal
from balancer.model.need import Holds, Need
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId, percent
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
    contention, waiting = read_contention(hosts, placement.host_arrays(), past, policy)
    rows = placement.levelled_rows()
    balance = read_balance(
        [hosts[row] for row in rows], placement.levelled_arrays(), past.of(rows), policy
    )
    need = Need(
        snapshot=snapshot,
        demand=demand,
        holds=replace(holds, vms=_with_unmeasured(snapshot, holds)),
        imbalance=balance.now,
        wants_balance=balance.answer in CALLING,
        wants_relief=contention.answer in CALLING,
        contention=contention,
        balance=balance,
    )
    return need.excluding(Goal.CONTENTION, _on_waiting(snapshot, waiting)) if waiting else need


def _on_waiting(snapshot: Snapshot, waiting: Sequence[Reading]) -> Mapping[VmId, Refusal]:
    """Return why VMs are not moved for relief yet: their hosts are above a threshold, but not for long enough."""
    refusal_of = {one.host: _waits(snapshot, one) for one in waiting}
    return {vm.id: refusal_of[vm.host] for vm in snapshot.running_vms if vm.host in refusal_of}


def _waits(snapshot: Snapshot, reading: Reading) -> Refusal:
    what = "CPU" if reading.resource == RESOURCES[0] else "memory"
    name = snapshot.host_by_id[reading.host].name if reading.host else ""
    detail = (
        f"{name} at {percent(reading.now)} of its {what}, relieved above {percent(reading.trigger)}: "
        f"so in {reading.looks_over} of {reading.looks} looks, {reading.looks_needed} needed"
    )
    return Refusal.of(Reason.NOT_SUSTAINED, detail, host=reading.host or "")


def _with_unmeasured(snapshot: Snapshot, holds: Holds) -> Mapping[VmId, Refusal]:
    unmeasured = {
        vm.id: Refusal.of(Reason.NO_DEMAND_DATA, f"no CPU figure for {vm.name}", vm=vm.id)
        for vm in snapshot.running_vms
        if not has_cpu_figure(vm)
    }
    return MappingProxyType({**unmeasured, **holds.vms})
