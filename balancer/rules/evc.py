"""Law: processor compatibility. EVC modes where they are known, feature requirements where EVC is off.

Source: vSphere API, `EVCMode` (which mode runs which), `VirtualMachine.runtime.featureRequirement` and
`HostSystem.config.maskedFeatureCapability` (values such as `Bool:Min:1`, opaque by contract: what
cannot be read is refused as unknown, the server's own check decides).
"""

from balancer.model.host import Host
from balancer.model.reasons import Reason, Refusal
from balancer.model.vm import Vm
from balancer.rules.placement import Candidate, Ground, Placement


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a target whose processors cannot run the VM, or of which this cannot be told."""
    snapshot = placement.ground.snapshot
    vm, target = placement.vm(move.vm), snapshot.host_by_id[move.target]
    source = snapshot.host_by_id[placement.host_of.get(vm.id, vm.host)]
    if source.cpu_vendor and target.cpu_vendor and source.cpu_vendor != target.cpu_vendor:
        detail = f"{source.cpu_vendor} to {target.cpu_vendor}"
        return Refusal.of(Reason.CPU_VENDOR, detail, vm=vm.id, host=target.id)
    needed = needed_mode(placement.ground, vm, source)
    if needed is not None and not features_decide(placement.ground, vm, target):
        return _judge_mode(placement, vm, target, needed)
    return _judge_features(placement, vm, target)


def needed_mode(ground: Ground, vm: Vm, source: Host) -> str | None:
    """Return the mode that a target must offer, None where none is known.

    The VM's own EVC mode is binding. The minimum mode is binding while cluster EVC is on; without it
    the server gives a best fit that may lie above the very host it runs on: then it needs no more than
    that host offers. Source: `VirtualMachine.runtime.minRequiredEVCModeKey` and a report of a VM on
    Cascade Lake that shows Ice Lake.
    """
    needed = vm.evc_mode or vm.min_evc_mode
    if needed is None or vm.evc_mode or ground.snapshot.cluster.evc_mode:
        return needed
    here = source.max_evc_mode
    return here if here is not None and ground.evc.can_run(here, needed) is False else needed


def features_decide(ground: Ground, vm: Vm, target: Host) -> bool:
    """Whether the exact feature check stands in for the mode: EVC off on both, features of both known."""
    off = vm.evc_mode is None and ground.snapshot.cluster.evc_mode is None
    return off and bool(vm.cpu_features) and bool(target.cpu_features)


def _judge_mode(placement: Placement, vm: Vm, target: Host, needed: str) -> Refusal | None:
    offered = placement.ground.snapshot.cluster.evc_mode or target.max_evc_mode
    if offered is None:
        detail = f"needs {needed}, the mode of {target.name} is not known"
        return Refusal.of(Reason.EVC_UNKNOWN, detail, vm=vm.id, host=target.id)
    runs = placement.ground.evc.can_run(offered, needed)
    if runs is None:
        detail = f"{needed} and {offered} cannot be compared"
        return Refusal.of(Reason.EVC_UNKNOWN, detail, vm=vm.id, host=target.id)
    if not runs:
        detail = f"needs {needed}, {target.name} offers {offered}"
        return Refusal.of(Reason.EVC, detail, vm=vm.id, host=target.id)
    return _judge_features(placement, vm, target)


def _judge_features(placement: Placement, vm: Vm, target: Host) -> Refusal | None:
    if placement.ground.snapshot.cluster.evc_mode or not target.cpu_features:
        return None
    for key, requirement in sorted(vm.cpu_features.items()):
        if not feature_met(requirement, target.cpu_features.get(key, "0")):
            detail = f"needs {key} {requirement}"
            return Refusal.of(Reason.CPU_FEATURES, detail, vm=vm.id, host=target.id)
    return None


def feature_met(requirement: str, capability: str) -> bool:
    """Whether a host's value meets a VM's requirement; what cannot be parsed is not met.

    Grammar: `[Type:]Op:Number` with Op `Min` or `Match`, numbers decimal or 0x. Seen in captures of
    real servers as `Bool:Min:1` and `Num:Min:1`.
    """
    *_, operator, number = ["", *requirement.split(":")][-3:]
    try:
        wanted, offered = int(number, 0), int(capability.rsplit(":", 1)[-1], 0)
    except ValueError:
        return False
    if operator == "Min":
        return offered >= wanted
    return operator == "Match" and offered == wanted
