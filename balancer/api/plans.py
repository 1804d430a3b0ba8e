"""Kept plans: listed, shown in each form, approved or rejected once."""

import json
from collections.abc import Sequence

from balancer import approvals
from balancer.api.answer import Answer, done
from balancer.api.plan_report import text_report
from balancer.api.scene import Scene, Watched
from balancer.approvals import KnownPlan, PlanState, find_plan, known_plans
from balancer.control import By, why_paused
from balancer.expose.figures import timestamp
from balancer.expose.plans_view import PlanRow, plans_document, plans_text
from balancer.model.digest import SHOWN_DIGITS
from balancer.model.errors import BalancerError, PlanRefused

MOST_PLANS = 200
"""Of each cluster, in one list."""

_NO_WIDTH = 100


def list_plans(
    scene: Scene, *, cluster: str | None = None, last: int = 20, waiting: bool = False
) -> Answer:
    """List the kept plans, newest first; with `waiting` those alone that can be approved now."""
    _, chosen = scene.chosen(cluster)
    now = scene.now()
    found = [known for one in chosen for known in plans_of(scene, one, last=last)]
    if waiting:
        found = [known for known in found if known.state_at(now) is PlanState.WAITING]
    rows = plan_rows(sorted(found, key=lambda known: -known.plan.id)[:last], scene)
    return Answer(
        document=plans_document(rows),
        text=lambda width: plans_text(rows, width=width or _NO_WIDTH),
    )


def plans_of(scene: Scene, cluster: Watched, *, last: int) -> tuple[KnownPlan, ...]:
    """Return the last plans of a cluster, newest first."""
    lasts_s = cluster.policy_at(scene.now()).limits.approval_s
    return known_plans(scene.store, cluster.shard, last=min(last, MOST_PLANS), lasts_s=lasts_s)


def plan_rows(found: Sequence[KnownPlan], scene: Scene) -> list[PlanRow]:
    """Return plans as they are listed."""
    now = scene.now()
    return [
        PlanRow(
            plan=known.plan,
            state=known.state_at(now).value,
            decision=known.decision,
            expires_at=known.expires_at,
        )
        for known in found
    ]


def kept_plan(scene: Scene, key: str) -> tuple[KnownPlan, Watched]:
    """Return the plan that a number or digest names, and its cluster.

    Raises:
        NotFound: there is no such plan, or its cluster is not configured any more.
        BalancerError: several digests begin so.
    """
    found = find_plan(scene.store, key, lasts_s=0.0)
    cluster = scene.of_shard(found.plan.shard)
    lasts_s = cluster.policy_at(scene.now()).limits.approval_s
    return find_plan(scene.store, str(found.plan.id), lasts_s=lasts_s), cluster


def approve(scene: Scene, by: By, *, plan: str) -> Answer:
    """Say yes to one plan, once. Raises `PlanRefused` where that cannot be said, and as `kept_plan`."""
    known, cluster = kept_plan(scene, plan)
    number, shard = known.plan.id, known.plan.shard
    mode = cluster.in_force(by.at).mode
    if not mode.may_act:
        raise PlanRefused(
            f"Cluster {shard} is in mode {mode}, in which nothing is moved. Set mode manual or a freer one, "
            "in the configuration and its policies; then approve the next plan."
        )
    decision = approvals.approve(scene.store, known, by)
    digest = known.plan.digest
    lines = [
        f"Approved plan {number} of {shard}: {known.plan.moves} moves, digest {digest[:SHOWN_DIGITS]}.",
        "The daemon carries it out now; what does not fit any more is left out.",
        f"If it cannot be begun by {approvals.clock(decision.expires_at)}, the approval ends.",
    ]
    newer = [one for one in scene.store.plans(shard, last=1) if one.id != number]
    if newer:
        lines.append(f"Plan {newer[0].id} is newer: see balancer plans.")
    paused = why_paused(scene.store, shard)
    if paused:
        lines.append(f"It waits: {paused.detail}. To go on: balancer resume.")
    return done(
        lines,
        action="approve",
        cluster=shard,
        plan=number,
        digest=digest,
        expires_at=timestamp(decision.expires_at),
        changed=True,
    )


def reject(scene: Scene, by: By, *, plan: str) -> Answer:
    """Say no to one plan, with a reason. Raises `PlanRefused` where it was decided on, and as `kept_plan`."""
    if not by.reason.strip():
        raise BalancerError(
            "A plan is rejected with a reason, for those who look later: none was given."
        )
    known, _ = kept_plan(scene, plan)
    approvals.reject(scene.store, known, by)
    number, shard = known.plan.id, known.plan.shard
    lines = [f"Rejected plan {number} of {shard}. The next cycle plans anew."]
    return done(
        lines, action="reject", cluster=shard, plan=number, digest=known.plan.digest, changed=True
    )


def show_plan(scene: Scene, *, plan: str) -> Answer:
    """Return one plan as it is kept, in a document, with its report as text. Raises as `find_plan`."""
    known = find_plan(scene.store, plan, lasts_s=0.0)
    document = json.loads(known.plan.document)
    seen = scene.seen(known.plan.shard)
    return Answer(
        document=document, text=lambda width: text_report(known.plan, seen, width or _NO_WIDTH)
    )
