"""VMs that a rule or a tag leaves alone: for each goal a cluster in which the exclusion changes the plan."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from balancer.model.goal import Goal
from balancer.model.host import HostState
from balancer.model.plan import MoveReason, Plan, PlanStatus
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.plan.insight import explain_vm
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.builders import host, rule, snapshot, vm
from tests.support.stages import excluded, need_with, planned_by_stages

POLICY = Policy(goals=Goals(vm_count=True))
LEAVING = HostState.ENTERING_MAINTENANCE


def plan_of(snap: Snapshot, goals: tuple[Goal, ...], *left: int, policy: Policy = POLICY) -> Plan:
    return planned_by_stages(need_with(snap, policy, excluded(goals, *left)), policy)


def movers(plan: Plan) -> set[str]:
    return {move.vm for move in plan.moves}


def evacuated() -> Snapshot:
    return snapshot([host(1, state=LEAVING), host(2), host(3)], [vm(1, on=1), vm(2, on=1)])


def kept_apart() -> Snapshot:
    return snapshot(
        [host(1), host(2)],
        [vm(1, on=1), vm(2, on=1)],
        [rule("apart", RuleType.ANTI_AFFINITY, [1, 2])],
    )


def wished_apart() -> Snapshot:
    wish = rule("apart", RuleType.ANTI_AFFINITY, [1, 2], mandatory=False, weight=5.0)
    return snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=1)], [wish])


def hot() -> Snapshot:
    vms = [vm(n, on=1, cpu_demand_mhz=9_000.0) for n in (1, 2)]
    return snapshot([host(1), host(2)], vms)


def uneven() -> Snapshot:
    vms = [vm(n, on=1, cpu_demand_mhz=4_000.0) for n in (1, 2, 3, 4)]
    return snapshot([host(1), host(2)], vms)


def crowded() -> Snapshot:
    """Two hosts of like load, one with a single large VM, the other with eight small ones."""
    small = {"cpu_demand_mhz": 500.0, "memory_mib": 1_000.0}
    vms = [vm(n, on=1, **small) for n in range(1, 9)]
    vms.append(vm(9, on=2, cpu_demand_mhz=4_000.0, memory_mib=8_000.0))
    return snapshot([host(1), host(2)], vms)


CASES: tuple[tuple[str, Callable[[], Snapshot], Goal], ...] = (
    ("evacuation", evacuated, Goal.EVACUATION),
    ("must-rule", kept_apart, Goal.RULES),
    ("should-rule", wished_apart, Goal.RULES),
    ("contention", hot, Goal.CONTENTION),
    ("balance", uneven, Goal.BALANCE),
    ("numbers of VMs", crowded, Goal.VM_COUNT),
)


@pytest.mark.parametrize(("what", "cluster", "goal"), CASES, ids=[case[0] for case in CASES])
def test_what_is_left_alone_for_a_goal_is_not_moved_for_it(
    what: str, cluster: Callable[[], Snapshot], goal: Goal
) -> None:
    snap = cluster()
    everyone = tuple(range(1, len(snap.vms) + 1))
    others = tuple(other for other in Goal if other is not goal)
    free = plan_of(snap, (goal,))
    assert movers(free)
    only_this = replace(POLICY, goals=only(goal))
    assert not movers(plan_of(snap, (goal,), *everyone, policy=only_this))
    assert movers(plan_of(snap, others, *everyone, policy=only_this))


def only(goal: Goal) -> Goals:
    return Goals(**{other.value: other is goal for other in Goal})


def test_another_vm_is_moved_in_place_of_one_that_is_left_alone() -> None:
    snap = hot()
    first = movers(plan_of(snap, tuple(Goal)))
    (mover,) = first
    number = int(mover.removeprefix("vm-"))
    assert movers(plan_of(snap, tuple(Goal), number)) == {"vm-1", "vm-2"} - first


def test_an_evacuation_that_leaves_a_vm_alone_is_degraded_and_names_it() -> None:
    plan = plan_of(evacuated(), (Goal.EVACUATION,), 1)
    assert movers(plan) == {"vm-2"}
    assert plan.status is PlanStatus.DEGRADED
    (conflict,) = plan.conflicts
    assert conflict.vms == ("vm-1",)
    assert "vm1 is left alone (rule 'hands off')" in conflict.message
    assert "by hand" in conflict.relax
    assert Reason.EXCLUDED in {refusal.reason for refusal in plan.refusals if refusal.vm == "vm-1"}


def test_a_vm_that_is_kept_with_one_left_alone_stays_with_it_and_says_so() -> None:
    snap = replace(evacuated(), rules=(rule("pair", RuleType.AFFINITY, [1, 2]),))
    plan = plan_of(snap, (Goal.EVACUATION,), 1)
    assert not plan.moves
    told = {conflict.vms[0]: conflict.message for conflict in plan.conflicts}
    assert "vm1 is left alone" in told[VmId("vm-2")]


def test_a_rule_that_stays_broken_names_the_vm_that_is_left_alone() -> None:
    plan = plan_of(kept_apart(), tuple(Goal), 1, 2)
    (conflict,) = plan.conflicts
    assert "vm1 is left alone (rule 'hands off')" in conflict.message


def test_a_scattered_group_is_gathered_where_the_vm_that_is_left_alone_stands() -> None:
    hosts = [host(1), host(2), host(3)]
    vms = [vm(1, on=1), vm(2, on=2), vm(3, on=2)]
    snap = snapshot(hosts, vms, [rule("together", RuleType.AFFINITY, [1, 2, 3])])
    assert {(m.vm, m.target) for m in plan_of(snap, (Goal.RULES,), 1).moves} == {
        ("vm-2", "host-1"),
        ("vm-3", "host-1"),
    }
    torn = plan_of(snap, (Goal.RULES,), 1, 2)
    assert (torn.moves, torn.status) == ((), PlanStatus.DEGRADED)


def full() -> Snapshot:
    """A host to be emptied, whose VM fits only where another one makes room."""
    big = {"memory_mib": 60_000.0, "cpu_demand_mhz": 100.0}
    small = {"memory_mib": 40_000.0, "cpu_demand_mhz": 100.0}
    vms = [vm(1, on=1, **big), vm(2, on=2, **small), vm(3, on=3, **small)]
    return snapshot([host(1, state=LEAVING), host(2), host(3)], vms)


@pytest.mark.parametrize("goal", [Goal.EVACUATION, Goal.RULES])
def test_what_a_mandatory_goal_leaves_alone_makes_no_room(goal: Goal) -> None:
    assert {m.reason for m in plan_of(full(), ()).moves} == {
        MoveReason.EVACUATE,
        MoveReason.MAKE_ROOM,
    }
    plan = plan_of(full(), (goal,), 2, 3)
    assert (plan.moves, plan.status) == ((), PlanStatus.DEGRADED)


def test_one_of_two_makes_room_where_the_other_is_left_alone() -> None:
    plan = plan_of(full(), tuple(Goal), 2)
    assert {m.vm for m in plan.moves if m.reason is MoveReason.MAKE_ROOM} == {"vm-3"}


def test_a_vm_left_alone_for_load_alone_makes_room() -> None:
    load = (Goal.CONTENTION, Goal.BALANCE, Goal.VM_COUNT, Goal.CONSOLIDATION)
    assert "make_room" in {m.reason for m in plan_of(full(), load, 1, 2, 3).moves}


def test_levelling_off_a_contended_host_is_not_called_relief_of_a_vm_left_alone_for_it() -> None:
    plan = plan_of(hot(), (Goal.CONTENTION,), 1, 2)
    assert {move.reason for move in plan.moves} == {MoveReason.BALANCE}


@pytest.mark.parametrize(("cluster", "goal"), [(hot, Goal.CONTENTION), (uneven, Goal.BALANCE)])
def test_an_explanation_tells_the_exclusion(cluster: Callable[[], Snapshot], goal: Goal) -> None:
    snap, policy = cluster(), replace(POLICY, goals=only(goal))
    need = need_with(snap, policy, excluded((goal,), *range(1, len(snap.vms) + 1)))
    plan = planned_by_stages(need, policy)
    told = explain_vm(need, policy, plan, VmId("vm-1")).stays
    assert told is not None
    assert told.reason is Reason.EXCLUDED
    counted = [refusal for refusal in plan.refusals if refusal.reason is Reason.EXCLUDED]
    assert counted[0].count == len(snap.vms)


def test_exclusions_hold_where_every_placement_is_looked_at() -> None:
    policy = replace(POLICY, thresholds=Thresholds(balance_trigger=0.01, balance_target=0.005))
    free = planned_by_stages(need_with(uneven(), policy, excluded((), 1)), policy)
    assert movers(free)
    for number in (1, 2, 3, 4):
        plan = plan_of(uneven(), tuple(Goal), number, policy=policy)
        assert f"vm-{number}" not in movers(plan)
