"""Which goals facts are fit for: none when stale or partial, only the mandatory ones when hosts are lost.

Where it is not known what a must of the policy speaks of, evacuations alone: they are asked for by people.
"""

from collections.abc import Sequence
from dataclasses import replace

from balancer.model.reasons import UNFIT, Reason, Refusal
from balancer.policy.types import Goals

NO_GOALS = Goals(
    evacuation=False,
    rules=False,
    contention=False,
    balance=False,
    vm_count=False,
    consolidation=False,
)


def fit_goals(goals: Goals, unfit: Sequence[Refusal]) -> Goals:
    """Return the goals that may be pursued, given what the quality gates said."""
    reasons = {refusal.reason for refusal in unfit}
    if reasons & UNFIT:
        return NO_GOALS
    if Reason.FACTS_UNKNOWN in reasons:
        return replace(NO_GOALS, evacuation=goals.evacuation)
    if Reason.HOSTS_LOST in reasons:
        return replace(goals, contention=False, balance=False, vm_count=False, consolidation=False)
    return goals
