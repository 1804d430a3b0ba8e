"""Second and third goal: contention first, balance second, few and cheap moves, nothing without need."""

import sys
from dataclasses import replace
from subprocess import run

import pytest

from balancer.model.host import HostState
from balancer.model.plan import MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.plan import PlanSettings, make_draft
from balancer.policy.types import Goals, Policy, Prices
from tests.support.builders import host, rule, snapshot, vm
from tests.unit.plan.support import draft_of, moves_of, need_of, state_after, state_of


def skewed() -> Snapshot:
    """Return three hosts, the first at 60 % CPU, the others at 15 %."""
    vms = [vm(n, on=1) for n in range(1, 13)]
    vms += [vm(n, on=2) for n in range(13, 16)] + [vm(n, on=3) for n in range(16, 19)]
    return snapshot([host(1), host(2), host(3)], vms)


def test_a_skewed_cluster_is_levelled_to_the_target() -> None:
    snap = skewed()
    draft = draft_of(snap)
    assert {move.reason for move in draft.moves} == {MoveReason.BALANCE}
    assert {move.source for move in draft.moves} == {"host-1"}
    after = state_after(snap, draft)
    assert after.imbalance <= Policy().thresholds.balance_target
    assert after.cpu.stddev < state_of(snap).cpu.stddev
    assert after.memory.stddev < state_of(snap).memory.stddev


def test_memory_alone_is_levelled_where_nothing_wants_cpu() -> None:
    vms = [vm(n, on=1, cpu_demand_mhz=0.0, memory_mib=6000.0) for n in range(1, 9)]
    snap = snapshot([host(1), host(2)], vms)
    draft = draft_of(snap)
    assert len(draft.moves) == 4
    assert state_after(snap, draft).imbalance <= Policy().thresholds.balance_target


def test_the_sentence_of_a_balance_move_has_the_figures_of_its_moment() -> None:
    first = draft_of(skewed()).moves[0]
    assert first.why == "esx1 at 60 % CPU, mean 30 %; esx2 goes from 15 % to 20 % CPU"


def test_moves_come_best_first_and_their_gains_add_up() -> None:
    snap = skewed()
    draft = draft_of(snap)
    gains = [move.gain for move in draft.moves]
    assert gains == sorted(gains, reverse=True)
    assert sum(gains) == pytest.approx(state_of(snap).cost - state_after(snap, draft).cost)


def test_a_hot_host_is_relieved_even_where_balance_is_off() -> None:
    policy = Policy(goals=Goals(balance=False))
    vms = [vm(n, on=1) for n in range(1, 20)] + [vm(20, on=2)]
    snap = snapshot([host(1), host(2)], vms)
    draft = draft_of(snap, policy)
    assert {move.reason for move in draft.moves} == {MoveReason.CONTENTION}
    assert len(draft.moves) == 2
    assert draft.moves[0].why == "esx1 at 95 % CPU, above 85 %; esx2 goes from 5 % to 10 % CPU"


def test_of_two_ways_to_relieve_a_host_the_cheaper_is_taken() -> None:
    vms = [vm(1, on=1, cpu_demand_mhz=18_000.0, memory_mib=1000.0)]
    vms += [vm(2, on=1, memory_mib=30_000.0), vm(3, on=1, memory_mib=2000.0)]
    policy = Policy(goals=Goals(balance=False))
    draft = draft_of(snapshot([host(1, cpu_capacity_mhz=23_000.0), host(2)], vms), policy)
    assert moves_of(draft) == {"vm-3": "host-2"}


