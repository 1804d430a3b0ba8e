"""Emptying hosts on random clusters: sound, wholly or not at all, and planned again it is nothing."""

from dataclasses import replace

from hypothesis import given

from balancer.model.plan import MoveReason
from balancer.model.snapshot import Ha, Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Goals, Policy, Thresholds
from tests.support.clusters import clusters
from tests.support.replay import replayed
from tests.support.searching import examples

POLICY = Policy(
    goals=Goals(consolidation=True),
    thresholds=Thresholds(balance_trigger=0.02, balance_target=0.01, cpu_contention=0.8),
)


def emptied(snap: Snapshot) -> tuple[set[str], set[str]]:
    """Return the hosts that moves are to empty, and those of them that still run VMs."""
    plan = plan_snapshot(snap, POLICY, settings=PlanSettings())
    sources = {move.source for move in plan.moves if move.reason is MoveReason.CONSOLIDATE}
    return sources, sources & {load.id for load in plan.after.hosts if load.vms}


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@examples(70)
def test_a_host_is_emptied_wholly_or_not_at_all(snap: Snapshot) -> None:
    assert not emptied(snap)[1]


@given(snap=clusters(most_hosts=6, most_vms=12, is_plain=True))
@examples(60)
def test_with_ha_a_host_is_emptied_wholly_or_not_at_all(snap: Snapshot) -> None:
    ha = Ha(enabled=True, host_failures_to_tolerate=1)
    assert not emptied(replace(snap, cluster=replace(snap.cluster, ha=ha)))[1]


@given(snap=clusters(most_hosts=6, most_vms=16, is_plain=True))
@examples(70)
def test_the_result_planned_again_plans_nothing(snap: Snapshot) -> None:
    plan = plan_snapshot(snap, POLICY, settings=PlanSettings())
    again = plan_snapshot(replayed(snap, plan.moves), POLICY, settings=PlanSettings())
    assert [(m.vm, m.target, m.reason) for m in again.moves] == []
