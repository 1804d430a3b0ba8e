"""One rebalance cycle, top to bottom: collect, settle, review, plan, execute.

The one place where the stages meet the outside. Planning alone, from values, is `planner.plan_snapshot`; where
that runs is the site's.
"""

import logging
from dataclasses import asdict, dataclass, replace

from balancer.collect import Observation, observe
from balancer.execute import execute
from balancer.execute.judging import note_batch
from balancer.execute.review import review
from balancer.execute.settle import settle
from balancer.keeping import keep
from balancer.model.events import ClusterRead, CycleEnded, ForecastJudged, PlanMade, SnapshotTaken
from balancer.model.outcome import MoveOutcome
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.reasons import Refusal
from balancer.model.stopwatch import Stopwatch
from balancer.site import Site

log = logging.getLogger(__name__)


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
        PlanningFailed: the process that plans crashed or hung; nothing was done.
        PlanningStopped: the daemon stops; nothing was done.
    """
    tools, watch = site.tools, Stopwatch()
    site.planning.prepare()
    seen, past = look(site, watch)
    snapshot, asked_at = seen.snapshot, seen.sighting.moment.asked_at
    plan = site.planning.plan(
        snapshot,
        site.policy,
        settings=site.settings,
        past=past,
        in_force=site.in_force(snapshot),
        unfit=seen.unfit,
    )
    watch.lap("plan")
    for told in plan.incidents:
        log.warning("solver failed, plan goes on without it", extra=asdict(told))
    tools.events.tell(SnapshotTaken(snapshot=snapshot, state=plan.before, asked_at=asked_at))
    tools.events.tell(PlanMade(plan=plan))
    keep(plan, snapshot, tools, policy=site.policy)
    held = site.why_not_executed(snapshot, past)
    if held is not None:
        facts = {"reason": held.reason, "detail": held.detail, "moves": len(plan.moves)}
        log.info("plan not carried out", extra=facts)
    tools.chronicle.planned(plan, held, audit=tools.store, shard=tools.shard, at=tools.clock.now())
    tools = site.tools_for(snapshot)
    outcomes = () if held else execute(plan, snapshot, site.policy, tools, cycle_id=cycle_id)
    note_batch(plan, outcomes, tools, cycle_id=cycle_id)
    watch.lap("execute")
    tools.events.tell(CycleEnded(plan=plan, outcomes=outcomes, phase_seconds=watch.laps, held=held))
    return CycleReport(seen=seen, plan=plan, outcomes=outcomes, held=held)


def look(site: Site, watch: Stopwatch) -> tuple[Observation, Past]:
    """Read the cluster, settle what is open, and go through what is remembered.

    Raises:
        SourceError: the cluster could not be read.
        StoreError: the journal could not be read or written.
    """
    tools, last = site.tools, site.last
    limits = site.policy.limits
    seen = observe(tools.inventory, site.cluster, clock=tools.clock, limits=limits, last=last)
    tools.events.tell(ClusterRead(snapshot=seen.snapshot))
    seen = replace(seen, snapshot=site.foresight.seen(seen.snapshot, site.policy))
    if site.foresight.errors:
        tools.events.tell(ForecastJudged(errors=site.foresight.errors))
    watch.lap("collect")
    settle(seen.snapshot, site.policy, tools)
    past = review(
        seen.snapshot,
        site.policy,
        tools,
        asked_at=seen.sighting.moment.asked_at,
        before=last.places if last else None,
        unfit=seen.unfit,
    )
    return seen, past
