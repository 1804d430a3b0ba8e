"""How good a placement is, as one comparable value: laws first, evacuations second, the objective third.

Every stage that must not make things worse compares these: planner, sequencing, independent check.
"""

from collections import defaultdict
from dataclasses import dataclass

from balancer.model.units import VmId
from balancer.policy.objective import load_cost
from balancer.rules.placement import Placement
from balancer.rules.violations import breaches

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


class Scale:
    """Weighs one placement again and again while it changes; reads only the rules of VMs that were told of.

    The caller moves VMs in the placement and tells `touch` of each.
    """

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self._rules = placement.ground.snapshot.active_rules()
        self._rules_of: defaultdict[VmId, list[int]] = defaultdict(list)
        for number, rule in enumerate(self._rules):
            for vm in rule.vms:
                self._rules_of[vm].append(number)
        self._breaches = [breaches(placement, rule) for rule in self._rules]
        self._unread: set[int] = set()

    def touch(self, vm: VmId) -> None:
        """Have the rules of a VM read again."""
        self._unread.update(self._rules_of.get(vm, ()))

    def standing(self) -> Standing:
        """Return the standing of the placement as it is now."""
        for number in self._unread:
            self._breaches[number] = breaches(self.placement, self._rules[number])
        self._unread.clear()
        read = list(zip(self._rules, self._breaches, strict=True))
        must = [count for rule, count in read if rule.mandatory and count]
        policy = self.placement.ground.policy
        should = sum(rule.weight for rule, count in read if count and not rule.mandatory)
        levels = not policy.goals.consolidation
        load = load_cost(self.placement.host_arrays(), policy.thresholds, levels=levels)
        return Standing(
            broken_rules=len(must),
            breaches=sum(must),
            stranded_vms=len(stranded(self.placement)),
            cost=load + policy.prices.soft_rule * should,
        )


def standing(placement: Placement) -> Standing:
    """Return the standing of a placement; VMs on their way load both of their hosts."""
    return Scale(placement).standing()


def stranded(placement: Placement) -> tuple[VmId, ...]:
    """Return the running VMs on hosts that must be left, by id, whether or not they can move."""
    leaving = [h.id for h in placement.ground.snapshot.hosts if h.is_leaving]
    return tuple(sorted(vm for host in leaving for vm in placement.present[host]))
