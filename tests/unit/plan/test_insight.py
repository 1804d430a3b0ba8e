"""What is said of a VM that moves, of one pair, and of a host: the figures are the plan's own."""

from dataclasses import replace

import pytest
from hypothesis import given

from balancer.model.host import HostState
from balancer.model.insight import is_lawful
from balancer.model.reasons import Reason
from balancer.model.rule import RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from balancer.model.vm import Blocker
from balancer.policy.types import Policy, Thresholds
from balancer.rules.judge import ALL_LAWS, judge_move
from balancer.rules.placement import Candidate, Placement
from tests.support.builders import host, rule, snapshot, vm
from tests.support.clusters import clusters
from tests.support.replay import replayed
from tests.support.searching import examples
from tests.unit.plan.explained import KEEN, host_insight, planned, uneven, vm_insight
from tests.unit.plan.support import desk_of, state_of


def first_moved(snap: Snapshot) -> int:
    return int(planned(snap, KEEN).moves[0].vm.removeprefix("vm-"))


def test_the_gain_of_a_move_is_the_fall_of_the_clusters_cost() -> None:
    snap = uneven(cpu_demand_mhz=1700.0)
    plan = planned(snap, KEEN)
    number = first_moved(snap)
    chosen = vm_insight(snap, number, KEEN).chosen
    assert chosen is not None
    others = [move for move in plan.moves if move.vm != f"vm-{number}"]
    without = state_of(replayed(snap, others)).cost
    with_it = state_of(replayed(snap, plan.moves)).cost
    assert chosen.gain == pytest.approx(without - with_it, abs=1e-12)


def test_hosts_before_and_after_differ_by_the_vm() -> None:
    snap = uneven()
    insight = vm_insight(snap, first_moved(snap), KEEN)
    assert insight.source is not None
    assert insight.chosen is not None
    with_it, without = insight.source
    share = 1500.0 / 20_000.0
    assert with_it.cpu_ratio - without.cpu_ratio == pytest.approx(share)
    assert insight.chosen.after.cpu_ratio - insight.chosen.before.cpu_ratio == pytest.approx(share)
    assert with_it.vms - without.vms == 1


def test_the_next_best_target_is_the_best_of_those_not_chosen() -> None:
    snap = snapshot([*uneven().hosts, host(3), host(4)], uneven().vms)
    insight = vm_insight(snap, first_moved(snap), KEEN)
    second = insight.runner_up
    assert second is not None
    rest = [t for t in insight.targets if not t.is_chosen and is_lawful(t)]
    assert second.net == max(target.net for target in rest)


def test_one_pair_is_asked_every_law_in_order() -> None:
    insight = vm_insight(uneven(blockers=(Blocker.VGPU,)), 1, on=2)
    (target,) = insight.targets
    names = [gate.name for gate in target.gates]
    assert names == ["hold", *(law.name for law in ALL_LAWS), "failover", "threshold", "price"]
    assert target.refusal is not None
    assert target.refusal.reason is Reason.VGPU
    assert [gate.name for gate in target.gates if gate.now] == ["devices"]


def test_a_host_that_is_full_until_others_leave_is_closed_now_and_open_then() -> None:
    leaves = [vm(n, on=2, memory_mib=40_000.0, cpu_demand_mhz=9000.0) for n in (2, 3)]
    snap = snapshot([host(1), host(2), host(3)], [vm(1, on=1, memory_mib=20_000.0), *leaves])
    assert planned(snap).moves
    (target,) = vm_insight(snap, 1, on=2).targets
    assert target.refusal_now is not None
    assert target.refusal_now.reason is Reason.MEMORY_CEILING
    assert target.refusal is None or target.refusal.reason is not Reason.MEMORY_CEILING


def test_vms_that_are_kept_together_are_explained_together() -> None:
    pair = rule("pair", RuleType.AFFINITY, [1, 2])
    insight = vm_insight(replace(uneven(), rules=(pair,)), 1)
    assert insight.movers == ("vm-1", "vm-2")
    (target,) = insight.targets
    assert target.after.vms - target.before.vms == 2


@examples(60)
@given(snap=clusters(most_hosts=4, most_vms=6, is_plain=True))
def test_the_first_law_that_refuses_is_the_judges_own(snap: Snapshot) -> None:
    problem = desk_of(snap).problem
    placement = Placement(problem.ground)
    placement.begin_flights()
    in_rules = {vm for r in snap.rules for vm in r.vms}
    for one in snap.running_vms:
        if one.id in in_rules:
            continue
        insight = vm_insight(snap, int(one.id.removeprefix("vm-")))
        duty = snap.host_by_id[one.host].state is HostState.ENTERING_MAINTENANCE
        for target in insight.targets:
            asked = Candidate(vm=one.id, target=target.host, is_mandatory=duty)
            ours = next((g.now for g in target.gates if g.now and g.name != "hold"), None)
            theirs = judge_move(placement, asked)
            if theirs is not None:
                assert ours == theirs


def test_a_host_shows_what_leaves_and_comes_with_the_plans_own_moves() -> None:
    snap = uneven()
    moves = planned(snap, KEEN).moves
    source, target = host_insight(snap, 1, KEEN), host_insight(snap, 2, KEEN)
    assert source.leaving == moves == target.arriving
    assert source.before.vms - source.after.vms == len(moves)
    assert source.may_leave == 8 - len(moves)
    assert source.cannot_leave == ()


def test_a_host_lists_what_cannot_leave_and_what_cannot_come_by_reason() -> None:
    hosts = [host(1), host(2, networks=frozenset())]
    vms = [
        vm(1, on=1, blockers=(Blocker.VGPU,)),
        vm(2, on=1, networks=frozenset({"n"})),
        vm(3, on=1),
        vm(4, on=2),
    ]
    snap = snapshot(hosts, vms)
    assert [r.reason for r in host_insight(snap, 1).cannot_leave] == [Reason.VGPU, Reason.NETWORK]
    insight = host_insight(snap, 2)
    assert [r.reason for r in insight.cannot_come] == [Reason.VGPU, Reason.NETWORK]
    assert insight.may_come == 1
    assert insight.host == HostId("host-2")


@pytest.mark.parametrize(
    ("of_host", "of_policy", "most"),
    [(None, None, None), (6, None, 6), (None, 5, 5), (6, 5, 5), (4, 5, 4)],
    ids=["no limit", "the host's", "the policy's", "the policy's is lower", "the host's is lower"],
)
def test_a_host_is_filled_to_the_lower_of_its_own_limit_of_vms_and_the_policys(
    of_host: int | None, of_policy: int | None, most: int | None
) -> None:
    snap = snapshot([host(1, max_running_vms=of_host), host(2)], [vm(1, on=1)])
    policy = Policy(thresholds=Thresholds(vms_per_host=of_policy))
    assert host_insight(snap, 1, policy).most_vms == most


def test_a_host_to_be_emptied_names_what_is_stuck() -> None:
    leaving = host(1, state=HostState.ENTERING_MAINTENANCE)
    vms = [vm(1, on=1, blockers=(Blocker.SRIOV,)), vm(2, on=1), vm(3, on=2)]
    insight = host_insight(snapshot([leaving, host(2)], vms), 1)
    assert [move.vm for move in insight.leaving] == ["vm-2"]
    assert [(r.vm, r.reason) for r in insight.cannot_leave] == [("vm-1", Reason.SRIOV)]
    assert [r.reason for r in insight.cannot_come] == [Reason.TARGET_HOST_STATE]
