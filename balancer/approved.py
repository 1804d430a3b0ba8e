"""One earlier plan carried out: collect, settle, review, hold it against the facts, execute.

The cycle for plans that a person approved or hands in. It differs from `cycle` in where the plan comes from, and
in that a person's word stands behind it: modes that wait for one let it through, nothing else does.
"""

import logging
from dataclasses import dataclass, replace

from balancer.adapters.files.plan_values import plan_from_bytes
from balancer.collect import Observation
from balancer.cycle import CycleReport, look
from balancer.execute import Tools, execute
from balancer.execute.budgets import admit
from balancer.execute.judging import note_batch
from balancer.execute.verdict import after_verdicts
from balancer.fit import Fit, Moment, fit
from balancer.model.audit import AuditNote
from balancer.model.control import Approval, StoredPlan
from balancer.model.digest import SHOWN_DIGITS, plan_digest
from balancer.model.errors import InputError, PlanRefused
from balancer.model.events import CycleEnded, PlanMade, Trigger
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.stopwatch import Stopwatch
from balancer.policy.resolve import resolve
from balancer.site import Site

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A cluster as it is now, and why nothing may be sent there, if so."""

    seen: Observation
    past: Past
    held: Refusal | None

    @property
    def snapshot(self) -> Snapshot:
        """Return the snapshot."""
        return self.seen.snapshot


def by_a_persons_word(site: Site) -> Site:
    """Return the site for plans behind which a person stands: older ones count, and modes let them through."""
    limits = site.policy.limits
    aged = replace(site.policy, limits=replace(limits, plan_age_s=limits.approved_plan_age_s))
    return replace(
        site,
        policy=aged,
        in_force=lambda snapshot: replace(site.in_force(snapshot), is_approved=True),
        tools=replace(site.tools, is_approved=True),
    )


def make_ready(site: Site) -> Ready:
    """Look at the cluster as a cycle does before it plans. Raises as `cycle.look`."""
    seen, past = look(site, Stopwatch())
    return Ready(seen=seen, past=past, held=site.why_not_executed(seen.snapshot, past))


def held_against(plan: Plan, site: Site, ready: Ready) -> Fit:
    """Return what of a plan still fits the cluster as it is now; nothing of one that is too old."""
    now, limits = site.tools.clock.now(), site.policy.limits
    age_s = abs((now - plan.created_at).total_seconds())
    if age_s > limits.plan_age_s:
        detail = (
            f"the plan was made {age_s:,.0f} s ago, and may be no older than {limits.plan_age_s:,.0f} s "
            "(approved_plan_age_s)"
        )
        refusal = Refusal.of(Reason.PLAN_TOO_OLD, detail)
        left_out = {move.id: refusal for move in plan.moves}
        return Fit(moves=(), left_out=left_out, changed=(refusal,))
    moment = Moment(
        snapshot=ready.snapshot,
        past=ready.past,
        unfit=ready.seen.unfit,
        now=ready.snapshot.taken_at,
    )
    return fit(plan, site.policy, moment)


def carry_out(plan: Plan, fitting: Fit, site: Site, ready: Ready, *, cycle_id: str) -> CycleReport:
    """Send what fits of a plan and what the budgets admit of that."""
    tools, watch = site.tools_for(ready.snapshot), Stopwatch()
    kept = _admitted(plan, fitting, site, ready)
    tools.events.tell(PlanMade(plan=kept, trigger=Trigger.APPROVAL))
    tools.chronicle.planned(kept, None, audit=tools.store, shard=tools.shard, at=tools.clock.now())
    outcomes = execute(kept, ready.snapshot, site.policy, tools, cycle_id=cycle_id)
    note_batch(kept, outcomes, tools, cycle_id=cycle_id)
    watch.lap("execute")
    tools.events.tell(CycleEnded(plan=kept, outcomes=outcomes, phase_seconds=watch.laps))
    return CycleReport(seen=ready.seen, plan=kept, outcomes=outcomes)


def _admitted(plan: Plan, fitting: Fit, site: Site, ready: Ready) -> Plan:
    """Return the plan with what the budgets admit of it; a person's word needs no trial of few moves first."""
    read, limits, now = (
        resolve(ready.snapshot, site.policy),
        site.policy.limits,
        ready.snapshot.taken_at,
    )
    modes = replace(site.in_force(ready.snapshot), vm_modes=read.vm_modes)
    in_force = after_verdicts(modes, ready.past, limits)
    moves, waiting = admit(
        fitting.moves,
        read.snapshot,
        limits,
        ready.past.rows,
        now=now,
        in_force=in_force,
    )
    left_out = tuple(dict.fromkeys(fitting.left_out.values()))
    return replace(plan, moves=moves, refusals=(*left_out, *waiting), mode=in_force.mode.value)


def run_approved(site: Site, *, cycle_id: str) -> CycleReport | None:
    """Carry out the oldest approved plan of a cluster, as far as it still fits; None where that cannot be now.

    The approval is used up before anything is sent. Where nothing at all may be sent at present, it stays.

    Raises:
        SourceError: the cluster could not be read; nothing was done.
        StoreError: the journal could not be read or written; nothing was done.
    """
    site = by_a_persons_word(site)
    ready, tools = make_ready(site), site.tools
    if ready.held:
        log.info(
            "approved plan waits", extra={"reason": ready.held.reason, "detail": ready.held.detail}
        )
        return None
    taken = tools.store.take_approval(tools.shard, at=tools.clock.now())
    if taken is None:
        return None
    approval, kept = taken
    try:
        plan = approved_plan(approval, kept)
    except (InputError, PlanRefused) as err:
        note_refused(tools, kept, str(err))
        return None
    fitting = held_against(plan, site, ready)
    for refusal in fitting.changed:
        note_refused(tools, kept, str(refusal))
    facts = {"plan": kept.id, "digest": kept.digest[:SHOWN_DIGITS], "approved_by": approval.by}
    log.info("approved plan", extra={**facts, "moves": len(plan.moves), "fit": len(fitting.moves)})
    return carry_out(plan, fitting, site, ready, cycle_id=cycle_id)


def approved_plan(approval: Approval, kept: StoredPlan) -> Plan:
    """Return the plan that was approved; raises `PlanRefused` where what is kept is not that one any more."""
    plan = plan_from_bytes(kept.document.encode(), name=f"plan {kept.id}")
    told = (plan_digest(plan), plan.id, plan.created_at)
    if told != (approval.digest, kept.plan_id, kept.made_at) or approval.digest != kept.digest:
        raise PlanRefused(
            f"plan {kept.id} is not what was approved: it was changed since. Nothing of it is carried out."
        )
    return plan


def note_refused(tools: Tools, kept: StoredPlan, why: str) -> None:
    """Write down that a plan, or part of it, is not carried out, and why."""
    log.warning("approved plan does not fit", extra={"plan": kept.id, "detail": why})
    note = AuditNote(
        at=tools.clock.now(),
        action="plan.refused",
        shard=kept.shard,
        subject=str(kept.id),
        reason=why,
        facts={"digest": kept.digest},
    )
    tools.store.note(note)
