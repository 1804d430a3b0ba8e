"""From facts and the journal to what a plan starts from: rules, goals that the facts allow, holds, need."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from balancer.assess.goals import fit_goals
from balancer.assess.need import assess
from balancer.assess.stability import holds_from
from balancer.model.need import Need
from balancer.model.outcome import JournalRow
from balancer.model.reasons import Refusal
from balancer.policy.resolved import Resolved
from balancer.policy.types import Policy


def read_need(
    resolved: Resolved,
    policy: Policy,
    *,
    unfit: Sequence[Refusal],
    rows: Sequence[JournalRow],
    now: datetime,
) -> tuple[Need, Policy]:
    """Return the need and the policy without the goals for which the facts are unfit.

    `resolved` is the snapshot as this policy reads it; `unfit` are all reasons why it is fit for less.
    """
    wanted = replace(policy, goals=fit_goals(policy.goals, unfit))
    holds = holds_from(resolved.snapshot, rows, policy.limits, now=now)
    return assess(resolved.snapshot, wanted, replace(holds, excluded=resolved.excluded)), wanted
