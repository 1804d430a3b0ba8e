"""One plan carried out at a person's command, in a process of its own beside the daemon.

Owns the order of the steps: wait for the lease, look, hold the plan against the facts, use up the decision, send.
Nothing is softened against the daemon's own cycles but the age of the plan and modes that wait for a person's word.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from balancer.approved import by_a_persons_word, carry_out, held_against, make_ready, note_refused
from balancer.control import By
from balancer.cycle import CycleReport
from balancer.fit import Fit
from balancer.model.control import Approval, StoredPlan
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import Seconds
from balancer.site import Site

WAITS_S: Seconds = 60.0
"""How long a command waits for the daemon to be done with a cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What came of it: a report of what was sent, or why nothing was. `fit`: None where that was not asked."""

    held: Refusal | None = None
    fit: Fit | None = None
    report: CycleReport | None = None


def wait_for_lease(site: Site, tell: Callable[[str], None]) -> Refusal | None:
    """Take the lease of the cluster once nobody else has it; return why it could not be had.

    The execution takes it over under the same holder. Raises `StoreError`.
    """
    tools = site.tools
    ends_s, has_told = tools.clock.monotonic() + WAITS_S, False
    while True:
        now = tools.clock.now()
        if tools.store.take_lease(tools.shard, tools.holder, at=now, lasts_s=tools.lease_s):
            return None
        if tools.clock.monotonic() >= ends_s:
            detail = (
                f"the daemon or another command acts on {tools.shard}, and was not done in {WAITS_S:.0f} s; "
                "try again, or pause the cluster and wait for its migrations"
            )
            return Refusal.of(Reason.LEASE_HELD, detail)
        if not has_told:
            tell(f"Another process acts on {tools.shard}; waiting up to {WAITS_S:.0f} s.")
            has_told = True
        stop = tools.may_submit()
        if stop:
            return stop
        tools.clock.sleep(1.0)


def apply(plan: Plan, kept: StoredPlan, site: Site, by: By, tell: Callable[[str], None]) -> Applied:
    """Carry out a whole plan, or nothing of it where a fact that it relies on has changed.

    `kept` is the plan as it is stored, with id 0 where it is not yet. What the budgets do not admit is left.

    Raises:
        SourceError: the cluster could not be read; nothing was sent.
        StoreError: the journal could not be read or written; nothing was sent.
    """
    site = by_a_persons_word(site)
    held = wait_for_lease(site, tell)
    if held:
        return Applied(held=held)
    ready = make_ready(site)
    if ready.held:
        return Applied(held=ready.held)
    fitting = held_against(plan, site, ready)
    if fitting.left_out:
        for refusal in fitting.changed:
            note_refused(site.tools, kept, str(refusal))
        return Applied(fit=fitting)
    _decide(kept, site, by)
    report = carry_out(plan, fitting, site, ready, cycle_id=secrets.token_hex(4))
    return Applied(fit=fitting, report=report)


def _decide(kept: StoredPlan, site: Site, by: By) -> None:
    """Write down that this person has this plan carried out now.

    Raises `StoreError` where somebody has decided on it meanwhile.
    """
    store, now = site.tools.store, site.tools.clock.now()
    number = kept.id or store.keep_plan(kept)
    ends = timedelta(seconds=site.policy.limits.approved_plan_age_s)
    decision = Approval(
        shard=kept.shard,
        plan=number,
        digest=kept.digest,
        by=by.actor,
        at=now,
        expires_at=kept.made_at + ends,
        reason=by.reason,
    )
    store.approve(replace(decision, used_at=now))
