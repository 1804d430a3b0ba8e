"""What a finished plan was made from, read once more: for the commands that say more than the plan does."""

from dataclasses import replace

from balancer.assess.reading import read_need
from balancer.collect.quality import judge_quality
from balancer.model.need import Need
from balancer.model.plan import Plan
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy


def need_behind(plan: Plan, snapshot: Snapshot, policy: Policy) -> tuple[Need, Policy]:
    """Return the need and the policy that a dry run's plan answers.

    Pairs that the sequencing could not reach are ruled out, as they were when the plan was made.
    """
    now = snapshot.taken_at
    unfit = judge_quality(snapshot, policy.limits, now=now)
    need, wanted = read_need(snapshot, policy, unfit=unfit, rows=(), now=now)
    dead = {
        (refusal.vm, refusal.host): refusal
        for refusal in plan.refusals
        if refusal.reason is Reason.UNREACHABLE and refusal.vm and refusal.host
    }
    return replace(need, holds=need.holds.without_pairs(dead)), wanted
