"""What the simulated server refuses at the call, with the faults that a vCenter answers.

Written without the judges in `rules`, on purpose: a move that our own laws allow and the server
refuses shows as a refused migration. VM-VM rules are not among them: a vCenter does not enforce these
against a manual vMotion. Source: vSphere API, faults of `RelocateVM_Task`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from balancer.adapters.simulated.estate import Estate
from balancer.adapters.simulated.migrations import Board
from balancer.model.evc import EvcOrder
from balancer.model.host import Host, HostState
from balancer.model.rule import Rule, RuleType
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker, Vm

_HOST_RULES = (RuleType.VM_HOST_AFFINE, RuleType.VM_HOST_ANTI_AFFINE)
_BLOCKER_FAULTS = {
    Blocker.CPU_AFFINITY: "AffinityConfigured",
    Blocker.TOOLS_INSTALLING: "ToolsInstallationInProgress",
    Blocker.METHOD_DISABLED: "MethodDisabled",
    Blocker.PENDING_QUESTION: "QuestionPending",
    Blocker.SHARED_SCSI_BUS: "SharedBusControllerNotSupported",
}


BOUND_TO_HOST = frozenset(
    {
        Blocker.PASSTHROUGH_DEVICE,
        Blocker.VGPU,
        Blocker.SRIOV,
        Blocker.USB_DEVICE,
        Blocker.AGENT_VM,
        Blocker.INACCESSIBLE,
    }
)
"""What keeps HA from starting a VM on another host. Source: VMware, "vSphere Availability", vSphere 8, "vSphere HA:
Virtual Machine Restart"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFault:
    """A fault's class name without package, and the server's message."""

    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One migration as the server looks at it: the facts of both hosts, the VM and their cluster."""

    vm: Vm
    source: Host
    target: Host
    snapshot: Snapshot
    incoming: tuple[Vm, ...]
    residents: tuple[Vm, ...]
    states: tuple[HostState, HostState]


Check = Callable[[Request], ServerFault | None]


def find_fault(estate: Estate, board: Board, vm: VmId, target: HostId) -> ServerFault | None:
    """Return why the server refuses the migration, or None where it takes it."""
    if vm not in estate.vms or target not in estate.hosts:
        return ServerFault(name="ManagedObjectNotFound", message=f"{vm} or {target} is gone.")
    if board.of(vm) is not None:
        return ServerFault(name="TaskInProgress", message=f"Another task runs on {vm}.")
    if not estate.is_running(vm):
        message = f"{vm} is {estate.power_of[vm]}."
        return ServerFault(name="InvalidPowerState", message=message)
    request = _request(estate, board, vm, target)
    return next((fault for check in CHECKS if (fault := check(request)) is not None), None)


def _request(estate: Estate, board: Board, vm: VmId, target: HostId) -> Request:
    source = estate.host_of[vm]
    return Request(
        vm=estate.vms[vm],
        source=estate.hosts[source],
        target=estate.hosts[target],
        snapshot=estate.snapshots[estate.cluster_of[source]],
        incoming=tuple(migration.vm for migration in board.heading_to(target)),
        residents=tuple(estate.running_on(target)),
        states=(estate.state_of[source], estate.state_of[target]),
    )


def restart_fault(
    estate: Estate, board: Board, vm: VmId, target: HostId, *, is_home: bool
) -> ServerFault | None:
    """Return why HA does not start a VM on a host that takes VMs, or None where it does.

    Memory that VMs hold is not asked for: see `failover`. A VM that is bound to a device of its host is started
    there alone (`is_home`).
    """
    ask = _request(estate, board, vm, target)
    checks: tuple[Check, ...] = (_reach, _host_rules, _apart, _unreserved)
    if not is_home:
        checks = (_bound, *checks)
    return next((fault for check in checks if (fault := check(ask)) is not None), None)


def _bound(ask: Request) -> ServerFault | None:
    if bound := BOUND_TO_HOST & frozenset(ask.vm.blockers):
        return _fault("NoCompatibleHostWithAccessToDevice", ask, f"lacks its {min(bound)}")
    return None


def _apart(ask: Request) -> ServerFault | None:
    on_target = {vm.id for vm in (*ask.residents, *ask.incoming)}
    for rule in ask.snapshot.active_rules(RuleType.ANTI_AFFINITY):
        others = on_target.intersection(rule.vms) - {ask.vm.id}
        if rule.mandatory and ask.vm.id in rule.vms and len(others) >= rule.most:
            return _fault("RuleViolation", ask, f"has another VM of '{rule.name}'")
    return None


def _hosts(ask: Request) -> ServerFault | None:
    source_state, target_state = ask.states
    if ask.target.id == ask.source.id or ask.target.id not in ask.snapshot.host_by_id:
        return _fault("InvalidArgument", ask, "is not another host of the cluster")
    if not (source_state.answers and target_state.answers):
        return _fault("HostNotConnected", ask, "cannot be reached")
    if not target_state.takes:
        return _fault("InvalidHostState", ask, f"is in state {target_state}")
    if ask.target.id in ask.snapshot.cluster.ha.failover_hosts:
        return _fault("DisallowedOperationOnFailoverHost", ask, "is kept free for HA")
    if not (ask.source.vmotion.enabled and ask.target.vmotion.enabled):
        return _fault("VMotionNotConfigured", ask, "has no vMotion network to the source")
    return None


def _device(ask: Request) -> ServerFault | None:
    if not ask.vm.blockers:
        return None
    blocker = min(ask.vm.blockers)
    name = _BLOCKER_FAULTS.get(blocker, "DisallowedMigrationDeviceAttached")
    return _fault(name, ask, f"cannot take a VM with {blocker}")


def _processor(ask: Request) -> ServerFault | None:
    cluster = ask.snapshot.cluster
    needed = ask.vm.evc_mode or ask.vm.min_evc_mode
    offered = cluster.evc_mode or ask.target.max_evc_mode
    if ask.source.cpu_vendor != ask.target.cpu_vendor:
        return _fault("CpuIncompatible", ask, "has processors of another vendor")
    if needed and offered and not EvcOrder(cluster.evc_modes).can_run(offered, needed):
        return _fault("CpuIncompatible", ask, f"offers {offered}, the VM needs {needed}")
    return None


def _reach(ask: Request) -> ServerFault | None:
    target = ask.target
    if target.datastores is not None and ask.vm.datastores - target.datastores:
        return _fault("CannotAccessVmDisk", ask, "does not reach its datastores")
    if target.networks is not None and ask.vm.networks - target.networks:
        return _fault("CannotAccessNetwork", ask, "lacks its networks")
    return None


def _host_rules(ask: Request) -> ServerFault | None:
    for rule in ask.snapshot.active_rules(*_HOST_RULES):
        if rule.mandatory and ask.vm.id in rule.vms and not _allows(rule, ask.target.id):
            return _fault("VmHostAffinityRuleViolation", ask, f"is ruled out by '{rule.name}'")
    return None


def _allows(rule: Rule, host: HostId) -> bool:
    return (host in rule.hosts) is (rule.type is RuleType.VM_HOST_AFFINE)


def _unreserved(ask: Request) -> ServerFault | None:
    vms = (*ask.residents, *ask.incoming, ask.vm)
    if ask.vm.cpu_reservation_mhz > 0.0:
        reserved_mhz = sum(vm.cpu_reservation_mhz for vm in vms)
        if reserved_mhz > ask.target.usable_cpu_mhz:
            return _fault("InsufficientCpuResourcesFault", ask, "has too little unreserved CPU")
    if sum(vm.memory_reservation_mib for vm in vms) > ask.target.usable_memory_mib:
        return _fault("InsufficientMemoryResourcesFault", ask, "has too little memory")
    return None


def _held(ask: Request) -> ServerFault | None:
    vms = (*ask.residents, *ask.incoming, ask.vm)
    if sum(vm.footprint_mib for vm in vms) > ask.target.usable_memory_mib:
        return _fault("InsufficientMemoryResourcesFault", ask, "has too little memory")
    return None


def _fault(name: str, ask: Request, what: str) -> ServerFault:
    message = f"The migration of {ask.vm.name} was refused: {ask.target.name} {what}."
    return ServerFault(name=name, message=message)


CHECKS: tuple[Check, ...] = (_hosts, _device, _processor, _reach, _host_rules, _unreserved, _held)
