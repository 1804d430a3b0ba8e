"""Encoder of the law of shared storage: depends on the VM's datastores and what the target reaches."""

from balancer.model.reasons import Reason
from balancer.plan.codes import CODE, Ints
from balancer.plan.encode.table import Table, tabulate
from balancer.plan.problem import Problem


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes of hosts that lack a datastore of the VM."""

    def code(needed: frozenset[str], target: int) -> int:
        reach = problem.hosts[target].datastores
        return 0 if reach is None or needed <= reach else CODE[Reason.DATASTORE]

    return tabulate([vm.datastores for vm in problem.vms], len(problem.hosts), code)
