"""Survival of host failures: the planner's arrays agree with the judge, and no plan loses a failure by choice."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from balancer.assess.need import assess
from balancer.model.need import Holds
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId
from balancer.plan import PlanSettings
from balancer.plan.failover import Failover
from balancer.plan.problem import compile_problem
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy, Thresholds
from balancer.rules.failover import losses, lost_by_choice
from balancer.rules.placement import Ground, Placement
from tests.support.clusters import clusters
from tests.support.replay import replayed
from tests.support.searching import examples

EAGER = Policy(
    thresholds=Thresholds(
        cpu_ceiling=0.95,
        memory_ceiling=1.0,
        cpu_contention=0.7,
        balance_trigger=0.02,
        balance_target=0.01,
    )
)

HAS = st.sampled_from(
    [
        Ha(enabled=True, host_failures_to_tolerate=1),
        Ha(enabled=True, host_failures_to_tolerate=1),
        Ha(enabled=True, host_failures_to_tolerate=2),
        Ha(enabled=True, memory_reserve_percent=34.0),
        Ha(enabled=True, failover_hosts=frozenset({HostId("host-2")})),
    ]
)


@st.composite
def guarded(draw: st.DrawFn) -> Snapshot:
    """Return a cluster whose HA promises something."""
    snap = draw(clusters(most_hosts=6, most_vms=16, is_plain=True))
    ha = draw(HAS)
    present = ha.failover_hosts & snap.host_by_id.keys()
    ha = replace(ha, failover_hosts=frozenset(present))
    return replace(snap, cluster=replace(snap.cluster, ha=ha))


@given(snap=guarded())
@examples(100)
def test_planner_and_judge_call_the_same_failures_lost(snap: Snapshot) -> None:
    need = assess(snap, EAGER, Holds())
    problem = compile_problem(need, EAGER)
    lost = Failover(problem).lost(problem.at)
    found = {host.id for host, is_lost in zip(problem.hosts, lost, strict=True) if is_lost}
    placement = Placement(Ground(snap, EAGER, need.demand))
    assert found == {loss.host for loss in losses(placement)}


@given(snap=guarded())
@examples(40)
def test_no_plan_loses_a_failure_by_choice_and_planning_again_plans_nothing(snap: Snapshot) -> None:
    plan = plan_snapshot(snap, EAGER, settings=PlanSettings())
    assert lost_by_choice(assess(snap, EAGER, Holds()), EAGER, plan.moves) == ()
    if not plan.conflicts and not any("unreachable" in str(r) for r in plan.refusals):
        again = plan_snapshot(replayed(snap, plan.moves), EAGER, settings=PlanSettings())
        assert again.moves == ()
