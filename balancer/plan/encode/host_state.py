"""Encoder of the law of host states: depends on source, target and whether the VM needs encryption."""

import numpy as np

from balancer.model.host import Host, HostState
from balancer.model.reasons import Reason
from balancer.model.vm import Encryption
from balancer.plan.codes import CODE, Codes, Ints, first_refusal
from balancer.plan.encode.table import Table
from balancer.plan.problem import Problem


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes for VMs that stand at `at`; quarantine takes mandatory moves only.

    A class is a source and whether encryption is needed: two rows for each host.
    """
    required = Encryption.REQUIRED
    encrypted = [vm.encryption is required for vm in problem.vms]
    codes = np.stack([_codes(problem, is_mandatory, needed) for needed in (False, True)], axis=1)
    hosts = len(problem.hosts)
    return Table(
        row_of=2 * at + np.array(encrypted, dtype=np.int64),
        codes=codes.reshape(2 * hosts, hosts),
    )


def _codes(problem: Problem, is_mandatory: bool, is_encrypted: bool) -> Codes:
    """Return the codes of every pair of source and target, (H, H)."""
    hosts = problem.hosts
    own = np.diag(np.full(len(hosts), CODE[Reason.ON_SOURCE_ALREADY], dtype=np.uint8))
    gives = [0 if host.state.gives else CODE[Reason.SOURCE_HOST_STATE] for host in hosts]
    takes = [_target_code(problem, host, is_mandatory) for host in hosts]
    link = [_link_code(host, is_encrypted) for host in hosts]
    shape = (len(hosts), len(hosts))
    return first_refusal(
        own,
        np.broadcast_to(np.array(gives, dtype=np.uint8)[:, None], shape),
        np.broadcast_to(np.array(takes, dtype=np.uint8), shape),
        np.broadcast_to(np.array(link, dtype=np.uint8)[:, None], shape),
        np.broadcast_to(np.array(link, dtype=np.uint8), shape),
    )


def _target_code(problem: Problem, target: Host, is_mandatory: bool) -> int:
    if not target.takes:
        return CODE[Reason.TARGET_HOST_STATE]
    if target.state is HostState.QUARANTINE and not is_mandatory:
        return CODE[Reason.TARGET_HOST_STATE]
    if target.id in problem.need.snapshot.cluster.ha.failover_hosts:
        return CODE[Reason.FAILOVER_HOST]
    return 0


def _link_code(host: Host, is_encrypted: bool) -> int:
    if not host.vmotion.enabled:
        return CODE[Reason.VMOTION_DISABLED]
    if is_encrypted and not host.vmotion.encrypted_supported:
        return CODE[Reason.ENCRYPTION_UNSUPPORTED]
    return 0
