"""How the cluster will stand when the wave in the making has ended, kept up to date move by move.

The same figures as `rules.standing`, computed from differences: whole recounts per tried move would
dominate the run time. Judges no move; answers only whether the end of the wave is worse than the start.
"""

from collections import defaultdict

from balancer.model.rule import Rule
from balancer.model.units import HostId, VmId
from balancer.policy.objective import load_cost
from balancer.rules.standing import TOLERANCE
from balancer.rules.violations import breaches
from balancer.sequence.origin import Origin
from balancer.sequence.units import Step, Unit

SHARE_OF_TOLERANCE = 0.5
"""We use half of what the independent check tolerates: the other half is for sums in another order."""


class Prospect:
    """The placement at the end of the wave. Migrations that were running before are left where they are."""

    def __init__(self, origin: Origin) -> None:
        ground = self._ground = origin.ground
        self._placement = origin.settled.copy()
        self._leaving = {h.id for h in ground.snapshot.hosts if h.is_leaving}
        self._rules = ground.snapshot.active_rules()
        self._rules_of: defaultdict[VmId, set[int]] = defaultdict(set)
        for index, rule in enumerate(self._rules):
            for vm in rule.vms:
                self._rules_of[vm].add(index)
        self._offending = [self._count(rule) for rule in self._rules]
        self._unread: set[int] = set()
        self._stranded = sum(len(self._placement.present[host]) for host in self._leaving)
        self._start_laws, self._start_cost = self._laws(), self._cost()

    def apply(self, unit: Unit) -> None:
        """Let the unit have moved."""
        for step in unit.steps:
            self._shift(step, step.source, step.target)

    def undo(self, unit: Unit) -> None:
        """Let the unit not have moved."""
        for step in unit.steps:
            self._shift(step, step.target, step.source)

    def is_worse(self) -> bool:
        """Whether this end would be worse than the start, lexicographically: laws, evacuations, cost."""
        laws = self._laws()
        if laws != self._start_laws:
            return laws > self._start_laws
        return self._cost() > self._start_cost + TOLERANCE * SHARE_OF_TOLERANCE

    def is_unlawful(self) -> bool:
        """Whether this end would be worse than the start by laws and evacuations, the cost left aside."""
        return self._laws() > self._start_laws

    def excess(self) -> float:
        """Return by how much the objective is above that of the start."""
        return self._cost() - self._start_cost

    def _shift(self, step: Step, source: HostId, target: HostId) -> None:
        self._placement.move(step.vm, target)
        self._stranded += (target in self._leaving) - (source in self._leaving)
        self._unread |= self._rules_of.get(step.vm, set())

    def _laws(self) -> tuple[int, int, int]:
        """Return broken must-rules, their breaches, and VMs still to be evacuated."""
        for index in self._unread:
            self._offending[index] = self._count(self._rules[index])
        self._unread.clear()
        pairs = zip(self._rules, self._offending, strict=True)
        must = [count for rule, count in pairs if rule.mandatory and count]
        return len(must), sum(must), self._stranded

    def _cost(self) -> float:
        policy = self._ground.policy
        pairs = zip(self._rules, self._offending, strict=True)
        soft = sum(rule.weight for rule, count in pairs if count and not rule.mandatory)
        levels = not policy.goals.consolidation
        load = load_cost(self._placement.host_arrays(), policy.thresholds, levels=levels)
        return load + policy.prices.soft_rule * soft

    def _count(self, rule: Rule) -> int:
        return breaches(self._placement, rule)
