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
from balancer.collect import Observation, judge_quality, observe
from balancer.execute import execute
from balancer.execute.budgets import admit
from balancer.execute.settle import settle
from balancer.model.errors import PlanInvalid
from balancer.model.events import CycleEnded, PlanMade, SnapshotTaken
from balancer.model.fingerprint import fingerprint
from balancer.model.need import Need
from balancer.model.outcome import JournalRow, MoveOutcome
from balancer.model.plan import Draft, Incident, Plan, Schedule
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.stopwatch import Stopwatch
from balancer.plan import PlanSettings, make_draft, only_mandatory
from balancer.plan.verify import verify
from balancer.policy.in_force import InForce, mode_in_force
from balancer.policy.mode import Mode
from balancer.policy.resolve import resolve
from balancer.policy.types import Policy
from balancer.rules.failover import lost_by_choice
from balancer.sequence import make_schedule
from balancer.site import Site
from balancer.version import VERSION

log = logging.getLogger(__name__)

PLANNING_TRIES = 3
"""How often a plan is made anew when some of its moves cannot be put into a safe order."""

JOURNAL_LOOKBACK = timedelta(days=7)
"""How much history decides on holds and budgets; no quarantine lasts longer."""


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
        snapshot,
        site.policy,
        settings=site.settings,
        rows=rows,
        in_force=site.in_force(snapshot),
        unfit=seen.unfit,
    )
    watch.lap("plan")
    for told in plan.incidents:
        log.warning("solver failed, plan goes on without it", extra=asdict(told))
    tools.events.tell(SnapshotTaken(snapshot=snapshot, state=plan.before, asked_at=asked_at))
    tools.events.tell(PlanMade(plan=plan))
    held = site.why_not_executed(snapshot)
    if held is not None:
        facts = {"reason": held.reason, "detail": held.detail, "moves": len(plan.moves)}
        log.info("plan not carried out", extra=facts)
    tools = site.tools_for(snapshot)
    outcomes = () if held else execute(plan, snapshot, site.policy, tools, cycle_id=cycle_id)
    watch.lap("execute")
    tools.events.tell(CycleEnded(plan=plan, outcomes=outcomes, phase_seconds=watch.laps, held=held))
    return CycleReport(seen=seen, plan=plan, outcomes=outcomes, held=held)


def plan_snapshot(
    snapshot: Snapshot,
    policy: Policy,
    *,
    settings: PlanSettings,
    rows: Sequence[JournalRow] = (),
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
    need, wanted = read_need(read, policy, unfit=unfit, rows=rows, now=now)
    watch.lap("assess")
    draft, schedule = _find_way(need, wanted, settings, watch)
    faults = verify(need, wanted, schedule.moves)
    watch.lap("verify")
    if faults:
        raise PlanInvalid(f"plan for {snapshot.cluster.name} is unsound: {'; '.join(faults[:5])}")
    mode = in_force or mode_in_force(policy, Mode.AUTOMATIC, now)
    mode, base = replace(mode, vm_modes=read.vm_modes), need.snapshot
    moves, waiting = admit(schedule.moves, base, policy.limits, rows, now=now, in_force=mode)
    found = Findings(
        draft=draft, schedule=schedule, moves=moves, unfit=unfit, waiting=waiting, in_force=mode
    )
    plan_id = fingerprint(snapshot, policy, settings, VERSION)
    plan = conclude(need, wanted, found, plan_id=plan_id, now=now, laps=watch.laps)
    return replace(plan, notes=tuple(map(str, read.notes)))


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
