"""Keeps the plans that cycles make, so that people can look them up, approve them, and see later what was meant.

A cycle that cannot keep its plan goes on: what may not happen unwritten is a move, and the journal sees to that.
"""

import logging

from balancer.execute import Tools
from balancer.expose.document import kept_text, plan_document
from balancer.expose.origin import Origin
from balancer.model.control import StoredPlan
from balancer.model.digest import plan_digest
from balancer.model.errors import StoreError
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.policy.types import Policy

KEPT = Origin(is_kept=True)

log = logging.getLogger(__name__)


def keep(plan: Plan, snapshot: Snapshot, tools: Tools, *, policy: Policy | None = None) -> int:
    """Keep a plan that has moves, or that amounts to something else than the last one; return its number, or 0."""
    try:
        last = tools.store.plans(tools.shard, last=1)
        if not plan.moves and last and (last[0].status, last[0].moves) == (plan.status.value, 0):
            return 0
        return tools.store.keep_plan(stored(plan, snapshot, tools.shard, policy=policy))
    except StoreError as err:
        log.error("plan not kept", extra={"error": str(err)})
        return 0


def stored(
    plan: Plan, snapshot: Snapshot, shard: str, *, policy: Policy | None = None
) -> StoredPlan:
    """Return a plan as it is kept."""
    return StoredPlan(
        shard=shard,
        plan_id=plan.id,
        digest=plan_digest(plan),
        made_at=plan.created_at,
        status=plan.status.value,
        moves=len(plan.moves),
        document=kept_text(plan_document(plan, snapshot, policy=policy, origin=KEPT)),
    )
