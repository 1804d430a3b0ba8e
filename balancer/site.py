"""One cluster as a cycle works on it, and what holds there: mode, windows, account, DRS, a stop request.

Owns why a plan must stay on paper, and why one of its moves must. Between the daemon that puts it together
and the cycle that asks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from balancer.collect import Sighting
from balancer.execute import Tools
from balancer.execute.gates import why_closed
from balancer.execute.tools import MayMove, may_always
from balancer.foresight import Foresight, NoForesight
from balancer.model.past import Past
from balancer.model.plan import Move
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import Planning, PlansHere
from balancer.policy.in_force import InForce
from balancer.policy.types import Policy
from balancer.ports import ClusterRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One cluster as the daemon works on it. `barred` says why its account must not act, where it must not.

    `policy` is what the cycle plans with. `in_force` is asked anew each time: it answers for that moment, as does
    `may_move` of one move.
    """

    cluster: ClusterRef
    policy: Policy
    in_force: Callable[[Snapshot], InForce]
    settings: PlanSettings
    tools: Tools
    last: Sighting | None = None
    barred: Refusal | None = None
    may_move: MayMove = may_always
    planning: Planning = field(default_factory=PlansHere)
    foresight: Foresight = field(default_factory=NoForesight)

    def why_not_executed(self, snapshot: Snapshot, past: Past) -> Refusal | None:
        """Return why a plan must stay on paper (S1), or None where it may be carried out."""
        held = self.in_force(snapshot).held
        if held:
            return held
        if snapshot.cluster.drs.acts_alone:
            return Refusal.of(Reason.DRS_AUTOMATED, "the cluster's own DRS is fully automated")
        closed = why_closed(past, self.policy.limits, now=self.tools.clock.now())
        return self.barred or closed or self.tools.may_submit()

    def tools_for(self, snapshot: Snapshot) -> Tools:
        """Return the tools of one execution: before each move it is asked anew what is in force."""

        def may_move(move: Move, is_mandatory: bool) -> Refusal | None:
            refusal = self.in_force(snapshot).refusal(move, is_mandatory=is_mandatory)
            return refusal or self.may_move(move, is_mandatory)

        return replace(self.tools, may_move=may_move)
