"""A row of the journal with all that is remembered around it. Values only."""

from dataclasses import dataclass

from balancer.model.control import Approval, StoredPlan
from balancer.model.outcome import JournalRow, JournalStep
from balancer.model.past import Quarantine, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RowStory:
    """A row, the states it went through, the plan and approval behind it, and what was learnt from it."""

    row: JournalRow
    steps: tuple[JournalStep, ...]
    plan: StoredPlan | None = None
    approval: Approval | None = None
    verdict: Verdict | None = None
    quarantines: tuple[Quarantine, ...] = ()
