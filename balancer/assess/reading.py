"""From facts and the journal to what a plan starts from: goals that the facts allow, holds, need."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from balancer.assess.goals import fit_goals
from balancer.assess.need import assess
from balancer.assess.stability import holds_from
from balancer.model.need import Need
from balancer.model.outcome import JournalRow
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy


def read_need(
    snapshot: Snapshot,
    policy: Policy,
    *,
    unfit: Sequence[Refusal],
    rows: Sequence[JournalRow],
    now: datetime,
) -> tuple[Need, Policy]:
    """Return the need and the policy without the goals for which the facts are unfit."""
    wanted = replace(policy, goals=fit_goals(policy.goals, unfit))
    holds = holds_from(snapshot, rows, policy.limits, now=now)
    return assess(snapshot, wanted, holds), wanted
