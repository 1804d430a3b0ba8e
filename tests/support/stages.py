"""A need planned by all stages but the budgets: as `cycle.plan_snapshot` does, from a need made by hand."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from balancer.assess.conclusion import Findings, conclude
from balancer.assess.need import assess
from balancer.model.goal import Goal
from balancer.model.need import Holds, Need
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.plan import PlanSettings, make_draft
from balancer.plan.verify import verify
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.sequence import make_schedule
from tests.support.builders import NOON

Excluded = Mapping[Goal, Mapping[VmId, Refusal]]


def excluded(goals: Iterable[Goal], *numbers: int) -> Excluded:
    """Return vm-N of the given numbers, left alone for the goals."""
    vms = {
        VmId(f"vm-{n}"): Refusal.of(Reason.EXCLUDED, "rule 'hands off'", vm=f"vm-{n}")
        for n in numbers
    }
    return MappingProxyType(dict.fromkeys(goals, MappingProxyType(vms)))


def need_with(snap: Snapshot, policy: Policy, left: Excluded) -> Need:
    """Return the need of a snapshot with VMs left alone."""
    return assess(snap, policy, Holds(excluded=left))


def planned_by_stages(need: Need, policy: Policy, settings: PlanSettings | None = None) -> Plan:
    """Return the plan for a need, verified."""
    settings = settings or PlanSettings()
    draft = make_draft(need, policy, settings)
    schedule = make_schedule(need, policy, draft)
    assert verify(need, policy, schedule.moves) == ()
    found = Findings(
        draft=draft,
        schedule=schedule,
        moves=schedule.moves,
        unfit=(),
        waiting=(),
        in_force=InForce(mode=Mode.AUTOMATIC),
    )
    return conclude(need, policy, found, plan_id="p", now=NOON, laps={})
