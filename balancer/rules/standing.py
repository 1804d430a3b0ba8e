"""How good a placement is, as one comparable value: laws first, evacuations second, the objective third.

Every stage that must not make things worse compares these: planner, sequencing, independent check.
"""

from dataclasses import dataclass

from balancer.model.host import HostState
from balancer.model.units import VmId
from balancer.policy.objective import load_cost
from balancer.rules.placement import Placement
from balancer.rules.violations import breaches, violations

LEAVING = frozenset({HostState.ENTERING_MAINTENANCE, HostState.MAINTENANCE})
"""States of hosts that every movable VM must leave."""

TOLERANCE = 1e-9
"""Differences of the objective below this are rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Standing:
    """Lexicographic: broken must-rules, VMs still to be evacuated, objective (lower is better).

    Breaking is counted by rules and by `breaches`, so that spreading an oversize group is an improvement.
    """

    broken_rules: int
    breaches: int
    stranded_vms: int
    cost: float

    @property
    def laws(self) -> tuple[int, int, int]:
        """Return what counts before the objective: broken rules, breaches, stranded VMs."""
        return self.broken_rules, self.breaches, self.stranded_vms

    def is_worse_than(self, other: "Standing") -> bool:
        """Whether this is worse by more than rounding."""
        if self.laws != other.laws:
            return self.laws > other.laws
        return self.cost > other.cost + TOLERANCE


def standing(placement: Placement) -> Standing:
    """Return the standing of a placement; VMs on their way load both of their hosts."""
    broken = violations(placement)
    must = [violation for violation in broken if violation.mandatory]
    rules = [rule for rule in placement.ground.snapshot.active_rules() if rule.mandatory]
    policy = placement.ground.policy
    should_cost = policy.prices.soft_rule * (len(broken) - len(must))
    return Standing(
        broken_rules=len(must),
        breaches=sum(breaches(placement, rule) for rule in rules),
        stranded_vms=len(stranded(placement)),
        cost=load_cost(placement.host_arrays(), policy.thresholds) + should_cost,
    )


def stranded(placement: Placement) -> tuple[VmId, ...]:
    """Return the running VMs on hosts that must be left, by id, whether or not they can move."""
    leaving = [h.id for h in placement.ground.snapshot.hosts if h.state in LEAVING]
    return tuple(sorted(vm for host in leaving for vm in placement.present[host]))
