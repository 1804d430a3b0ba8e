"""Encoder of mandatory VM-host rules: depends on the rules that name the VM, and the target."""

from balancer.model.reasons import Reason
from balancer.model.rule import Rule, RuleType
from balancer.plan.codes import CODE, Ints
from balancer.plan.encode.table import Table, tabulate
from balancer.plan.problem import Problem

_VM_HOST = {
    RuleType.VM_HOST_AFFINE: CODE[Reason.VM_HOST_AFFINE],
    RuleType.VM_HOST_ANTI_AFFINE: CODE[Reason.VM_HOST_ANTI_AFFINE],
}


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes of hosts that a must-rule forbids, of the first such rule."""
    rules: list[Rule] = []
    number: dict[int, int] = {}
    keys: list[tuple[int, ...]] = []
    for vm in problem.vms:
        key = []
        for rule in problem.ground.must_rules_of.get(vm.id, ()):
            if rule.type in _VM_HOST:
                if id(rule) not in number:
                    number[id(rule)] = len(rules)
                    rules.append(rule)
                key.append(number[id(rule)])
        keys.append(tuple(key))

    def code(key: tuple[int, ...], target: int) -> int:
        host = problem.hosts[target].id
        broken = (rules[n] for n in key if not rules[n].allows_host(host))
        return next((_VM_HOST[rule.type] for rule in broken), 0)

    return tabulate(keys, len(problem.hosts), code)
