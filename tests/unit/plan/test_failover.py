"""A plan keeps the room that HA needs: moves are taken back until no host failure is lost by choice."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.model.host import HostState
from balancer.model.need import Need
from balancer.model.plan import Draft, MoveReason, Plan, PlanStatus, Schedule
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.vm import Vm
from balancer.plan import PlanSettings
from balancer.plan.desk import Note
from balancer.plan.failover import Failover, keep_survivable
from balancer.plan.verify import verify
from balancer.planner import plan_snapshot
from balancer.policy.types import MemoryMetric, Policy
from balancer.rules.failover import lost_by_choice
from tests.support.builders import host, snapshot, vm
from tests.support.replay import replayed
from tests.unit.plan.support import desk_of, draft_of, moves_of, need_of

ONE = Ha(enabled=True, host_failures_to_tolerate=1)
HELD = Policy(memory_metric=MemoryMetric.CONSUMED)


def big(number: int, on: int, gib: int, **facts: Any) -> Vm:
    """Return a VM that holds so many thousand MiB; hosts have 100."""
    return vm(number, on=on, memory_mib=gib * 1000.0, **facts)


def whole_or_even(ha: Ha) -> Snapshot:
    """Return three hosts at 50, 50 and 0; a VM of 60 would no longer fit anywhere if they were level.

    The fourth runs that VM, and no CPU demand makes anything else worth moving.
    """
    vms = [big(n, 1, 10, cpu_demand_mhz=0.0) for n in range(1, 6)]
    vms += [big(n, 2, 10, cpu_demand_mhz=0.0) for n in range(6, 11)]
    vms += [big(20, 4, 75, cpu_demand_mhz=0.0)]
    return snapshot([host(n) for n in (1, 2, 3, 4)], vms, cluster={"ha": ha})


def planned(snap: Snapshot) -> Plan:
    return plan_snapshot(snap, HELD, settings=PlanSettings())


def test_without_ha_the_hosts_are_levelled() -> None:
    assert len(moves_of(draft_of(whole_or_even(Ha()), HELD))) > 2


def test_with_ha_only_so_much_is_levelled_that_the_largest_vm_could_restart() -> None:
    draft = draft_of(whole_or_even(ONE), HELD)
    arrived = [target for target in moves_of(draft).values() if target == "host-3"]
    assert 0 < len(arrived) <= 2
    taken_back = [r for r in draft.refusals if r.reason is Reason.FAILOVER_CAPACITY]
    assert taken_back
    assert "too little spare memory" in taken_back[0].detail


def test_planning_again_after_moves_were_taken_back_plans_nothing() -> None:
    snap = whole_or_even(ONE)
    again = draft_of(replayed(snap, draft_of(snap, HELD).moves), HELD)
    assert again.moves == ()


def test_an_evacuation_goes_first_and_the_lost_failure_is_named_with_a_mend() -> None:
    vms = [big(1, 1, 60), big(2, 2, 30), big(3, 3, 60)]
    hosts = [host(1), host(2), host(3, state=HostState.ENTERING_MAINTENANCE)]
    plan = planned(snapshot(hosts, vms, cluster={"ha": ONE}))
    assert [move.reason for move in plan.moves] == [MoveReason.EVACUATE]
    assert plan.status is PlanStatus.DEGRADED
    conflict = next(c for c in plan.conflicts if c.kind == "ha")
    assert conflict.message.endswith("would find no host any more")
    assert "another host" in conflict.relax


def test_a_failure_that_was_lost_before_the_plan_is_no_conflict_of_it() -> None:
    vms = [big(1, 1, 80), big(2, 2, 80), big(3, 3, 5)]
    hosts = [host(1), host(2), host(3, state=HostState.ENTERING_MAINTENANCE)]
    plan = planned(snapshot(hosts, vms, cluster={"ha": ONE}))
    assert len(plan.moves) == 1
    assert [c.kind for c in plan.conflicts] == []


def test_where_moves_cannot_be_taken_back_the_desk_says_so() -> None:
    """vm-1 left host-1 by choice, and an evacuated VM took its room: it may not return."""
    vms = [big(1, 1, 60), big(2, 4, 60), big(3, 2, 60), big(4, 3, 39)]
    hosts = [host(1), host(2), host(3), host(4, state=HostState.ENTERING_MAINTENANCE)]
    desk = desk_of(snapshot(hosts, vms, cluster={"ha": ONE}), HELD)
    desk.move([1], 0, Note(reason=MoveReason.EVACUATE))
    desk.move([0], 2, Note(reason=MoveReason.BALANCE))
    assert not keep_survivable(desk, desk.problem.at)


def test_two_moves_that_only_pay_together_are_taken_back_together() -> None:
    snap = whole_or_even(ONE)
    desk = desk_of(snap, HELD)
    for number in range(5):
        desk.move([number], 2, Note(reason=MoveReason.BALANCE))
    assert keep_survivable(desk, desk.problem.at)
    check = Failover(desk.problem)
    assert not (check.lost(desk.ledger.at) & ~check.lost(desk.problem.at)).any()


def test_a_large_cluster_with_room_loses_nothing() -> None:
    snap = generate(InventorySpec(hosts=96, vms=10_000), 1)
    desk = desk_of(replace(snap, cluster=replace(snap.cluster, ha=ONE)))
    assert not np.any(Failover(desk.problem).lost(desk.problem.at))


def test_the_independent_check_finds_a_plan_that_loses_a_failure() -> None:
    """The plan was made as if there were no HA."""
    moves = planned(whole_or_even(Ha())).moves
    assert verify(need_of(whole_or_even(Ha()), HELD), HELD, moves) == ()
    found = verify(need_of(whole_or_even(ONE), HELD), HELD, moves)
    assert found == ("after the plan vm-20 would find no host if host-4 failed",)


def test_a_loss_that_a_mandatory_move_brings_is_no_fault_of_the_plan() -> None:
    moves = planned(whole_or_even(Ha())).moves
    musts = [replace(move, reason=MoveReason.RULE) for move in moves]
    assert lost_by_choice(need_of(whole_or_even(ONE), HELD), HELD, moves) != ()
    assert lost_by_choice(need_of(whole_or_even(ONE), HELD), HELD, musts) == ()


def test_where_sequencing_drops_what_ha_needs_nothing_moves_by_choice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sequencing stands in for one that can carry out no more than the moves that lose a failure."""
    levelling = planned(whole_or_even(Ha())).moves
    dropped = Refusal.of(Reason.UNREACHABLE, "for want of room", vm="vm-20", host="host-3")

    def sequencing(need: Need, policy: Policy, draft: Draft, **_: object) -> Schedule:
        return Schedule(moves=levelling, dropped=(dropped,)) if draft.moves else Schedule(moves=())

    monkeypatch.setattr("balancer.planner.make_schedule", sequencing)
    plan = planned(whole_or_even(ONE))
    assert plan.moves == ()
    held = next(r for r in plan.refusals if r.reason is Reason.FAILOVER_CAPACITY)
    assert held.count == 11
