"""Encoder of the law of devices and owners' wishes: depends on the VM alone."""

from balancer.model.reasons import Reason
from balancer.model.vm import Automation, Vm
from balancer.plan.codes import CODE, Ints
from balancer.plan.encode.table import Table, tabulate
from balancer.plan.problem import Problem

_AUTOMATION = {
    Automation.MANUAL: CODE[Reason.AUTOMATION_MANUAL],
    Automation.DISABLED: CODE[Reason.AUTOMATION_DISABLED],
}


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes of VMs that are tied to their host; all VMs of a problem run."""
    keys = [_code(vm) for vm in problem.vms]
    return tabulate(keys, len(problem.hosts), lambda code, _host: code)


def _code(vm: Vm) -> int:
    if vm.blockers:
        return CODE[Reason(min(vm.blockers).value)]
    return _AUTOMATION.get(vm.automation, 0)
