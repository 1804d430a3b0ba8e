"""Encoder of processor compatibility: depends on the VM's mode and features and both hosts' processors."""

from collections.abc import Sequence

import numpy as np

from balancer.model.host import Host
from balancer.model.reasons import Reason
from balancer.model.vm import Vm
from balancer.plan.codes import CODE, Ints
from balancer.plan.encode.table import Table, numbered
from balancer.plan.problem import Problem
from balancer.rules.evc import feature_met, needed_mode

Needs = tuple[str | None, str | None, frozenset[tuple[str, str]], bool]
"""Vendor of the source, mode that the VM needs, its feature requirements where EVC is off, and whether
these stand in for the mode on a target whose features are known."""


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes for VMs that stand at `at`.

    VMs that ask alike and stand on alike processors are a class; so are targets with alike processors.
    """
    vm_class, _ = numbered([_asks(problem, vm) for vm in problem.vms])
    host_class, hosts = numbered([_processor(host) for host in problem.hosts])
    pairs = vm_class * len(hosts) + host_class[at]
    _, first, row_of = np.unique(pairs, return_index=True, return_inverse=True)
    codes = [
        _row(problem, problem.vms[vm], problem.hosts[int(at[vm])], hosts) for vm in first.tolist()
    ]
    table = np.array(codes, dtype=np.uint8).reshape(len(first), len(hosts))
    return Table(row_of=row_of.reshape(-1), codes=table[:, host_class])


def _asks(problem: Problem, vm: Vm) -> tuple[object, ...]:
    """Return all of the VM that the law looks at."""
    if problem.need.snapshot.cluster.evc_mode is not None or not vm.cpu_features:
        return vm.evc_mode, vm.min_evc_mode
    return vm.evc_mode, vm.min_evc_mode, frozenset(vm.cpu_features.items())


def _processor(host: Host) -> tuple[object, ...]:
    """Return all of a host that the law looks at, as source or as target."""
    return host.cpu_vendor, host.max_evc_mode, frozenset(host.cpu_features.items())


def _row(problem: Problem, vm: Vm, source: Host, targets: Sequence[int]) -> list[int]:
    needs = _needs(problem, vm, source)
    return [_code(problem, needs, problem.hosts[target]) for target in targets]


def _code(problem: Problem, needs: Needs, host: Host) -> int:
    vendor, mode, features, are_exact = needs
    if vendor and host.cpu_vendor and vendor != host.cpu_vendor:
        return CODE[Reason.CPU_VENDOR]
    asked = None if are_exact and host.cpu_features else mode
    return _mode_code(problem, asked, host) or _feature_code(features, host)


def _needs(problem: Problem, vm: Vm, source: Host) -> Needs:
    has_evc = problem.need.snapshot.cluster.evc_mode is not None
    features = frozenset() if has_evc else frozenset(vm.cpu_features.items())
    are_exact = not has_evc and vm.evc_mode is None and bool(features)
    return source.cpu_vendor, needed_mode(problem.ground, vm, source), features, are_exact


def _mode_code(problem: Problem, needed: str | None, host: Host) -> int:
    if needed is None:
        return 0
    offered = problem.need.snapshot.cluster.evc_mode or host.max_evc_mode
    runs = None if offered is None else problem.ground.evc.can_run(offered, needed)
    if runs is None:
        return CODE[Reason.EVC_UNKNOWN]
    return 0 if runs else CODE[Reason.EVC]


def _feature_code(features: frozenset[tuple[str, str]], host: Host) -> int:
    if not host.cpu_features:
        return 0
    met = all(feature_met(wanted, host.cpu_features.get(key, "0")) for key, wanted in features)
    return 0 if met else CODE[Reason.CPU_FEATURES]
