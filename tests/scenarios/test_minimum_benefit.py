"""Moves for balance are made together or not at all, by how much they lessen the imbalance."""

from dataclasses import replace

from balancer.model.host import HostState
from balancer.model.plan import MoveReason, Plan, PlanStatus
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy, Thresholds
from tests.support.builders import host, snapshot, vm
from tests.support.replay import replayed
from tests.unit.plan.explained import vm_insight


def lumpy() -> Snapshot:
    """Return two hosts whose loads can only be brought from 11 : 5 to 7 : 9."""
    vms = [vm(1, on=1, cpu_demand_mhz=4_000.0), vm(2, on=1, cpu_demand_mhz=7_000.0)]
    vms.append(vm(3, on=2, cpu_demand_mhz=5_000.0))
    return snapshot([host(1), host(2)], vms)


def planned(share: float, snap: Snapshot | None = None) -> Plan:
    policy = Policy(thresholds=Thresholds(minimum_benefit=share))
    return plan_snapshot(snap or lumpy(), policy, settings=PlanSettings())


def told(plan: Plan) -> list[Refusal]:
    return [one for one in plan.refusals if one.reason is Reason.NO_GAIN]


def test_enough_benefit_is_planned() -> None:
    plan = planned(0.3)
    assert {move.reason for move in plan.moves} == {MoveReason.BALANCE}
    assert not told(plan)
    assert plan.after.imbalance <= 0.7 * plan.before.imbalance


def test_too_little_benefit_is_not_planned_and_the_figures_are_told() -> None:
    best = planned(0.0)
    share = 1.0 - best.after.imbalance / best.before.imbalance
    plan = planned(share + 0.01)
    assert (plan.moves, plan.status) == ((), PlanStatus.BALANCED)
    (refusal,) = told(plan)
    assert "levelling would lower the imbalance from" in refusal.detail
    assert "is asked for" in refusal.detail
    assert "levelling would lower" in plan.reason


def test_exactly_the_benefit_asked_for_is_enough() -> None:
    best = planned(0.0)
    share = 1.0 - best.after.imbalance / best.before.imbalance
    assert planned(share).moves == best.moves


def test_an_explanation_tells_that_levelling_was_given_up() -> None:
    policy = Policy(thresholds=Thresholds(minimum_benefit=0.9))
    told = vm_insight(lumpy(), 1, policy).stays
    assert told is not None
    assert told.reason is Reason.NO_GAIN
    assert "at least 90 % is asked for" in told.detail


def test_relief_is_not_bound_by_it() -> None:
    vms = [vm(n, on=1, cpu_demand_mhz=6_000.0) for n in (1, 2, 3)]
    vms += [vm(4, on=2, cpu_demand_mhz=9_000.0)]
    plan = planned(1.0, snapshot([host(1), host(2)], vms))
    assert {move.reason for move in plan.moves} == {MoveReason.CONTENTION}


def test_the_result_planned_again_plans_nothing() -> None:
    for share in (0.0, 0.3, 0.6):
        first = planned(share)
        assert not planned(share, replayed(lumpy(), first.moves)).moves


def test_what_is_too_little_for_balance_does_not_touch_evacuations() -> None:
    leaving = replace(lumpy().hosts[0], state=HostState.ENTERING_MAINTENANCE)
    snap = replace(lumpy(), hosts=(leaving, *lumpy().hosts[1:]))
    assert {move.reason for move in planned(1.0, snap).moves} == {MoveReason.EVACUATE}
