"""Encoder of the law of host states: depends on source, target and whether the VM needs encryption."""

from balancer.model.host import Host, HostState
from balancer.model.reasons import Reason
from balancer.model.vm import Encryption
from balancer.plan.codes import CODE, Ints
from balancer.plan.encode.table import Table, tabulate
from balancer.plan.problem import Problem


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes for VMs that stand at `at`; quarantine takes mandatory moves only."""
    keys = [
        (int(source), vm.encryption is Encryption.REQUIRED)
        for source, vm in zip(at, problem.vms, strict=True)
    ]
    takes = [_target_code(problem, host, is_mandatory) for host in problem.hosts]

    def code(key: tuple[int, bool], target: int) -> int:
        source, encrypted = key
        if source == target:
            return CODE[Reason.ON_SOURCE_ALREADY]
        if not problem.hosts[source].state.gives:
            return CODE[Reason.SOURCE_HOST_STATE]
        return takes[target] or _link_code(problem.hosts[source], problem.hosts[target], encrypted)

    return tabulate(keys, len(problem.hosts), code)


def _target_code(problem: Problem, target: Host, is_mandatory: bool) -> int:
    if not target.state.takes:
        return CODE[Reason.TARGET_HOST_STATE]
    if target.state is HostState.QUARANTINE and not is_mandatory:
        return CODE[Reason.TARGET_HOST_STATE]
    if target.id in problem.need.snapshot.cluster.ha.failover_hosts:
        return CODE[Reason.FAILOVER_HOST]
    return 0


def _link_code(source: Host, target: Host, encrypted: bool) -> int:
    for host in (source, target):
        if not host.vmotion.enabled:
            return CODE[Reason.VMOTION_DISABLED]
        if encrypted and not host.vmotion.encrypted_supported:
            return CODE[Reason.ENCRYPTION_UNSUPPORTED]
    return 0
