"""Encoder of processor compatibility: depends on the VM's mode and features and both hosts' processors."""

from balancer.model.reasons import Reason
from balancer.model.vm import Vm
from balancer.plan.codes import CODE, Ints
from balancer.plan.encode.table import Table, tabulate
from balancer.plan.problem import Problem
from balancer.rules.evc import feature_met

Needs = tuple[str | None, str | None, frozenset[tuple[str, str]]]
"""Vendor of the source, mode that the VM needs, and its feature requirements where EVC is off."""


def encode(problem: Problem, at: Ints, is_mandatory: bool) -> Table:
    """Return the codes for VMs that stand at `at`."""
    has_evc = problem.need.snapshot.cluster.evc_mode is not None
    keys = [
        _needs(vm, problem.hosts[source].cpu_vendor, has_evc)
        for source, vm in zip(at, problem.vms, strict=True)
    ]

    def code(needs: Needs, target: int) -> int:
        vendor, mode, features = needs
        offered_vendor = problem.hosts[target].cpu_vendor
        if vendor and offered_vendor and vendor != offered_vendor:
            return CODE[Reason.CPU_VENDOR]
        return _mode_code(problem, mode, target) or _feature_code(problem, features, target)

    return tabulate(keys, len(problem.hosts), code)


def _needs(vm: Vm, vendor: str | None, has_evc: bool) -> Needs:
    features = frozenset() if has_evc else frozenset(vm.cpu_features.items())
    return vendor, vm.evc_mode or vm.min_evc_mode, features


def _mode_code(problem: Problem, needed: str | None, target: int) -> int:
    if needed is None:
        return 0
    offered = problem.need.snapshot.cluster.evc_mode or problem.hosts[target].max_evc_mode
    runs = None if offered is None else problem.ground.evc.can_run(offered, needed)
    if runs is None:
        return CODE[Reason.EVC_UNKNOWN]
    return 0 if runs else CODE[Reason.EVC]


def _feature_code(problem: Problem, features: frozenset[tuple[str, str]], target: int) -> int:
    offered = problem.hosts[target].cpu_features
    if not offered:
        return 0
    met = all(feature_met(wanted, offered.get(key, "0")) for key, wanted in features)
    return 0 if met else CODE[Reason.CPU_FEATURES]
