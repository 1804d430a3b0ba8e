"""What people decide on plans, as functions over the store: find a plan, approve or reject it, say how it stands.

An approval is bound to the plan's digest, is used once, and ends a while after the plan was made. Decides nothing
about clusters: whether an approved plan still fits is asked when it is carried out.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from balancer.control import By
from balancer.model.control import Approval, StoredPlan
from balancer.model.errors import BalancerError, NotFound, PlanRefused
from balancer.model.reasons import Reason
from balancer.model.units import Seconds
from balancer.ports import Store

LEAST_PREFIX = 4
"""Fewer digits of a digest name no plan."""

MOST_LOOKED_AT = 200
"""How many of the newest plans a prefix is looked for in."""

MOST_NAMED = 8


class PlanState(StrEnum):
    """How a kept plan stands with people."""

    WAITING = "waiting"  # for a yes or no
    APPROVED = "approved"  # yes, not carried out yet
    USED = "used"  # yes, and begun
    REJECTED = "rejected"
    EXPIRED = "expired"  # nobody said yes in time, or the yes was not used in time
    UNASKED = "unasked"  # nothing in it waits for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPlan:
    """A kept plan, the decision on it if there is one, and until when it can be approved."""

    plan: StoredPlan
    decision: Approval | None
    expires_at: datetime

    def state_at(self, now: datetime) -> PlanState:
        """Return how it stands at an instant."""
        decision = self.decision
        if decision is None:
            if not awaits_approval(self.plan):
                return PlanState.UNASKED
            return PlanState.WAITING if now < self.expires_at else PlanState.EXPIRED
        if decision.rejected:
            return PlanState.REJECTED
        if decision.used_at:
            return PlanState.USED
        return PlanState.APPROVED if now < decision.expires_at else PlanState.EXPIRED


def awaits_approval(plan: StoredPlan) -> bool:
    """Whether anything in a plan was held back for want of an approval."""
    refusals = json.loads(plan.document).get("refusals", ())
    return any(refusal.get("reason") == Reason.NOT_APPROVED.value for refusal in refusals)


def known_plans(store: Store, shard: str, *, last: int, lasts_s: Seconds) -> tuple[KnownPlan, ...]:
    """Return the last plans of a shard (empty: of all) with their decisions, newest first. Raises `StoreError`."""
    plans = store.plans(shard, last=last)
    decided = {one.plan: one for one in store.approvals(shard, last=max(last, MOST_LOOKED_AT))}
    return tuple(_known(plan, decided.get(plan.id), lasts_s) for plan in plans)


def find_plan(store: Store, key: str, *, lasts_s: Seconds) -> KnownPlan:
    """Return the plan that a number, a digest or the beginning of one names.

    Raises:
        NotFound: there is none.
        BalancerError: several begin so.
        StoreError: the journal cannot be read.
    """
    word = key.strip().lower().removeprefix("#")
    exact = store.find_plan(word) if word else None
    if exact is not None and word in (str(exact.id), exact.digest):
        return _looked_up(store, exact, lasts_s)
    kept = store.plans("", last=MOST_LOOKED_AT)
    fitting = [plan for plan in kept if len(word) >= LEAST_PREFIX and plan.digest.startswith(word)]
    if len(fitting) == 1:
        return _looked_up(store, fitting[0], lasts_s)
    if fitting:
        raise BalancerError(
            f"The digests of {len(fitting)} plans begin with '{word}': {_named(fitting)}. "
            "Give the number, or more of the digest."
        )
    there = f"The newest are {_named(kept)}." if kept else "No plan is kept yet."
    raise NotFound(
        f"There is no plan '{key}'. A plan is named by its number or by at least {LEAST_PREFIX} digits "
        f"of its digest. {there}"
    )


def _looked_up(store: Store, plan: StoredPlan, lasts_s: Seconds) -> KnownPlan:
    decided = store.approvals(plan.shard, last=10**6)
    decision = next((one for one in decided if one.plan == plan.id), None)
    return _known(plan, decision, lasts_s)


def _known(plan: StoredPlan, decision: Approval | None, lasts_s: Seconds) -> KnownPlan:
    return KnownPlan(
        plan=plan, decision=decision, expires_at=plan.made_at + timedelta(seconds=lasts_s)
    )


def _named(plans: Iterable[StoredPlan]) -> str:
    listed = [f"{plan.id} ({plan.digest[:12]}, {plan.shard})" for plan in plans]
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(listed[:MOST_NAMED]) + more


def approve(store: Store, known: KnownPlan, by: By) -> Approval:
    """Say yes to one plan, once. Raises `PlanRefused` where that cannot be said any more."""
    refuse_decided(known, by.at)
    if known.plan.moves == 0:
        raise PlanRefused(
            f"Plan {known.plan.id} has no moves, so that there is nothing to approve."
        )
    if by.at >= known.expires_at:
        raise PlanRefused(
            f"Plan {known.plan.id} was made at {clock(known.plan.made_at)} and could be approved until "
            f"{clock(known.expires_at)} (approval_s of the policy). Approve the newest one: balancer plans."
        )
    return _decide(store, known, by, is_rejected=False)


def reject(store: Store, known: KnownPlan, by: By) -> Approval:
    """Say no to one plan. Raises `PlanRefused` where it was decided on already."""
    refuse_decided(known, by.at)
    return _decide(store, known, by, is_rejected=True)


def _decide(store: Store, known: KnownPlan, by: By, *, is_rejected: bool) -> Approval:
    plan = known.plan
    approval = Approval(
        shard=plan.shard,
        plan=plan.id,
        digest=plan.digest,
        by=by.actor,
        at=by.at,
        expires_at=known.expires_at,
        rejected=is_rejected,
        reason=by.reason,
    )
    store.approve(approval)
    return approval


def refuse_decided(known: KnownPlan, now: datetime) -> None:
    """Pass where nobody has decided on a plan yet; raises `PlanRefused` with what was decided."""
    decision, number = known.decision, known.plan.id
    if decision is None:
        return
    who = f"{decision.by} at {clock(decision.at)}"
    because = f" ({decision.reason})" if decision.reason else ""
    match known.state_at(now):
        case PlanState.REJECTED:
            told = f"was rejected by {who}{because}"
        case PlanState.USED:
            told = f"was approved by {who}, and carried out from {clock(decision.used_at or now)}"
        case PlanState.EXPIRED:
            told = f"was approved by {who}; that ended at {clock(decision.expires_at)} without being used"
        case _:
            told = f"is approved already, by {who}; it is carried out until {clock(decision.expires_at)}"
    raise PlanRefused(
        f"Plan {number} {told}. Each plan is decided on once: approve a newer one, see balancer plans."
    )


def usable(approvals: Iterable[Approval], shard: str, now: datetime) -> Approval | None:
    """Return the oldest approval of a shard that can be used now."""
    fitting = [one for one in approvals if one.shard == shard and one.is_usable_at(now)]
    return min(fitting, key=lambda one: (one.at, one.plan), default=None)


def clock(at: datetime) -> str:
    """Return an instant for people."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