@pytest.mark.parametrize(
    "snap",
    [
        snapshot([], []),
        snapshot([host(1)], []),
        snapshot([host(1)], [vm(n, on=1) for n in range(1, 25)]),
        snapshot([host(1), host(2)], [vm(1, on=1, cpu_demand_mhz=0.0, memory_active_mib=0.0)]),
        snapshot([host(n, state=HostState.MAINTENANCE) for n in (1, 2)], [vm(1, on=1)]),
        snapshot([host(n, state=HostState.NOT_RESPONDING) for n in (1, 2)], [vm(1, on=1)]),
        snapshot([host(1), host(2)], [vm(1, on=1, cpu_demand_mhz=None)]),
    ],
    ids=[
        "no hosts",
        "no VMs",
        "one full host",
        "no demand",
        "all in maintenance",
        "nobody answers",
        "nothing measured",
    ],
)
def test_degenerate_clusters_are_planned_without_an_exception(snap: Snapshot) -> None:
    assert draft_of(snap).moves == ()


def test_held_vms_stay_when_only_load_calls() -> None:
    snap = skewed()
    held = {VmId(f"vm-{n}"): Refusal.of(Reason.RECENTLY_MOVED) for n in range(1, 7)}
    draft = draft_of(snap, vms=held)
    assert draft.moves
    assert not held.keys() & moves_of(draft).keys()
    assert (
        Refusal(reason=Reason.RECENTLY_MOVED, detail="6 VMs that stay", count=6) in draft.refusals
    )


def test_an_assessment_that_wants_nothing_is_obeyed() -> None:
    need = replace(need_of(skewed()), wants_balance=False, wants_relief=False)
    assert make_draft(need, Policy(), PlanSettings()).moves == ()


def test_no_host_is_pushed_above_a_contention_threshold() -> None:
    vms = [vm(n, on=1, cpu_demand_mhz=4000.0) for n in range(1, 6)]
    vms += [vm(n, on=2, cpu_demand_mhz=8000.0) for n in (6, 7)]
    snap = snapshot([host(1), host(2)], vms)
    assert state_after(snap, draft_of(snap)).hosts[1].cpu_ratio <= 0.85


def test_a_swap_levels_what_single_moves_cannot() -> None:
    hosts = [host(n, memory_capacity_mib=9000.0) for n in (1, 2)]
    vms = [vm(n, on=1, memory_mib=2000.0, cpu_demand_mhz=4000.0) for n in (1, 2, 3)]
    vms += [vm(n, on=2, memory_mib=2000.0, cpu_demand_mhz=400.0) for n in (4, 5, 6)]
    policy = Policy(goals=Goals(contention=False))
    snap = snapshot(hosts, vms)
    draft = draft_of(snap, policy)
    after = state_after(snap, draft)
    assert len(draft.moves) in (1, 2)
    assert after.imbalance < state_of(snap).imbalance
    assert max(load.memory_ratio for load in after.hosts) <= 0.92


def test_a_broken_should_rule_is_mended_where_that_is_worth_the_move() -> None:
    wish = rule("db apart", RuleType.ANTI_AFFINITY, [1, 2], mandatory=False)
    snap = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=1)], [wish])
    assert len(draft_of(snap).moves) == 1
    cheap = Policy(prices=Prices(soft_rule=1e-7))
    even = snapshot(
        [host(1), host(2)], [*snap.vms, vm(3, on=2), vm(4, on=2)], [wish], taken_at=snap.taken_at
    )
    assert draft_of(even, cheap).moves == ()


def test_a_should_rule_that_holds_is_not_broken_for_balance() -> None:
    wish = rule("stay on 1", RuleType.VM_HOST_AFFINE, [1, 2, 3], on=[1], mandatory=False)
    snap = skewed()
    with_wish = replace(snap, rules=(wish,))
    assert draft_of(snap).moves
    assert state_after(with_wish, draft_of(with_wish)).violations == ()


def test_planning_a_balanced_cluster_does_not_load_the_solver() -> None:
    code = (
        "import sys; from tests.unit.plan.support import draft_of;"
        "from tests.support.builders import host, snapshot, vm;"
        "draft_of(snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=2)]));"
        "sys.exit('ortools' in sys.modules)"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0
