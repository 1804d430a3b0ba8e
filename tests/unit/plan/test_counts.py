"""Even numbers of VMs as a secondary aim: sought where asked for, never at the cost of the aims of load."""

from dataclasses import replace

import pytest
from hypothesis import given

from balancer.model.host import HostState
from balancer.model.plan import MoveReason
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.plan.counts import spread, stay_even
from balancer.plan.desk import Note
from balancer.plan.load import even_out
from balancer.plan.prune import prune
from balancer.plan.units import make_units
from balancer.planner import plan_snapshot
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.builders import host, snapshot, vm
from tests.support.clusters import clusters
from tests.support.replay import replayed
from tests.support.searching import examples
from tests.unit.plan.support import desk_of, draft_of, moves_of, state_after, state_of

EVEN = Policy(goals=Goals(vm_count=True))


def crowded() -> Snapshot:
    """Return two hosts as loaded as each other: one runs 20 small VMs, the other two large ones."""
    small = [vm(n, on=1, cpu_demand_mhz=40.0, memory_mib=200.0) for n in range(1, 21)]
    large = [vm(n, on=2, cpu_demand_mhz=400.0, memory_mib=2000.0) for n in (21, 22)]
    return snapshot([host(1), host(2)], [*small, *large])


def spread_of(snap: Snapshot, policy: Policy = EVEN) -> float:
    return spread(desk_of(snap, policy))


def test_numbers_are_left_alone_unless_the_policy_asks() -> None:
    assert draft_of(crowded()).moves == ()


def test_numbers_are_evened_out_to_the_target_and_load_stays_within_its_aim() -> None:
    snap = crowded()
    draft = draft_of(snap, EVEN)
    after = replayed(snap, draft.moves)
    assert {move.reason for move in draft.moves} == {MoveReason.BALANCE}
    assert spread_of(snap) > EVEN.thresholds.vm_count_trigger
    assert spread_of(after) <= EVEN.thresholds.vm_count_target
    assert state_of(after).imbalance <= EVEN.thresholds.balance_target


def test_the_sentence_tells_the_numbers() -> None:
    first = draft_of(crowded(), EVEN).moves[0]
    assert first.why == "esx1 runs 20 VMs, mean 11; esx2 goes from 2 to 3"


def test_planning_again_on_even_numbers_plans_nothing() -> None:
    snap = crowded()
    assert draft_of(replayed(snap, draft_of(snap, EVEN).moves), EVEN).moves == ()


def test_numbers_within_the_trigger_move_nothing() -> None:
    lax = replace(EVEN, thresholds=Thresholds(vm_count_trigger=0.9, vm_count_target=0.1))
    assert draft_of(crowded(), lax).moves == ()


def test_no_more_is_moved_than_the_aim_of_load_allows() -> None:
    """Each VM of the crowded host is so large that the hosts would not be level without it."""
    vms = [vm(n, on=1, cpu_demand_mhz=1000.0) for n in range(1, 11)]
    vms += [vm(11, on=2, cpu_demand_mhz=10_000.0, memory_mib=40_960.0)]
    snap = snapshot([host(1), host(2)], vms)
    after = state_after(snap, draft_of(snap, EVEN))
    assert after.imbalance <= EVEN.thresholds.balance_target


def test_a_host_at_its_contention_threshold_gets_no_vm_for_the_numbers() -> None:
    small = [vm(n, on=1, cpu_demand_mhz=800.0, memory_mib=1000.0) for n in range(1, 21)]
    large = [vm(n, on=2, cpu_demand_mhz=8400.0, memory_mib=10_000.0) for n in (21, 22)]
    draft = draft_of(snapshot([host(1), host(2)], [*small, *large]), EVEN)
    assert draft.moves == ()


def test_moves_for_the_numbers_are_not_pruned_while_the_numbers_need_them() -> None:
    desk = desk_of(crowded(), EVEN)
    even_out(desk)
    moved = desk.ledger.moved().tolist()
    assert {desk.notes[row] for row in moved} == {
        Note(reason=MoveReason.BALANCE, cause="number of VMs")
    }
    prune(desk, EVEN.thresholds.balance_target)
    assert spread(desk) <= EVEN.thresholds.vm_count_target


def test_more_moves_than_the_numbers_need_are_pruned() -> None:
    desk = desk_of(crowded(), EVEN)
    for row in range(10):
        desk.move([row], 1, Note(reason=MoveReason.BALANCE))
    prune(desk, EVEN.thresholds.balance_target)
    assert 0 < len(desk.ledger.moved()) < 10


@pytest.mark.parametrize(("moves", "may"), [(9, True), (8, True), (7, False)])
def test_a_unit_may_go_home_while_the_numbers_stay_within_the_target(moves: int, may: bool) -> None:
    """Of 20 and 2 VMs, 13 and 9 are within 0.2 of the mean, 14 and 8 are not."""
    desk = desk_of(crowded(), EVEN)
    for row in range(moves):
        desk.move([row], 1, Note(reason=MoveReason.BALANCE))
    units = make_units(desk.ledger, [(0,)])
    allowed = stay_even(desk, units.size, desk.problem.at[[0]], units.source)
    assert allowed.tolist() == [may]


def test_lost_hosts_end_the_wish_for_even_numbers() -> None:
    snap = crowded()
    gone = [host(n, state=HostState.NOT_RESPONDING) for n in (3, 4, 5, 6)]
    snap = snapshot([*snap.hosts, *gone], snap.vms)
    plan = plan_snapshot(snap, EVEN, settings=PlanSettings())
    assert plan.moves == ()


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@examples(60)
def test_load_keeps_to_its_aims_whatever_the_numbers(snap: Snapshot) -> None:
    draft = draft_of(snap, EVEN)
    before, after = state_of(snap, EVEN), state_after(snap, draft)
    limits = EVEN.thresholds
    if not any(move.reason.is_mandatory for move in draft.moves):
        assert after.imbalance <= max(before.imbalance, limits.balance_target) + 1e-9
    assert draft_of(replayed(snap, draft.moves), EVEN).moves == ()


def test_moves_of_the_sentence_are_those_of_the_table() -> None:
    assert set(moves_of(draft_of(crowded(), EVEN)).values()) == {"host-2"}
