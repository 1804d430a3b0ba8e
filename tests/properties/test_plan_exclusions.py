"""Exclusions on random clusters: whatever the plan, no goal moves a VM that it must leave alone."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from balancer.model.goal import Goal
from balancer.model.plan import MoveReason, Plan
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.plan import PlanSettings
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.builders import host, snapshot, vm
from tests.support.clusters import clusters
from tests.support.searching import examples
from tests.support.stages import Excluded, excluded, need_with, planned_by_stages

EAGER = Policy(
    goals=Goals(vm_count=True),
    thresholds=Thresholds(
        cpu_contention=0.7,
        balance_trigger=0.02,
        balance_target=0.01,
        vm_count_trigger=0.1,
        vm_count_target=0.05,
    ),
)

FORBIDDEN: Mapping[MoveReason, tuple[frozenset[Goal], ...]] = {
    MoveReason.EVACUATE: (frozenset({Goal.EVACUATION}),),
    MoveReason.RULE: (frozenset({Goal.RULES}),),
    MoveReason.SHOULD_RULE: (frozenset({Goal.RULES}),),
    MoveReason.MAKE_ROOM: (frozenset({Goal.RULES}), frozenset({Goal.EVACUATION})),
    MoveReason.CONTENTION: (frozenset({Goal.CONTENTION}),),
    MoveReason.BALANCE: (frozenset({Goal.BALANCE, Goal.VM_COUNT}),),
    MoveReason.PARKING: (frozenset(Goal),),
}
"""A VM that is left alone for all of one set must not be moved for the reason. Written down a second time."""


def touched(plan: Plan, left: Excluded) -> list[str]:
    """Return the moves that an exclusion forbids."""
    goals: dict[VmId, set[Goal]] = {}
    for goal, vms in left.items():
        for name in vms:
            goals.setdefault(name, set()).add(goal)
    return [
        f"{move.vm} {move.reason}"
        for move in plan.moves
        if any(kind <= goals.get(move.vm, set()) for kind in FORBIDDEN[move.reason])
    ]


@given(data=st.data(), snap=clusters(most_hosts=5, most_vms=14, is_plain=True))
@examples(100)
def test_no_goal_moves_a_vm_that_it_must_leave_alone(data: st.DataObject, snap: Snapshot) -> None:
    numbers = st.frozensets(st.integers(1, max(len(snap.vms), 1)))
    left = {goal: excluded((goal,), *data.draw(numbers))[goal] for goal in Goal}
    plan = planned_by_stages(need_with(snap, EAGER, left), EAGER)
    assert not touched(plan, left)


def test_refinement_and_windows_leave_alone_what_they_must() -> None:
    hosts = [host(n) for n in range(1, 13)]
    vms = [
        vm(n, on=1 + n % 7, cpu_demand_mhz=200.0 + 47.0 * (n % 11), memory_mib=512.0 * (1 + n % 5))
        for n in range(1, 181)
    ]
    snap = snapshot(hosts, vms)
    left = excluded((Goal.BALANCE, Goal.VM_COUNT), *range(1, 181, 3))
    policy = Policy()
    free = planned_by_stages(need_with(snap, policy, {}), policy)
    bound = planned_by_stages(need_with(snap, policy, left), policy, PlanSettings(seed=1))
    assert {move.vm for move in free.moves} & left[Goal.BALANCE].keys()
    assert bound.moves
    assert not touched(bound, left)
    assert {move.reason for move in bound.moves} == {MoveReason.BALANCE}
