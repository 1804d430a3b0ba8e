"""From a snapshot to the explanation of one VM or host, by the way the command goes."""

from typing import Any

from balancer.cli.planning import need_behind
from balancer.model.insight import HostInsight, VmInsight
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.plan import PlanSettings
from balancer.plan.host_insight import explain_host
from balancer.plan.insight import explain_vm
from balancer.planner import plan_snapshot
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.builders import host, snapshot, vm

QUIET = Policy(goals=Goals(contention=False, balance=False))
KEEN = Policy(thresholds=Thresholds(balance_trigger=0.01, balance_target=0.005))


def planned(snap: Snapshot, policy: Policy | None = None) -> Plan:
    return plan_snapshot(snap, policy or Policy(), settings=PlanSettings())


def vm_insight(
    snap: Snapshot, number: int, policy: Policy | None = None, *, on: int | None = None
) -> VmInsight:
    """Return why vm-`number` moves or stays; with `on` asked of host-`on` alone."""
    plan = planned(snap, policy)
    need, wanted = need_behind(plan, snap, policy or Policy())
    target = HostId(f"host-{on}") if on else None
    return explain_vm(need, wanted, plan, VmId(f"vm-{number}"), host=target)


def host_insight(snap: Snapshot, number: int, policy: Policy | None = None) -> HostInsight:
    plan = planned(snap, policy)
    need, wanted = need_behind(plan, snap, policy or Policy())
    return explain_host(need, wanted, plan, HostId(f"host-{number}"))


def uneven(**facts: Any) -> Snapshot:
    """Return two hosts, eight VMs of 1,500 MHz on the first; `facts` are those of vm-1."""
    vms = [vm(1, on=1, **({"cpu_demand_mhz": 1500.0} | facts))]
    vms += [vm(number, on=1, cpu_demand_mhz=1500.0) for number in range(2, 9)]
    return snapshot([host(1), host(2)], vms)
