"""The kept plans as a table for a terminal or a pipe, and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from balancer.expose.escape import visible
from balancer.expose.figures import timestamp
from balancer.expose.text_layout import fit, widest
from balancer.model.control import Approval, StoredPlan
from balancer.model.digest import SHOWN_DIGITS

SCHEMA = "balancer/plans/v1"

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A kept plan, the word for how it stands, the decision on it, and until when it can be approved."""

    plan: StoredPlan
    state: str
    decision: Approval | None
    expires_at: datetime


def plans_text(rows: Sequence[PlanRow], *, width: int) -> str:
    """Return the plans as a table, newest first."""
    if not rows:
        return "No plan is kept yet: the daemon keeps the plans of its cycles that have moves.\n"
    shards = [visible(row.plan.shard) for row in rows]
    wide = widest([*shards, "cluster"], least=7, most=max(width - 78, 12))
    head = f"{'no':>6}  {'digest':<{SHOWN_DIGITS}}  {fit('cluster', wide)}  {'made (UTC)':<16}  moves  state"
    lines = [head]
    for row, shard in zip(rows, shards, strict=True):
        plan = row.plan
        lines.append(
            f"{plan.id:>6}  {plan.digest[:SHOWN_DIGITS]}  {fit(shard, wide)}  "
            f"{plan.made_at:%Y-%m-%d %H:%M}  {plan.moves:>5}  {_state(row)}"
        )
    return "\n".join(lines) + "\n"


def _state(row: PlanRow) -> str:
    decision = row.decision
    if decision is not None:
        because = f": {decision.reason}" if decision.reason else ""
        return visible(f"{row.state}, by {decision.by}{because}")
    if row.state == "waiting":
        return f"waiting until {row.expires_at:%H:%M:%S}"
    return row.state


def plans_document(rows: Sequence[PlanRow]) -> Json:
    """Return the plans as JSON, newest first."""
    return {"schema": SCHEMA, "plans": [_entry(row) for row in rows]}


def _entry(row: PlanRow) -> Json:
    plan, decision = row.plan, row.decision
    entry: Json = {
        "number": plan.id,
        "digest": plan.digest,
        "id": plan.plan_id,
        "cluster": plan.shard,
        "made_at": timestamp(plan.made_at),
        "expires_at": timestamp(row.expires_at),
        "status": plan.status,
        "moves": plan.moves,
        "state": row.state,
    }
    if decision is None:
        return entry
    told: Json = {"by": decision.by, "at": timestamp(decision.at), "rejected": decision.rejected}
    if decision.reason:
        told["reason"] = decision.reason
    if decision.used_at:
        told["used_at"] = timestamp(decision.used_at)
    return entry | {"decision": told}
