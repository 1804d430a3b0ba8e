"""Planning one cluster from values alone: resolve, assess, plan, sequence, verify, admit.

The one planner of daemon, commands, tests and simulation. It is given a snapshot and can neither read nor
write anything else, so that a dry run differs from a real one only in what is not called.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from balancer.assess.brief import brief_of
from balancer.assess.conclusion import Findings, conclude
from balancer.assess.decision import decide
from balancer.assess.reading import read_need
from balancer.collect import judge_quality
from balancer.execute.budgets import admit
from balancer.execute.trial import trial_of
from balancer.execute.verdict import after_verdicts
from balancer.model.digest import marks_of
from balancer.model.errors import PlanInvalid
from balancer.model.need import Need
from balancer.model.past import Past
from balancer.model.plan import Draft, Incident, Plan, Schedule
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.stopwatch import Stopwatch
from balancer.plan import PlanSettings, only_mandatory
from balancer.plan.verify import verify
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy
from balancer.rules.failover import lost_by_choice
from balancer.sequence import make_schedule
from balancer.version import VERSION


class Planning(Protocol):
    """Who makes the plans of a daemon's cycles: this very process, or one that may crash without harm."""

    def prepare(self) -> None:
        """Be told that a plan will be asked for soon."""

    def plan(
        self,
        snapshot: Snapshot,
        policy: Policy,
        *,
        settings: PlanSettings,
        past: Past | None = None,
        in_force: InForce | None = None,
        unfit: Sequence[Refusal] | None = None,
    ) -> Plan:
        """Plan as `plan_snapshot` does; may also raise `PlanningFailed` and `PlanningStopped`."""

    def rest(self) -> None:
        """Let go of what has not been needed for long."""

    def close(self) -> None:
        """End at once what is being planned: nobody wants it any more."""


VERDICTS_SHOWN = 5
"""So many of the last batches' verdicts stand in a plan: those that the fallback to observing counts."""

PLANNING_TRIES = 3
"""How often a plan is made anew when some of its moves cannot be put into a safe order."""


def plan_snapshot(
    snapshot: Snapshot,
    policy: Policy,
    *,
    settings: PlanSettings,
    past: Past | None = None,
    in_force: InForce | None = None,
    unfit: Sequence[Refusal] | None = None,
) -> Plan:
    """Plan one cluster from values alone.

    What is not given is judged from these: `unfit` from the snapshot, `in_force` from the policy at the
    snapshot's time.

    Raises:
        PlanInvalid: the plan did not pass the independent check.
    """
    now, watch, read = snapshot.taken_at, Stopwatch(), resolve(snapshot, policy)
    gates = judge_quality(snapshot, policy.limits, now=now) if unfit is None else unfit
    unfit = (*gates, *read.unfit)
    trial = trial_of(past, policy.limits, now=now) if past else None
    past = past or Past()
    need, wanted = read_need(read, policy, unfit=unfit, past=past, now=now)
    watch.lap("assess")
    draft, schedule = _find_way(need, wanted, settings, watch)
    faults = verify(need, wanted, schedule.moves)
    watch.lap("verify")
    if faults:
        raise PlanInvalid(f"plan for {snapshot.cluster.name} is unsound: {'; '.join(faults[:5])}")
    mode = in_force or mode_in_force(policy, Mode.AUTOMATIC, now)
    mode = after_verdicts(replace(mode, vm_modes=read.vm_modes), past, policy.limits)
    base = need.snapshot
    moves, waiting = admit(
        schedule.moves, base, policy.limits, past.rows, now=now, in_force=mode, trial=trial
    )
    found = Findings(
        draft=draft, schedule=schedule, moves=moves, unfit=unfit, waiting=waiting, in_force=mode
    )
    learnt = (need.paces,) if need.paces.is_known else ()
    plan_id = settings.identify(snapshot, policy, settings, VERSION, *learnt)
    plan = conclude(need, wanted, found, plan_id=plan_id, now=now, laps=watch.laps)
    decision = decide(need, wanted, policy.goals, draft, moves)
    brief = brief_of(need, wanted, plan, in_force=mode, rows=past.rows, now=now)
    brief = replace(brief, seed=settings.seed, time_limit_s=settings.time_limit_s)
    marks = marks_of(read.snapshot, plan.moves)
    told = tuple(verdict.told for verdict in past.verdicts[-VERDICTS_SHOWN:])
    return replace(
        plan,
        notes=tuple(map(str, read.notes)),
        rules=marks,
        verdicts=told,
        brief=brief,
        decision=decision,
    )


def _find_way(
    need: Need, policy: Policy, settings: PlanSettings, watch: Stopwatch
) -> tuple[Draft, Schedule]:
    """Plan and sequence; forbid pairs that cannot be reached; where drops cost HA its room, plan musts alone."""
    incidents: tuple[Incident, ...] = ()
    for _ in range(PLANNING_TRIES):
        draft = settings.search(need, policy, settings)
        watch.lap("search")
        schedule = make_schedule(need, policy, draft, certify=settings.prover)
        incidents += draft.incidents + schedule.incidents
        watch.lap("sequence")
        dead = {(r.vm, r.host): r for r in schedule.dropped if r.vm and r.host}
        if not dead:
            break
        need = replace(need, holds=need.holds.without_pairs(dead))
    if dead and lost_by_choice(need, policy, schedule.moves):
        draft, schedule = _find_way(only_mandatory(need), policy, settings, watch)
        incidents += draft.incidents
    return replace(draft, incidents=incidents), schedule


class PlansHere:
    """A `Planning` in this very process: for tests, demonstrations, and where a crash harms nobody else."""

    def prepare(self) -> None:
        """Do nothing: what is loaded here is not loaded beside."""

    def plan(
        self,
        snapshot: Snapshot,
        policy: Policy,
        *,
        settings: PlanSettings,
        past: Past | None = None,
        in_force: InForce | None = None,
        unfit: Sequence[Refusal] | None = None,
    ) -> Plan:
        """Plan with `plan_snapshot`."""
        return plan_snapshot(
            snapshot, policy, settings=settings, past=past, in_force=in_force, unfit=unfit
        )

    def rest(self) -> None:
        """Hold nothing."""

    def close(self) -> None:
        """Do nothing: a plan that is being made here ends by its time limit."""
