"""When something is done for the load: never for what passes, and never for less than it costs."""

from dataclasses import replace

from hypothesis import given, settings

from balancer.assess.bargain import FOR_LOAD
from balancer.model.decision import Answer
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Limits, Policy, Thresholds
from tests.support.clusters import clusters

EAGER = Policy(
    thresholds=Thresholds(cpu_contention=0.7, balance_trigger=0.02, balance_target=0.01),
    limits=Limits(fresh_hosts_ratio=0.0, fresh_vms_ratio=0.0),
)
QUICK = PlanSettings(refine_rounds=50, polish_windows=0)
STEP_S, STEPS = 300.0, 3


def planned(snap: Snapshot, policy: Policy = EAGER, *, seed: int = 0) -> Plan:
    return plan_snapshot(snap, policy, settings=replace(QUICK, seed=seed))


def remembering(snap: Snapshot, *factors: float) -> Snapshot:
    """Return a snapshot in which the VMs wanted so many times of what they want now, oldest first."""
    wanted = {one.id: 0.0 for one in snap.hosts}
    for one in snap.running_vms:
        wanted[one.host] += one.cpu_demand_mhz or 0.0
    hosts = tuple(
        replace(one, recent_cpu_mhz=tuple(factor * wanted[one.id] for factor in factors))
        for one in snap.hosts
    )
    return replace(snap, hosts=hosts, recent_step_seconds=STEP_S)


@given(snap=clusters(most_hosts=4, most_vms=10, is_plain=True))
@settings(max_examples=40, deadline=None)
def test_every_plan_says_why_and_what_it_brings(snap: Snapshot) -> None:
    plan = planned(snap)
    assert plan.decision is not None
    bargain, moves = plan.decision.bargain, [m for m in plan.moves if m.reason in FOR_LOAD]
    assert (bargain is None) == (not moves)
    for reading in (plan.decision.contention, plan.decision.balance):
        assert isinstance(reading.answer, Answer)
        assert reading.now >= 0.0 < reading.trigger
        assert not (reading.answer.acts and reading.now <= reading.trigger)
    if bargain is not None:
        assert bargain.moves == len(moves)
        assert bargain.copy_s > 0.0 < bargain.price


@given(snap=clusters(most_hosts=4, most_vms=10, is_plain=True))
@settings(max_examples=60, deadline=None)
def test_the_moves_for_the_load_gain_more_than_their_price(snap: Snapshot) -> None:
    plan = planned(snap)
    assert plan.decision is not None
    assert plan.decision.bargain is None or plan.decision.bargain.is_worth_it
