"""Encoder of mandatory VM-host rules: depends on the rules that name the VM, and the target."""

import numpy as np

from balancer.model.reasons import Reason
from balancer.model.rule import Rule, RuleType
from balancer.model.units import VmId
from balancer.plan.codes import CODE, Codes, Ints, first_refusal
from balancer.plan.encode.table import Table, numbered
from balancer.plan.problem import Problem

_VM_HOST = {
    RuleType.VM_HOST_AFFINE: CODE[Reason.VM_HOST_AFFINE],
    RuleType.VM_HOST_ANTI_AFFINE: CODE[Reason.VM_HOST_ANTI_AFFINE],
}


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes of hosts that a must-rule forbids, of the first such rule."""
    rules = [rule for rule in problem.need.snapshot.active_rules(*_VM_HOST) if rule.mandatory]
    forbidden = [_forbidden(problem, rule) for rule in rules]
    of_vm: dict[VmId, tuple[int, ...]] = {}
    for number, rule in enumerate(rules):
        for vm in dict.fromkeys(rule.vms):
            of_vm[vm] = (*of_vm.get(vm, ()), number)
    row_of, first = numbered([of_vm.get(vm.id, ()) for vm in problem.vms])
    none = np.zeros(len(problem.hosts), dtype=np.uint8)
    keys = [of_vm.get(problem.vms[vm].id, ()) for vm in first]
    codes = [first_refusal(none, *(forbidden[number] for number in key)) for key in keys]
    table = np.array(codes, dtype=np.uint8).reshape(len(first), len(problem.hosts))
    return Table(row_of=row_of, codes=table)


def _forbidden(problem: Problem, rule: Rule) -> Codes:
    """Return the code of each host that a rule forbids, (H,)."""
    code = _VM_HOST[rule.type]
    codes = [0 if rule.allows_host(host.id) else code for host in problem.hosts]
    return np.array(codes, dtype=np.uint8)
