"""Should-rules in the objective: each broken one costs its weight times `soft_rule`, however badly it is broken.

Owns how a move changes the weight of the broken should-rules. Never forbids anything. VMs count where they
stand, as in `rules.standing`.
"""

from collections.abc import Iterable

import numpy as np

from balancer.model.rule import RuleType
from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.ledger import Ledger
from balancer.plan.problem import Group, Problem, groups_of


class ShouldRules:
    """The should-rules of one problem."""

    def __init__(self, problem: Problem) -> None:
        self.groups = problem.should
        self.of = groups_of(problem.should)
        self._hosts = len(problem.hosts)
        self.price = problem.policy.prices.soft_rule
        self._weight = [group.rule.weight for group in problem.should]
        self._right = [_right_hosts(problem, group) for group in problem.should]

    def broken(self, ledger: Ledger) -> float:
        """Return the weight of the should-rules that a placement breaks."""
        broken = (number for number in range(len(self.groups)) if self.is_broken(ledger, number))
        return sum(self._weight[number] for number in broken)

    def is_broken(self, ledger: Ledger, number: int) -> bool:
        """Whether one rule is broken."""
        members = list(self.groups[number].members)
        return bool(self._breach(number, self._counts(ledger, number, members)) > 0)

    def rules_of(self, members: Iterable[int]) -> tuple[int, ...]:
        """Return the rules that name any of the VMs, ascending."""
        return tuple(sorted({number for vm in members for number in self.of.get(vm, ())}))

    def change(self, ledger: Ledger, members: tuple[int, ...]) -> Floats:
        """Return by how much the weight of broken rules changes if the VMs go to each host, (H,)."""
        change = np.zeros(self._hosts)
        for number in self.rules_of(members):
            inside = self.groups[number].members
            moving = [vm for vm in members if vm in inside]
            now = self._counts(ledger, number, list(inside))
            rest = now - self._counts(ledger, number, moving)
            broken = self._broken_by(number, rest, len(moving))
            change += self._weight[number] * (broken - float(self._breach(number, now) > 0))
        return change

    def _broken_by(self, number: int, rest: Ints, moving: int) -> Bools:
        """Return on which hosts `moving` members would break a rule, the others being at `rest`, (H,)."""
        kind = self.groups[number].rule.type
        if kind is RuleType.ANTI_AFFINITY:
            most = self.groups[number].rule.most
            result: Bools = (rest + moving > most) | (rest > most).any()
        elif kind is RuleType.AFFINITY:
            used = int((rest > 0).sum())
            result = used + (rest == 0) > 1
        else:
            right = self._right[number]
            result = ~right | (rest[~right] > 0).any()
        return result

    def _counts(self, ledger: Ledger, number: int, members: list[int]) -> Ints:
        """Return the members on each host, or in its domain where the rule has domains, (H,)."""
        return self.groups[number].spread(ledger.at[members], self._hosts)

    def _breach(self, number: int, counts: Ints) -> Ints:
        """Return how badly a rule is broken by members per host, (..., H) gives (...); 0 where it holds.

        Hosts of one domain each have its members, so that only whether this is 0 can be told by them.
        """
        kind = self.groups[number].rule.type
        if kind is RuleType.ANTI_AFFINITY:
            result: Ints = np.maximum(counts - self.groups[number].rule.most, 0).sum(axis=-1)
        elif kind is RuleType.AFFINITY:
            result = np.maximum((counts > 0).sum(axis=-1) - 1, 0)
        else:
            result = (counts * ~self._right[number]).sum(axis=-1)
        return result


def _right_hosts(problem: Problem, group: Group) -> Bools:
    named = [problem.host_at[host] for host in group.rule.hosts if host in problem.host_at]
    right = np.zeros(len(problem.hosts), dtype=bool)
    right[named] = True
    match group.rule.type:
        case RuleType.VM_HOST_AFFINE:
            return right
        case RuleType.VM_HOST_ANTI_AFFINE:
            return ~right
        case _:
            return np.ones(len(problem.hosts), dtype=bool)
