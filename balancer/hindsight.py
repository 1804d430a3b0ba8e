"""What a finished plan was made from, for those that say more than the plan does."""

from dataclasses import replace

from balancer.assess.reading import read_need
from balancer.collect.quality import judge_quality
from balancer.model.need import Need
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy


def need_behind(
    plan: Plan, snapshot: Snapshot, policy: Policy, past: Past | None = None
) -> tuple[Need, Policy]:
    """Return the need and the policy that a dry run's plan answers.

    Pairs that the sequencing could not reach are ruled out, as they were when the plan was made.
    """
    now = snapshot.taken_at
    resolved = resolve(snapshot, policy)
    unfit = (*judge_quality(snapshot, policy.limits, now=now), *resolved.unfit)
    need, wanted = read_need(resolved, policy, unfit=unfit, past=past or Past(), now=now)
    dead = {
        (refusal.vm, refusal.host): refusal
        for refusal in plan.refusals
        if refusal.reason is Reason.UNREACHABLE and refusal.vm and refusal.host
    }
    return replace(need, holds=need.holds.without_pairs(dead)), wanted
