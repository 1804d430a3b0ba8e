"""From facts and the journal to what a plan starts from: goals that the facts allow, holds, need."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from balancer.assess.goals import fit_goals
from balancer.assess.need import assess
from balancer.assess.stability import holds_from
from balancer.model.goal import Goal
from balancer.model.need import NO_EXCLUSIONS, Need
from balancer.model.outcome import JournalRow
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.policy.types import Policy


def read_need(
    snapshot: Snapshot,
    policy: Policy,
    *,
    unfit: Sequence[Refusal],
    rows: Sequence[JournalRow],
    now: datetime,
    excluded: Mapping[Goal, Mapping[VmId, Refusal]] = NO_EXCLUSIONS,
) -> tuple[Need, Policy]:
    """Return the need and the policy without the goals for which the facts are unfit.

    `excluded` are the VMs that rules and tags leave alone, by goal.
    """
    wanted = replace(policy, goals=fit_goals(policy.goals, unfit))
    holds = holds_from(snapshot, rows, policy.limits, now=now)
    holds = replace(holds, excluded=excluded)
    return assess(snapshot, wanted, holds), wanted
