"""Laws of the planner on random small clusters: nothing broken, nothing overfilled, nothing planned twice."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from balancer.assess.need import assess
from balancer.model.need import Holds, Need
from balancer.model.plan import Draft, MoveReason
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings, make_draft
from balancer.policy.types import Policy, Prices, Thresholds
from balancer.rules.capacity import most_vcpus, most_vms
from balancer.rules.placement import Ground, Placement
from balancer.rules.standing import standing
from balancer.rules.violations import violations
from tests.support.clusters import clusters
from tests.support.replay import replayed
from tests.support.searching import examples

EAGER = Policy(
    thresholds=Thresholds(
        cpu_ceiling=0.95,
        memory_ceiling=0.9,
        cpu_contention=0.7,
        balance_trigger=0.02,
        balance_target=0.01,
        vcpus_per_core=2.5,
        vms_per_host=7,
    ),
    prices=Prices(),
)

SEARCH = examples(100)


def need_of(snap: Snapshot, holds: Holds | None = None) -> Need:
    return assess(snap, EAGER, holds or Holds())


def plan(need: Need) -> Draft:
    return make_draft(need, EAGER, PlanSettings())


def placement_of(snap: Snapshot, need: Need) -> Placement:
    return Placement(Ground(snap, EAGER, need.demand))


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@SEARCH
def test_the_result_is_never_worse_and_breaks_no_must_rule_that_held(snap: Snapshot) -> None:
    need = need_of(snap)
    draft = plan(need)
    before, after = placement_of(snap, need), placement_of(replayed(snap, draft.moves), need)
    held = {v.rule for v in violations(after) if v.mandatory} - {
        v.rule for v in violations(before) if v.mandatory
    }
    assert not held
    assert not standing(after).is_worse_than(standing(before))


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@SEARCH
def test_no_host_that_gains_a_vm_is_overfilled(snap: Snapshot) -> None:
    need = need_of(snap)
    draft = plan(need)
    after = placement_of(replayed(snap, draft.moves), need)
    only_mandatory = {move.target for move in draft.moves} - {
        move.target for move in draft.moves if not move.reason.is_mandatory
    }
    for host_id in {move.target for move in draft.moves}:
        host = snap.host_by_id[host_id]
        limit = EAGER.thresholds.memory_ceiling * host.usable_memory_mib
        assert after.footprint_mib[host_id] <= limit + 1e-3
        assert len(after.present[host_id]) <= most_vms(host, EAGER.thresholds)
        arrived = [need.demand[move.vm] for move in draft.moves if move.target == host_id]
        if any(demand.memory_reserved_mib for demand in arrived):
            assert after.memory_reserved_mib[host_id] <= host.usable_memory_mib + 1e-3
        if any(demand.cpu_reserved_mhz for demand in arrived):
            assert after.cpu_reserved_mhz[host_id] <= host.usable_cpu_mhz + 1e-3
        if host_id not in only_mandatory and not _has_mandatory(draft, host_id):
            assert after.cpu_mhz[host_id] <= EAGER.thresholds.cpu_ceiling * host.usable_cpu_mhz + 1
            assert after.vcpus[host_id] <= most_vcpus(host, EAGER.thresholds)


def _has_mandatory(draft: Draft, host_id: str) -> bool:
    return any(move.reason.is_mandatory for move in draft.moves if move.target == host_id)


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@SEARCH
def test_planning_on_the_result_plans_nothing(snap: Snapshot) -> None:
    draft = plan(need_of(snap))
    again = plan(need_of(replayed(snap, draft.moves)))
    assert again.moves == ()


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True), data=st.data())
@SEARCH
def test_held_vms_stay_and_targets_that_are_held_take_nothing(
    snap: Snapshot, data: st.DataObject
) -> None:
    ids = [vm.id for vm in snap.running_vms]
    hosts = [host.id for host in snap.hosts]
    refusal = Refusal.of(Reason.RECENTLY_MOVED)
    holds = Holds(
        vms=dict.fromkeys(ids[::3], refusal),
        pinned=dict.fromkeys(ids[1::3], refusal),
        targets=dict.fromkeys(hosts[:1], refusal),
        pairs={(vm, hosts[-1]): refusal for vm in ids[2::3]},
    )
    draft = plan(need_of(snap, holds))
    for move in draft.moves:
        assert move.vm not in holds.pinned
        assert move.vm not in holds.vms or move.reason.is_mandatory
        assert move.target not in holds.targets
        assert (move.vm, move.target) not in holds.pairs


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@SEARCH
def test_frozen_vms_never_move(snap: Snapshot) -> None:
    for move in plan(need_of(snap)).moves:
        vm = snap.vm_by_id[move.vm]
        assert vm.is_running
        assert not vm.blockers
        assert vm.automation not in ("manual", "disabled")
        assert snap.host_by_id[move.source].state.gives


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@SEARCH
def test_the_same_input_gives_the_same_draft(snap: Snapshot) -> None:
    first, second = plan(need_of(snap)), plan(need_of(snap))
    assert first.moves == second.moves
    assert (first.conflicts, first.refusals) == (second.conflicts, second.refusals)


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@SEARCH
def test_each_vm_moves_once_and_the_gains_add_up(snap: Snapshot) -> None:
    need = need_of(snap)
    draft = plan(need)
    assert len({move.vm for move in draft.moves}) == len(draft.moves)
    before, after = placement_of(snap, need), placement_of(replayed(snap, draft.moves), need)
    fall = standing(before).cost - standing(after).cost
    assert abs(sum(move.gain for move in draft.moves) - fall) < 1e-6


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@SEARCH
def test_goals_that_are_off_cause_no_moves(snap: Snapshot) -> None:
    off = replace(EAGER, goals=replace(EAGER.goals, rules=False, evacuation=False))
    draft = make_draft(need_of(snap), off, PlanSettings())
    assert not [move for move in draft.moves if move.reason.is_mandatory]
    none = replace(off, goals=replace(off.goals, contention=False, balance=False))
    assert make_draft(need_of(snap), none, PlanSettings()).moves == ()
    assert MoveReason.PARKING not in {move.reason for move in draft.moves}
