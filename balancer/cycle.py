"""One rebalance cycle, top to bottom: collect, assess, plan, sequence, verify, admit, execute.

The one place where the stages meet. Planning alone is `plan_snapshot`: it is given a snapshot and can
neither read nor write anything else, so that a dry run differs from a real one only in what is not called.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from balancer.assess.conclusion import Findings, conclude
from balancer.assess.reading import read_need
from balancer.collect import Observation, Sighting, judge_quality, observe
from balancer.execute import Tools, execute
from balancer.execute.budgets import admit
from balancer.execute.settle import settle
from balancer.model.errors import PlanInvalid
from balancer.model.events import CycleEnded, PlanMade, SnapshotTaken
from balancer.model.fingerprint import fingerprint
from balancer.model.need import Need
from balancer.model.outcome import JournalRow, MoveOutcome
from balancer.model.plan import Draft, Incident, Plan, Schedule
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.stopwatch import Stopwatch
from balancer.plan import PlanSettings, make_draft, only_mandatory
from balancer.plan.verify import verify
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.ports import ClusterRef
from balancer.rules.failover import lost_by_choice
from balancer.sequence import make_schedule
from balancer.version import VERSION

log = logging.getLogger(__name__)

PLANNING_TRIES = 3
"""How often a plan is made anew when some of its moves cannot be put into a safe order."""

JOURNAL_LOOKBACK = timedelta(days=7)
"""How much history decides on holds and budgets; no quarantine lasts longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One cluster as the daemon works on it."""

    cluster: ClusterRef
    policy: Policy
    mode: Mode
    settings: PlanSettings
    tools: Tools
    last: Sighting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """What one cycle found, planned and did. `held` says why a plan was not carried out."""

    seen: Observation
    plan: Plan
    outcomes: tuple[MoveOutcome, ...] = ()
    held: Refusal | None = None


def run_cycle(site: Site, *, cycle_id: str) -> CycleReport:
    """Run one cycle: read the cluster, settle what is open, plan, and carry out what may be.

    Raises:
        SourceError: the cluster could not be read; nothing was done.
        StoreError: the journal could not be read; nothing was done.
        PlanInvalid: the plan did not pass the independent check; nothing was done.
    """
    tools, watch = site.tools, Stopwatch()
    limits, last = site.policy.limits, site.last
    seen = observe(tools.inventory, site.cluster, clock=tools.clock, limits=limits, last=last)
    snapshot, asked_at = seen.snapshot, seen.sighting.moment.asked_at
    watch.lap("collect")
    settle(snapshot, site.policy, tools)
    since = asked_at - JOURNAL_LOOKBACK
    rows = tools.store.rows_since(tools.vcenter, site.cluster.id, since)
    plan = plan_snapshot(
        snapshot, site.policy, settings=site.settings, rows=rows, mode=site.mode, unfit=seen.unfit
    )
    watch.lap("plan")
    for told in plan.incidents:
        log.warning("solver failed, plan goes on without it", extra=asdict(told))
    tools.events.tell(SnapshotTaken(snapshot=snapshot, state=plan.before, asked_at=asked_at))
    tools.events.tell(PlanMade(plan=plan))
    held = _why_not_executed(site, snapshot, plan)
    if held is not None:
        log.info("plan not carried out", extra={"reason": held.reason, "moves": len(plan.moves)})
    outcomes = () if held else execute(plan, snapshot, site.policy, tools, cycle_id=cycle_id)
    watch.lap("execute")
    tools.events.tell(CycleEnded(plan=plan, outcomes=outcomes, phase_seconds=watch.laps))
    return CycleReport(seen=seen, plan=plan, outcomes=outcomes, held=held)


def plan_snapshot(
    snapshot: Snapshot,
    policy: Policy,
    *,
    settings: PlanSettings,
    rows: Sequence[JournalRow] = (),
    mode: Mode = Mode.AUTOMATIC,
    unfit: Sequence[Refusal] | None = None,
) -> Plan:
    """Plan one cluster from values alone. `unfit` is judged from the snapshot alone where not given.

    Raises:
        PlanInvalid: the plan did not pass the independent check.
    """
    now, watch = snapshot.taken_at, Stopwatch()
    unfit = judge_quality(snapshot, policy.limits, now=now) if unfit is None else tuple(unfit)
    need, wanted = read_need(snapshot, policy, unfit=unfit, rows=rows, now=now)
    watch.lap("assess")
    draft, schedule = _find_way(need, wanted, settings, watch)
    faults = verify(need, wanted, schedule.moves)
    watch.lap("verify")
    if faults:
        raise PlanInvalid(
            f"the plan for {snapshot.cluster.name} is unsound: {'; '.join(faults[:5])}"
        )
    moves, waiting = admit(schedule.moves, snapshot, policy.limits, rows, now=now, mode=mode)
    found = Findings(draft=draft, schedule=schedule, moves=moves, unfit=unfit, waiting=waiting)
    plan_id = fingerprint(snapshot, policy, settings, VERSION)
    return conclude(need, wanted, found, plan_id=plan_id, now=now, laps=watch.laps)


def _find_way(
    need: Need, policy: Policy, settings: PlanSettings, watch: Stopwatch
) -> tuple[Draft, Schedule]:
    """Plan and sequence; forbid pairs that cannot be reached; where drops cost HA its room, plan musts alone."""
    incidents: tuple[Incident, ...] = ()
    for _ in range(PLANNING_TRIES):
        draft = make_draft(need, policy, settings)
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


def _why_not_executed(site: Site, snapshot: Snapshot, plan: Plan) -> Refusal | None:
    """Return why a plan must stay on paper (S1), or None where it may be carried out."""
    if site.mode is Mode.OBSERVE:
        return Refusal.of(Reason.OBSERVE_MODE, f"{snapshot.cluster.name} is observed only")
    if snapshot.cluster.drs.acts_alone:
        return Refusal.of(Reason.DRS_AUTOMATED, "the cluster's own DRS is fully automated")
    return site.tools.may_submit()
