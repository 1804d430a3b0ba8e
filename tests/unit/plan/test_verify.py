"""The independent check: sound plans pass, each way of being wrong is named."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from balancer.model.goal import Goal
from balancer.model.host import HostState
from balancer.model.need import Holds, Need
from balancer.model.plan import Move, MoveReason, Priority
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import InFlight
from balancer.model.units import HostId, MoveId, VmId
from balancer.plan.verify import verify
from balancer.policy.types import Goals, Policy
from tests.support.builders import host, placement, rule, snapshot, vm
from tests.support.stages import excluded


def move(number: int, vm_number: int, source: int, target: int, **facts: Any) -> Move:
    defaults: dict[str, Any] = {
        "id": MoveId(f"m{number}"),
        "vm": VmId(f"vm-{vm_number}"),
        "vm_name": f"vm{vm_number}",
        "source": HostId(f"host-{source}"),
        "target": HostId(f"host-{target}"),
        "reason": MoveReason.BALANCE,
        "why": "because",
        "priority": Priority.DEFAULT,
        "wave": 1,
        "after": (),
        "start_seconds": 0.0,
        "expected_seconds": 10.0,
        "memory_mib": 4096.0,
        "gain": 0.1,
    }
    return Move(**(defaults | facts))


def need_of(hosts: list[Any], vms: list[Any], rules: list[Any] | None = None) -> Need:
    snap = snapshot(hosts, vms, rules or [])
    return Need(
        snapshot=snap,
        demand=placement(snap).ground.demand,
        holds=Holds(),
        imbalance=0.1,
        wants_balance=True,
        wants_relief=False,
    )


def full_pair() -> Need:
    """Two hosts that are nearly full, a third that is empty."""
    big = {"memory_mib": 90_000.0, "cpu_demand_mhz": 8_000.0}
    return need_of([host(1), host(2), host(3)], [vm(1, 1, **big), vm(2, 2, **big)])


def test_a_plan_that_levels_is_sound() -> None:
    need = need_of([host(1), host(2)], [vm(1, 1), vm(2, 1)])

    assert verify(need, Policy(), [move(1, 2, 1, 2)]) == ()


def test_swapping_full_hosts_in_one_wave_is_found() -> None:
    found = verify(full_pair(), Policy(), [move(1, 1, 1, 2), move(2, 2, 2, 1)])

    assert "memory_ceiling" in found[0]


def test_swapping_over_a_parking_host_is_sound() -> None:
    steps = [
        move(1, 1, 1, 3, reason=MoveReason.PARKING),
        move(2, 2, 2, 1, wave=2, after=("m1",)),
        move(3, 1, 3, 2, wave=3, after=("m2",)),
    ]

    assert verify(full_pair(), Policy(), steps) == ()


def test_a_move_that_makes_it_worse_is_found() -> None:
    need = need_of([host(1), host(2)], [vm(1, 1), vm(2, 2)])

    assert "worse than at the start" in verify(need, Policy(), [move(1, 2, 2, 1)])[0]


def test_bringing_together_what_is_kept_apart_is_found() -> None:
    apart = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    need = need_of([host(1), host(2)], [vm(1, 1), vm(2, 2), vm(3, 1), vm(4, 1)], [apart])

    assert "anti_affinity" in verify(need, Policy(), [move(1, 1, 1, 2)])[0]


def test_one_more_in_a_rack_than_may_be_is_found_and_a_move_within_it_is_not() -> None:
    racks = rule("racks", RuleType.ANTI_AFFINITY, [1, 2, 3], most=2, domains=[[1, 2], [3]])
    hosts = [host(n) for n in (1, 2, 3)]
    need = need_of(hosts, [vm(1, 1), vm(2, 1), vm(3, 3), vm(4, 1), vm(5, 3)], [racks])

    assert "anti_affinity" in verify(need, Policy(), [move(1, 3, 3, 2)])[0]
    assert verify(need, Policy(), [move(1, 1, 1, 2)]) == ()


def test_an_affinity_group_moves_in_one_wave_or_not_at_all() -> None:
    together = rule("together", RuleType.AFFINITY, [1, 2])
    need = need_of([host(1), host(2)], [vm(1, 1), vm(2, 1), vm(3, 1), vm(4, 1)], [together])
    in_one = [move(1, 1, 1, 2), move(2, 2, 1, 2)]

    assert verify(need, Policy(), in_one) == ()
    apart = [in_one[0], replace(in_one[1], wave=2)]
    assert "affinity" in verify(need, Policy(), apart)[0]


def test_an_evacuation_may_cost_balance() -> None:
    leaving = host(1, state=HostState.ENTERING_MAINTENANCE)
    need = need_of([leaving, host(2), host(3)], [vm(1, 1), vm(2, 2)])

    assert verify(need, Policy(), [move(1, 1, 1, 2, reason=MoveReason.EVACUATE)]) == ()


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([move(1, 9, 1, 2)], "not a running VM"),
        ([move(1, 1, 1, 9)], "not a host"),
        ([move(1, 1, 2, 1)], "would not be on"),
        ([move(1, 1, 1, 1)], "to itself"),
        ([move(1, 1, 1, 2), move(1, 2, 2, 3)], "occurs twice"),
        ([move(1, 1, 1, 2, after=("m7",))], "not in an earlier wave"),
        ([move(1, 1, 1, 2, wave=2), move(2, 2, 2, 3)], "not in the order"),
        ([move(1, 1, 1, 3), move(2, 1, 1, 2)], "moves a VM twice"),
    ],
    ids=[
        "unknown VM",
        "unknown host",
        "wrong source",
        "no way",
        "same id",
        "unknown after",
        "order",
        "twice",
    ],
)
def test_malformed_plans_are_found(steps: list[Move], says: str) -> None:
    assert says in verify(full_pair(), Policy(), steps)[0]


def test_a_vm_that_must_not_be_touched_is_found() -> None:
    need = need_of([host(1), host(2)], [vm(1, 1), vm(2, 1)])
    refusal = Refusal.of(Reason.IN_FLIGHT, vm="vm-2")
    held = replace(need, holds=Holds(pinned=MappingProxyType({VmId("vm-2"): refusal})))

    assert "must not be touched" in verify(held, Policy(), [move(1, 2, 1, 2)])[0]


def test_a_member_may_follow_another_that_is_on_its_way_already() -> None:
    together = rule("together", RuleType.AFFINITY, [1, 2, 3])
    leaving = host(1, state=HostState.ENTERING_MAINTENANCE)
    hosts = [leaving, host(2), host(3), host(4)]
    need = need_of(hosts, [vm(1, 1), vm(2, 1), vm(3, 3)], [together])
    flight = InFlight(vm=VmId("vm-1"), source=HostId("host-1"), target=HostId("host-2"))
    flying = replace(need, snapshot=replace(need.snapshot, in_flight=(flight,)))
    follow = move(1, 2, 1, 2, reason=MoveReason.EVACUATE)

    assert verify(flying, Policy(), [follow]) == ()
    assert "affinity" in verify(flying, Policy(), [replace(follow, target=HostId("host-4"))])[0]


def test_memory_on_its_way_by_somebody_else_is_counted() -> None:
    big = {"memory_mib": 60_000.0, "cpu_demand_mhz": 8_000.0}
    need = need_of([host(1), host(2), host(3)], [vm(1, 1, **big), vm(2, 1, **big)])
    flight = InFlight(vm=VmId("vm-1"), source=HostId("host-1"), target=HostId("host-2"))
    flying = replace(need, snapshot=replace(need.snapshot, in_flight=(flight,)))

    assert "memory_ceiling" in verify(flying, Policy(), [move(1, 2, 1, 2)])[0]


@pytest.mark.parametrize(
    ("reason", "goal"),
    [
        (MoveReason.BALANCE, Goal.BALANCE),
        (MoveReason.CONTENTION, Goal.CONTENTION),
        (MoveReason.CONSOLIDATE, Goal.CONSOLIDATION),
        (MoveReason.EVACUATE, Goal.EVACUATION),
        (MoveReason.RULE, Goal.RULES),
        (MoveReason.SHOULD_RULE, Goal.RULES),
        (MoveReason.MAKE_ROOM, Goal.RULES),
        (MoveReason.MAKE_ROOM, Goal.EVACUATION),
    ],
)
def test_a_move_for_a_goal_that_leaves_the_vm_alone_is_found(
    reason: MoveReason, goal: Goal
) -> None:
    need = need_of([host(1), host(2)], [vm(1, 1), vm(2, 1)])
    held = replace(need, holds=Holds(excluded=excluded((goal,), 2)))

    found = verify(held, Policy(), [move(1, 2, 1, 2, reason=reason)])

    assert found[0].startswith(f"m1 moves vm2 for {reason}, for which it is left alone: excluded")


def test_evening_out_numbers_may_move_what_only_balance_leaves_alone() -> None:
    need = need_of([host(1), host(2)], [vm(1, 1), vm(2, 1)])
    held = replace(need, holds=Holds(excluded=excluded((Goal.BALANCE,), 2)))

    assert verify(held, Policy(goals=Goals(vm_count=True)), [move(1, 2, 1, 2)]) == ()
