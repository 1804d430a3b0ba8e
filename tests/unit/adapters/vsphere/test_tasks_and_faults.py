"""Tasks and faults in this program's words."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.faults import fault_line, fault_name, refusals_of
from balancer.adapters.vsphere.tasks import (
    UNREADABLE_FAULT,
    Heading,
    check_faults_from,
    copy_from,
    in_flight_from,
    open_tasks_from,
    task_view_from,
)
from balancer.model.outcome import TaskState
from balancer.model.reasons import Reason
from balancer.model.snapshot import FlightKind
from balancer.model.units import HostId, VmId
from tests.support.builders import vm
from tests.unit.adapters.vsphere.build import facts, ref

VM_1 = ref(vim.VirtualMachine, "vm-1")
HOST_1 = ref(vim.HostSystem, "host-1")


def task(key: str, what: str, entity: Any, state: str = "running") -> Facts:
    return facts(
        key,
        "Task",
        info__descriptionId=what,
        info__entity=entity,
        info__state=state,
        info__startTime=datetime(2026, 11, 22, 12, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "what",
    ["VirtualMachine.migrate", "VirtualMachine.relocate", "Drm.ExecuteVMotionLRO"],
)
@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_migration_under_way_is_seen(what: str, state: str) -> None:
    found = open_tasks_from([task("task-1", what, VM_1, state)])
    assert {vm: facts.id for vm, facts in found.migrations.items()} == {"vm-1": "task-1"}


def test_what_has_ended_or_is_something_else_is_no_migration() -> None:
    found = open_tasks_from(
        [
            task("task-1", "VirtualMachine.relocate", VM_1, "success"),
            task("task-2", "VirtualMachine.relocate", VM_1, "error"),
            task("task-3", "VirtualMachine.powerOn", VM_1),
            task("task-4", "VirtualMachine.relocate", HOST_1),
            task("task-5", "VirtualMachine.relocate", None),
        ]
    )
    assert found.migrations == {}


def test_a_host_with_a_running_maintenance_task_is_entering() -> None:
    enter = "HostSystem.enterMaintenanceMode"
    assert open_tasks_from([task("task-1", enter, HOST_1)]).entering == {"host-1"}
    assert open_tasks_from([task("task-1", enter, HOST_1, "error")]).entering == frozenset()
    leave = "HostSystem.exitMaintenanceMode"
    assert open_tasks_from([task("task-1", leave, HOST_1)]).entering == frozenset()


def test_a_target_that_is_not_known_equals_the_source() -> None:
    known = task("task-1", "VirtualMachine.relocate", VM_1)
    flight = in_flight_from(known, vm(1, on=1), Heading(), is_ours=None)
    assert (flight.source, flight.target, flight.task) == ("host-1", "host-1", "task-1")
    assert flight.started_at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert (flight.kind, flight.is_ours) == (FlightKind.VMOTION, None)


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        (Heading(host=HostId("host-2"), datastore="ds-1"), FlightKind.VMOTION),
        (Heading(host=HostId("host-2")), FlightKind.VMOTION),
        (Heading(host=HostId("host-2"), datastore="ds-9"), FlightKind.STORAGE),
        (Heading(host=HostId("host-1"), datastore="ds-1"), FlightKind.STORAGE),
    ],
    ids=["same datastore", "no datastore told", "another datastore", "its own host"],
)
def test_a_migration_that_moves_disks_is_told_apart(heading: Heading, kind: FlightKind) -> None:
    known = task("task-1", "VirtualMachine.relocate", VM_1)
    machine = vm(1, on=1, datastores=frozenset({"ds-1"}))
    assert in_flight_from(known, machine, heading, is_ours=True).kind is kind


def test_a_vm_that_is_being_copied_is_under_way_on_its_host() -> None:
    found = open_tasks_from([task("task-1", "VirtualMachine.clone", VM_1)])
    assert found.migrations == {}
    flight = copy_from(found.copies[VmId("vm-1")], vm(1, on=1))
    assert (flight.kind, flight.source, flight.target) == (
        FlightKind.PROVISIONING,
        "host-1",
        "host-1",
    )


def test_a_failed_task_tells_its_fault_and_the_keys_of_its_messages() -> None:
    message = vmodl.LocalizableMessage(key="msg.migrate.timeout", message="took too long")
    fault = vim.fault.Timedout(msg="Operation timed out.", faultMessage=[message])
    view = task_view_from(
        facts("task-1", info__state="error", info__error=fault), error_is_readable=True
    )
    assert (view.state, view.fault) == (TaskState.ERROR, "Timedout")
    assert view.message == "Operation timed out. [msg.migrate.timeout] took too long"
    assert view.message_keys == ("msg.migrate.timeout",)


def test_a_fault_that_cannot_be_read_is_still_a_failure() -> None:
    view = task_view_from(facts("task-1", info__state="error"), error_is_readable=False)
    assert (view.state, view.fault) == (TaskState.ERROR, UNREADABLE_FAULT)


def test_a_task_without_a_state_has_not_ended() -> None:
    assert not task_view_from(facts("task-1"), error_is_readable=True).state.has_ended


def test_warnings_of_a_check_are_told_apart_from_its_errors() -> None:
    result = vim.vm.check.Result(
        warning=[vim.fault.NoGuestHeartbeat()], error=[vim.fault.CpuIncompatible()]
    )
    found = check_faults_from(facts("task-1", info__result=[result]))
    assert [fault_name(fault) for fault in found.errors] == ["CpuIncompatible"]
    assert [fault_name(fault) for fault in found.warnings] == ["NoGuestHeartbeat"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (vim.fault.CpuIncompatible1ECX(), Reason.CPU_FEATURES),
        (vim.fault.FeatureRequirementsNotMet(), Reason.CPU_FEATURES),
        (vim.fault.CannotAccessVmDisk(), Reason.DATASTORE),
        (vim.fault.InaccessibleDatastore(), Reason.DATASTORE),
        (vim.fault.CannotAccessNetwork(), Reason.NETWORK),
        (vim.fault.VMotionNotConfigured(), Reason.VMOTION_DISABLED),
        (vim.fault.VMotionLinkDown(), Reason.VMOTION_DISABLED),
        (vim.fault.InsufficientMemoryResourcesFault(), Reason.MEMORY_RESERVATION),
        (vim.fault.InvalidHostState(), Reason.TARGET_HOST_STATE),
        (vmodl.fault.HostNotConnected(), Reason.TARGET_HOST_STATE),
        (vim.fault.DisallowedMigrationDeviceAttached(), Reason.SERVER_CHECK),
        (vmodl.fault.SystemError(), Reason.SERVER_CHECK),
    ],
)
def test_an_error_of_the_server_check_is_a_refusal(
    fault: vmodl.MethodFault, reason: Reason
) -> None:
    (refusal,) = refusals_of([fault], VmId("vm-1"), HostId("host-2"))
    assert (refusal.reason, refusal.vm, refusal.host) == (reason, "vm-1", "host-2")
    assert refusal.detail.startswith(fault_name(fault))


def test_a_missing_privilege_is_named() -> None:
    fault = vim.fault.NoPermission(privilegeId="Resource.HotMigrate")
    assert fault_line(fault) == "NoPermission: missing privilege Resource.HotMigrate"
