"""A host that a person asked to be emptied: its VMs leave, nothing comes, and every stage says the same of it."""

from dataclasses import replace

from balancer.model.host import HostState
from balancer.model.plan import MoveReason, PlanStatus, Priority
from balancer.model.reasons import Reason
from balancer.model.units import HostId
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.resolve import resolve
from balancer.policy.rule_types import PolicyRule, RuleKind
from balancer.policy.selector import Selector
from balancer.policy.types import Goals, Policy
from balancer.rules import Candidate, judge_move
from tests.support.builders import host, placement, snapshot, vm

ASKED = Policy(evacuating=frozenset({HostId("host-1")}))
THREE = snapshot([host(1), host(2), host(3)], [vm(n, on=n % 3 + 1) for n in range(9)])


def test_its_vms_leave_because_a_person_asked() -> None:
    plan = plan_snapshot(THREE, ASKED, settings=PlanSettings())
    assert plan.status is PlanStatus.PLANNED
    gone = {move.vm for move in plan.moves}
    assert gone == {one.id for one in THREE.vms if one.host == "host-1"}
    assert {move.reason for move in plan.moves} == {MoveReason.REQUESTED}
    assert {move.priority for move in plan.moves} == {Priority.HIGH}
    assert all("is to be emptied" in move.why for move in plan.moves)
    assert all(move.this_run for move in plan.moves)


def test_nothing_is_moved_to_it_and_the_words_say_why() -> None:
    read = resolve(THREE, ASKED).snapshot
    other = next(one.id for one in read.vms if one.host != "host-1")
    asked = Candidate(vm=other, target=HostId("host-1"), is_mandatory=True)
    refusal = judge_move(placement(read, ASKED), asked)
    assert refusal is not None
    assert refusal.reason is Reason.TARGET_HOST_STATE
    assert "asked to be emptied" in refusal.detail


def test_what_vsphere_says_of_it_is_not_changed() -> None:
    read = resolve(THREE, ASKED).snapshot
    assert {one.state for one in read.hosts} == {HostState.CONNECTED}


def test_once_cancelled_it_is_a_host_like_others() -> None:
    read = resolve(resolve(THREE, ASKED).snapshot, Policy()).snapshot
    assert read == THREE


def test_a_host_that_enters_maintenance_is_evacuated_for_vsphere_even_if_asked() -> None:
    entering = replace(THREE.hosts[0], state=HostState.ENTERING_MAINTENANCE)
    both = replace(THREE, hosts=(entering, *THREE.hosts[1:]))
    plan = plan_snapshot(both, ASKED, settings=PlanSettings())
    assert {move.reason for move in plan.moves} == {MoveReason.EVACUATE}


def test_a_vm_that_evacuations_leave_alone_stays_and_is_named() -> None:
    left = next(one for one in THREE.vms if one.host == "host-1")
    rule = PolicyRule(name="pets", kind=RuleKind.EXCLUDE, vms=Selector(names=(left.name,)))
    plan = plan_snapshot(THREE, replace(ASKED, rules=(rule,)), settings=PlanSettings())
    assert plan.status is PlanStatus.DEGRADED
    assert left.id not in {move.vm for move in plan.moves}
    assert any(left.id in conflict.vms for conflict in plan.conflicts)


def test_without_the_goal_of_evacuation_the_request_waits() -> None:
    plan = plan_snapshot(
        THREE, replace(ASKED, goals=Goals(evacuation=False)), settings=PlanSettings()
    )
    assert plan.moves == ()
