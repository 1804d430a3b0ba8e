"""Whole hosts are emptied where the others have room: which ones, how far, and that they stay empty."""

from dataclasses import replace
from datetime import timedelta

import pytest

from balancer.expose.headline import headline
from balancer.model.goal import Goal
from balancer.model.host import HostState
from balancer.model.plan import MoveReason, Plan, PlanStatus
from balancer.model.rule import RuleType
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.vm import Blocker
from balancer.plan import PlanSettings
from balancer.plan.certify import certify
from balancer.plan.insight import explain_vm
from balancer.planner import plan_snapshot
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.builders import NOON, host, rule, snapshot, vm
from tests.support.replay import replayed
from tests.support.stages import excluded, need_with, planned_by_stages

POLICY = Policy(goals=Goals(consolidation=True))
SPREAD_OUT = Policy()


def cluster(**cluster: object) -> Snapshot:
    """Return 8 hosts with 10 VMs each, 30 % full."""
    vms = [vm(n, on=1 + n % 8, cpu_demand_mhz=600.0, memory_mib=3_000.0) for n in range(1, 81)]
    return snapshot([host(n) for n in range(1, 9)], vms, cluster=cluster)


def planned(snap: Snapshot, policy: Policy = POLICY) -> Plan:
    return plan_snapshot(snap, policy, settings=PlanSettings())


def vms_after(plan: Plan) -> dict[str, int]:
    return {load.id: load.vms for load in plan.after.hosts}


def empty(plan: Plan) -> set[str]:
    return {name for name, vms in vms_after(plan).items() if not vms}


@pytest.mark.parametrize("balance", [True, False])
def test_hosts_at_a_third_become_fewer_and_the_second_plan_is_empty(balance: bool) -> None:
    policy = replace(POLICY, goals=replace(POLICY.goals, balance=balance))
    plan = planned(cluster(), policy)
    limits = policy.thresholds
    assert len(empty(plan)) == 4
    assert {move.reason for move in plan.moves} == {MoveReason.CONSOLIDATE}
    assert all(load.cpu_ratio <= limits.cpu_contention for load in plan.after.hosts)
    assert all(load.memory_ratio <= limits.memory_contention for load in plan.after.hosts)
    again = planned(replayed(cluster(), plan.moves), policy)
    assert (again.moves, again.status) == ((), PlanStatus.BALANCED)
    assert "no further host can be emptied" in again.reason


def test_without_the_goal_nothing_is_emptied() -> None:
    assert planned(cluster(), SPREAD_OUT).moves == ()


def test_emptied_hosts_stay_empty_while_the_others_are_levelled() -> None:
    hosts = [host(n) for n in range(1, 5)]
    vms = [vm(n, on=1, cpu_demand_mhz=1_000.0, memory_mib=1_000.0) for n in range(1, 15)]
    vms += [vm(n, on=2, cpu_demand_mhz=1_000.0, memory_mib=1_000.0) for n in range(15, 25)]
    plan = planned(snapshot(hosts, vms))
    assert {move.reason for move in plan.moves} == {MoveReason.BALANCE}
    assert empty(plan) == {"host-3", "host-4"}
    assert plan.after.imbalance < plan.before.imbalance
    spread = planned(snapshot(hosts, vms), SPREAD_OUT)
    assert not empty(spread)


def test_of_like_hosts_those_are_emptied_from_which_the_least_is_copied() -> None:
    hosts = [host(n) for n in range(1, 5)]
    sizes = {1: 20_000.0, 2: 4_000.0, 3: 16_000.0, 4: 8_000.0}
    vms = [
        vm(10 * n + k, on=n, cpu_demand_mhz=2_000.0, memory_mib=mib / 4)
        for n, mib in sizes.items()
        for k in range(4)
    ]
    assert empty(planned(snapshot(hosts, vms))) == {"host-2", "host-4"}


def test_few_hosts_are_under_way_at_once_so_that_a_budget_empties_whole_ones() -> None:
    sources = [move.source for move in planned(cluster()).moves]
    assert len(sources) == 40
    assert len(set(sources[:20])) == len(set(sources[20:])) == 2


def test_the_thresholds_of_contention_say_how_full_hosts_get() -> None:
    policy = replace(POLICY, thresholds=Thresholds(cpu_contention=0.5))
    assert len(empty(planned(cluster(), policy))) == 2


def test_a_ceiling_of_vms_per_host_is_kept() -> None:
    policy = replace(POLICY, thresholds=Thresholds(vms_per_host=14))
    plan = planned(cluster(), policy)
    assert len(empty(plan)) == 2
    assert max(vms_after(plan).values()) <= 14


