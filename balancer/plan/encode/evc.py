"""Encoder of processor compatibility: depends on the VM's mode and features and both hosts' processors."""

from balancer.model.host import Host
from balancer.model.reasons import Reason
from balancer.model.vm import Vm
from balancer.plan.codes import CODE, Ints
from balancer.plan.encode.table import Table, tabulate
from balancer.plan.problem import Problem
from balancer.rules.evc import feature_met, needed_mode

Needs = tuple[str | None, str | None, frozenset[tuple[str, str]], bool]
"""Vendor of the source, mode that the VM needs, its feature requirements where EVC is off, and whether
these stand in for the mode on a target whose features are known."""


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes for VMs that stand at `at`."""
    keys = [
        _needs(problem, vm, problem.hosts[source])
        for source, vm in zip(at, problem.vms, strict=True)
    ]

    def code(needs: Needs, target: int) -> int:
        vendor, mode, features, are_exact = needs
        host = problem.hosts[target]
        if vendor and host.cpu_vendor and vendor != host.cpu_vendor:
            return CODE[Reason.CPU_VENDOR]
        asked = None if are_exact and host.cpu_features else mode
        return _mode_code(problem, asked, target) or _feature_code(features, host)

    return tabulate(keys, len(problem.hosts), code)


def _needs(problem: Problem, vm: Vm, source: Host) -> Needs:
    has_evc = problem.need.snapshot.cluster.evc_mode is not None
    features = frozenset() if has_evc else frozenset(vm.cpu_features.items())
    are_exact = not has_evc and vm.evc_mode is None and bool(features)
    return source.cpu_vendor, needed_mode(problem.ground, vm, source), features, are_exact


def _mode_code(problem: Problem, needed: str | None, target: int) -> int:
    if needed is None:
        return 0
    offered = problem.need.snapshot.cluster.evc_mode or problem.hosts[target].max_evc_mode
    runs = None if offered is None else problem.ground.evc.can_run(offered, needed)
    if runs is None:
        return CODE[Reason.EVC_UNKNOWN]
    return 0 if runs else CODE[Reason.EVC]


def _feature_code(features: frozenset[tuple[str, str]], host: Host) -> int:
    if not host.cpu_features:
        return 0
    met = all(feature_met(wanted, host.cpu_features.get(key, "0")) for key, wanted in features)
    return 0 if met else CODE[Reason.CPU_FEATURES]
