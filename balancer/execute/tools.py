"""What an execution works with: the ports, and the few facts that belong to the site rather than the plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from balancer.execute.chronicle import Chronicle
from balancer.execute.server_checks import ServerChecks
from balancer.execute.tenure import LASTS_S, Tenure
from balancer.execute.vigil import Vigil
from balancer.model.need import Demand
from balancer.model.plan import Move
from balancer.model.reasons import Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import Seconds, VmId
from balancer.policy.types import Policy
from balancer.ports import Clock, Events, Inventory, Migrator, Store

MayMove = Callable[[Move, bool], Refusal | None]
"""Answers why a move may not be made at this moment; told whether it is mandatory or serves one that is."""


def may_always(move: Move, is_mandatory: bool) -> Refusal | None:
    """Return that the move may be made."""
    del move, is_mandatory
    return None


HOLD_S: Seconds = 90.0
"""How long a VM that was perhaps sent stays held while vCenter shows nothing of it.

The deadline of the call (30 s) and a minute for vCenter to show the task.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The ports of one vCenter, handed from the composition root through the cycle.

    `may_submit` answers why nothing may be sent now (pause, stop, stale data), or None; `may_move` answers
    it of one move (mode, windows). Both are asked before every submit. `demand_of` is the same function that
    the assessment measures demand with. `checks` outlives the run: what vCenter's own check said a short
    time ago is not asked again. `vigil` outlives it too: how long the ends of rows have been waited for; and so
    does `chronicle`: what was told of a plan is not told again. `lease_s` is how long the cluster's lease lasts
    unless it is renewed, and so how long others wait after this process has died. `cluster_name` is the cluster as
    the configuration names it, `holder` names this process among those that may act on it. `is_approved` says that
    a person approved the plan: it frees VMs whose own mode waits for that.
    """

    vcenter: str
    cluster_name: str
    holder: str
    inventory: Inventory
    migrator: Migrator
    store: Store
    clock: Clock
    events: Events
    may_submit: Callable[[], Refusal | None]
    demand_of: Callable[[Snapshot, Policy], Mapping[VmId, Demand]]
    poll_s: Seconds = 1.0
    hold_s: Seconds = HOLD_S
    lease_s: Seconds = LASTS_S
    may_move: MayMove = may_always
    checks: ServerChecks = field(default_factory=ServerChecks)
    vigil: Vigil = field(default_factory=Vigil)
    is_approved: bool = False
    chronicle: Chronicle = field(default_factory=Chronicle)

    @property
    def shard(self) -> str:
        """Return what leases, pauses and plans of this cluster go by."""
        return f"{self.vcenter}/{self.cluster_name}"

    def tenure(self) -> Tenure:
        """Return the lease of this cluster, not yet taken."""
        return Tenure(
            self.store,
            self.clock,
            shard=self.shard,
            holder=self.holder,
            lasts_s=self.lease_s,
        )
