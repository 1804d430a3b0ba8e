"""Tasks of the server: what became of ours, what others are moving, which hosts are entering maintenance.

Owns the translation of `TaskInfo`. Reads leaves of it, since a result or an error of an unknown class
would break the whole. Must never take a task that it cannot read for one that has ended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.faults import fault_keys, fault_name, fault_text
from balancer.model.outcome import TaskState, TaskView
from balancer.model.snapshot import FlightKind, InFlight
from balancer.model.units import HostId, VmId
from balancer.model.vm import Vm

# Source: task catalogue of a vCenter (`TaskDescription.methodInfo` keys).
_MIGRATIONS = frozenset(
    {
        "VirtualMachine.migrate",
        "VirtualMachine.relocate",
        "Drm.ExecuteVMotionLRO",
        "Drm.ExecuteMaintenanceRecommendationsLro",
    }
)
_ENTER_MAINTENANCE = "HostSystem.enterMaintenanceMode"
# While one of these runs the VM's disks are being merged, and a migration ends in TaskInProgress.
_CONSOLIDATIONS = frozenset(
    {
        "VirtualMachine.consolidateDisks",
        "VirtualMachine.removeAllSnapshots",
        "vm.Snapshot.remove",
    }
)
# Source: the same. "Other provisioning operations" have a cost on the host (see `model.ceilings`).
_COPIES = frozenset({"VirtualMachine.clone", "vm.Snapshot.export", "VirtualMachine.export"})
_OPEN = frozenset({"queued", "running"})
UNREADABLE_FAULT = "Unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTasks:
    """What is under way: migrations by VM, hosts entering maintenance, VMs whose disks are merged, copies."""

    migrations: Mapping[VmId, Facts]
    entering: frozenset[HostId]
    consolidating: frozenset[VmId] = frozenset()
    copies: Mapping[VmId, Facts] = field(default_factory=dict)


def open_tasks_from(tasks: Iterable[Facts]) -> OpenTasks:
    """Pick what is queued or running and concerns a scheduler; of several on a VM the last by id."""
    migrations: dict[VmId, Facts] = {}
    entering: set[HostId] = set()
    consolidating: set[VmId] = set()
    copies: dict[VmId, Facts] = {}
    for facts in tasks:
        entity, what = facts.ref("info.entity"), facts.text("info.descriptionId")
        if entity is None or facts.text("info.state") not in _OPEN:
            continue
        if what == _ENTER_MAINTENANCE:
            entering.add(HostId(entity))
        elif what in _CONSOLIDATIONS:
            consolidating.add(VmId(entity))
        elif what in _COPIES:
            copies[VmId(entity)] = facts
        elif what in _MIGRATIONS and facts.ref_kind("info.entity") == "VirtualMachine":
            migrations[VmId(entity)] = facts
    return OpenTasks(
        migrations=migrations,
        entering=frozenset(entering),
        consolidating=frozenset(consolidating),
        copies=copies,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """Where a migration goes, as the event at its start tells: ids, None where it does not."""

    host: HostId | None = None
    datastore: str | None = None


def in_flight_from(task: Facts, vm: Vm, heading: Heading, *, is_ours: bool | None) -> InFlight:
    """Translate a migration under way. Where the target is not known it equals the source.

    Disks move where the event names a datastore that the VM is not on, or the VM's own host as its target.
    """
    moves_disks = heading.host == vm.host or (
        heading.datastore is not None and heading.datastore not in vm.datastores
    )
    return InFlight(
        vm=vm.id,
        source=vm.host,
        target=vm.host if heading.host is None else heading.host,
        queued_at=task.time("info.queueTime"),
        started_at=task.time("info.startTime"),
        task=task.id,
        kind=FlightKind.STORAGE if moves_disks else FlightKind.VMOTION,
        is_ours=is_ours,
    )


def copy_from(task: Facts, vm: Vm) -> InFlight:
    """Translate a task that copies a VM: it costs its host, and the VM cannot be moved meanwhile."""
    return InFlight(
        vm=vm.id,
        source=vm.host,
        target=vm.host,
        queued_at=task.time("info.queueTime"),
        started_at=task.time("info.startTime"),
        task=task.id,
        kind=FlightKind.PROVISIONING,
        is_ours=False,
    )


def ended_view(key: str, state: str, error: vmodl.MethodFault | None) -> TaskView:
    """Return a task as the history tells it."""
    if error is None:
        return TaskView(task=key, state=_state_of(state))
    return TaskView(
        task=key,
        state=_state_of(state),
        fault=fault_name(error),
        message=fault_text(error),
        message_keys=fault_keys(error),
    )


def task_view_from(facts: Facts, *, error_is_readable: bool) -> TaskView:
    """Translate a look at a task."""
    state = _state_of(facts.text("info.state"))
    error = facts.one("info.error", vmodl.MethodFault)
    fault, message = (fault_name(error), fault_text(error)) if error is not None else ("", "")
    if state is TaskState.ERROR and error is None and not error_is_readable:
        fault, message = UNREADABLE_FAULT, "the task failed with a fault that cannot be read"
    return TaskView(
        task=facts.id,
        state=state,
        progress_percent=facts.count("info.progress"),
        fault=fault,
        message=message,
        message_keys=fault_keys(error) if error is not None else (),
    )


def _state_of(word: str | None) -> TaskState:
    """Return the state; a task without one is taken as running, so that it is looked at again."""
    return TaskState(word) if word in _OPEN | {"success", "error"} else TaskState.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFaults:
    """What a server check found: what forbids the migration, and what only calls for care."""

    errors: tuple[vmodl.MethodFault, ...] = ()
    warnings: tuple[vmodl.MethodFault, ...] = ()


def check_faults_from(facts: Facts) -> CheckFaults:
    """Return what a finished server check found, in its order."""
    results = facts.many("info.result", vim.vm.check.Result)
    return CheckFaults(
        errors=tuple(fault for result in results for fault in result.error),
        warnings=tuple(fault for result in results for fault in result.warning),
    )
