"""What people asked of a running balancer: pauses, evacuations, approvals of plans. Values only.

A shard is one cluster as the configuration names it, "vcenter/cluster"; an empty one stands for all.
"""

from dataclasses import dataclass
from datetime import datetime

from balancer.model.units import HostId


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is submitted on a shard (empty: on none at all) until somebody resumes it. `id` 0: not stored yet."""

    id: int = 0
    shard: str
    by: str
    at: datetime
    reason: str = ""
    ended_at: datetime | None = None
    ended_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evacuation:
    """A host that is to be emptied and kept empty until the request is ended."""

    id: int = 0
    shard: str
    host: HostId
    host_name: str
    by: str
    at: datetime
    reason: str = ""
    ended_at: datetime | None = None
    ended_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan as it was made. `document` is its plan v1 JSON, `digest` what an approval is bound to.

    `plan_id` names what went in, and may come back in a later cycle; `digest` covers the moves and their order.
    """

    id: int = 0
    shard: str
    plan_id: str
    digest: str
    made_at: datetime
    status: str
    moves: int
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's yes (or, with `rejected`, no) to one plan. Used once, and not after `expires_at`."""

    id: int = 0
    shard: str
    plan: int  # StoredPlan.id
    digest: str
    by: str
    at: datetime
    expires_at: datetime
    rejected: bool = False
    reason: str = ""
    used_at: datetime | None = None

    def is_usable_at(self, now: datetime) -> bool:
        """Whether it is a yes that was not used and has not expired."""
        return not self.rejected and self.used_at is None and now < self.expires_at
