"""Law: which hosts give and take VMs. Maintenance, connection, HA failover hosts, vMotion on both ends."""

from balancer.model.host import Host, HostState
from balancer.model.reasons import Reason, Refusal
from balancer.model.vm import Encryption, Vm
from balancer.rules.placement import Candidate, Placement


def judge(placement: Placement, move: Candidate) -> Refusal | None:
    """Refuse a source that cannot give, a target that may not take, and links that cannot carry."""
    vm = placement.vm(move.vm)
    hosts = placement.ground.snapshot.host_by_id
    source, target = hosts[placement.host_of.get(vm.id, vm.host)], hosts[move.target]
    if source.id == target.id:
        return _no(Reason.ON_SOURCE_ALREADY, f"{vm.name} is on {target.name}", vm, target)
    if not source.state.gives:
        return _no(Reason.SOURCE_HOST_STATE, f"{source.name} is {source.state.phrase}", vm, source)
    return _judge_target(placement, move, target, vm) or _judge_links(source, target, vm)


def _judge_target(placement: Placement, move: Candidate, target: Host, vm: Vm) -> Refusal | None:
    if not target.takes:
        return _no(Reason.TARGET_HOST_STATE, f"{target.name} is {target.phrase}", vm, target)
    if target.state is HostState.QUARANTINE and not move.is_mandatory:
        return _no(Reason.TARGET_HOST_STATE, f"{target.name} is {target.state.phrase}", vm, target)
    if target.id in placement.ground.snapshot.cluster.ha.failover_hosts:
        return _no(Reason.FAILOVER_HOST, f"{target.name} is kept free for HA", vm, target)
    return None


def _judge_links(source: Host, target: Host, vm: Vm) -> Refusal | None:
    for host in (source, target):
        if not host.vmotion.enabled:
            return _no(Reason.VMOTION_DISABLED, f"vMotion is off on {host.name}", vm, host)
        if vm.encryption is Encryption.REQUIRED and not host.vmotion.encrypted_supported:
            detail = f"{vm.name} requires encrypted vMotion, {host.name} has none"
            return _no(Reason.ENCRYPTION_UNSUPPORTED, detail, vm, host)
    return None


def _no(reason: Reason, detail: str, vm: Vm, host: Host) -> Refusal:
    return Refusal.of(reason, detail, vm=vm.id, host=host.id)