def test_a_host_failure_is_survived_without_the_emptied_hosts() -> None:
    vms = [vm(n, on=1 + n % 4, cpu_demand_mhz=100.0, memory_mib=9_000.0) for n in range(1, 17)]
    snap = snapshot([host(n) for n in range(1, 5)], vms)
    assert len(empty(planned(snap))) == 2
    ha = Ha(enabled=True, host_failures_to_tolerate=1)
    safe = planned(replace(snap, cluster=replace(snap.cluster, ha=ha)))
    assert len(empty(safe)) == 1


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"blockers": (Blocker.VGPU,)}, id="tied to its host"),
        pytest.param({"last_moved_at": NOON - timedelta(minutes=5)}, id="moved a moment ago"),
    ],
)
def test_a_vm_that_stays_keeps_its_host_in_use(facts: dict[str, object]) -> None:
    snap = cluster()
    vms = tuple(replace(one, **facts) if one.host == "host-1" else one for one in snap.vms)
    plan = planned(replace(snap, vms=vms))
    assert empty(plan)
    assert "host-1" not in empty(plan)
    assert not {move.vm for move in plan.moves} & {one.id for one in vms if one.host == "host-1"}


def test_a_vm_left_alone_keeps_its_host_in_use() -> None:
    snap = cluster()
    kept = next(one for one in snap.vms if one.host == "host-2")
    left = excluded((Goal.CONSOLIDATION,), int(kept.id.removeprefix("vm-")))
    plan = planned_by_stages(need_with(snap, POLICY, left), POLICY)
    assert len(empty(plan)) == 4
    assert "host-2" not in empty(plan)


@pytest.mark.parametrize("mandatory", [True, False])
def test_vms_that_are_kept_apart_keep_so_many_hosts_in_use(mandatory: bool) -> None:
    snap = cluster()
    first = [next(one for one in snap.vms if one.host == f"host-{n}") for n in range(1, 7)]
    numbers = [int(one.id.removeprefix("vm-")) for one in first]
    apart = rule("apart", RuleType.ANTI_AFFINITY, numbers, mandatory=mandatory)
    plan = planned(replace(snap, rules=(apart,)))
    assert len(empty(plan)) == 2
    assert not plan.after.violations


def test_a_contended_host_is_relieved_and_none_is_emptied_before_it_is_calm() -> None:
    vms = [vm(n, on=1, cpu_demand_mhz=9_500.0) for n in (1, 2)]
    vms += [vm(3, on=2, cpu_demand_mhz=15_000.0)]
    plan = planned(snapshot([host(1), host(2), host(3)], vms))
    assert {move.reason for move in plan.moves} == {MoveReason.CONTENTION}
    assert {move.target for move in plan.moves} == {"host-3"}


def test_relief_does_not_use_an_empty_host_where_another_has_room() -> None:
    vms = [vm(n, on=1, cpu_demand_mhz=6_000.0) for n in (1, 2, 3)]
    vms += [vm(n, on=2, cpu_demand_mhz=6_000.0) for n in (4,)]
    plan = planned(snapshot([host(1), host(2), host(3)], vms))
    assert {move.target for move in plan.moves} == {"host-2"}
    assert empty(plan) == {"host-3"}


def test_an_evacuation_goes_to_hosts_in_use() -> None:
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE), host(2), host(3)]
    vms = [vm(n, on=1, cpu_demand_mhz=1_000.0) for n in (1, 2)]
    vms += [vm(n, on=2, cpu_demand_mhz=1_000.0) for n in range(3, 9)]
    plan = planned(snapshot(hosts, vms))
    assert {move.target for move in plan.moves} == {"host-2"}


def test_a_cluster_of_one_host_in_use_is_left_alone() -> None:
    assert planned(snapshot([host(1), host(2)], [vm(1, on=1)])).moves == ()


def test_the_report_says_how_many_hosts_are_emptied() -> None:
    assert "4 hosts emptied" in headline(planned(cluster()))
    assert "emptied" not in headline(planned(cluster(), SPREAD_OUT))


def test_no_bound_of_level_loads_is_claimed_where_hosts_are_emptied() -> None:
    plan = planned(cluster())
    found = certify(need_with(cluster(), POLICY, {}), POLICY, plan)
    assert (found.cost, found.imbalance, found.gap) == (None, None, None)
    assert "the policy empties hosts" in found.notes[0]


def test_an_explanation_of_an_empty_host_says_that_it_is_kept_so() -> None:
    first = planned(cluster())
    snap = replayed(cluster(), first.moves)
    target = min(empty(first))
    kept = next(one for one in snap.vms)
    insight = explain_vm(need_with(snap, POLICY, {}), POLICY, planned(snap), kept.id)
    told = next(one for one in insight.targets if one.host == target)
    assert told.refusal is not None
    assert "runs no VM and is kept so" in told.refusal.detail
