"""Whose task it is, and what became of it, read over the wire: also when the recent tasks have forgotten it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.model.errors import SourceUnreachable
from balancer.model.outcome import MigrationOrder, TaskState
from balancer.model.plan import Priority
from balancer.model.snapshot import InFlight
from balancer.model.units import ClusterId, HostId, VmId
from balancer.ports import ClusterRef
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vcenter_control import wait_for
from tests.support.vsphere import HeardRequests, settings_for
from tests.support.wire import document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")
VM = VmId("vm-1")
HISTORY_CALLS = {"CreateCollectorForTasks", "ReadNextTasks", "DestroyCollector"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    doc = document([host_row(1), host_row(2)], [vm_row(n, 1) for n in (1, 2)])
    with start_vcenter(write(tmp_path, doc), migration_seconds=30.0) as process:
        yield process


@pytest.fixture
def vcenter(server: VCenterProcess) -> Iterator[VsphereConnection]:
    with connect(settings_for(server)) as connection:
        yield connection


def submitted(vcenter: VsphereConnection, vm: VmId = VM) -> str:
    order = MigrationOrder(vm=vm, vm_name=vm, target=HostId("host-2"), priority=Priority.DEFAULT)
    return vcenter.migrator().submit(order)


def flight_of(vcenter: VsphereConnection) -> InFlight:
    (flight,) = vcenter.inventory.snapshot(CLUSTER).in_flight
    return flight


def ended(vcenter: VsphereConnection, task: str) -> None:
    wait_for(
        lambda: vcenter.inventory.tasks([task])[task].state,
        lambda state: state.has_ended,
        what="the task to end",
    )


def test_our_own_migration_is_told_from_that_of_another_account(
    server: VCenterProcess, vcenter: VsphereConnection
) -> None:
    task = submitted(vcenter)
    server.control.move("vm2", "esx2", seconds=30.0, user="CORP\\eve")
    flights = vcenter.inventory.snapshot(CLUSTER).in_flight
    assert [(f.vm, f.is_ours) for f in flights] == [("vm-1", True), ("vm-2", False)]
    assert flights[0].task == task
    assert flights[0].queued_at is not None


def test_a_second_client_with_our_account_is_not_told_from_us(
    server: VCenterProcess, vcenter: VsphereConnection
) -> None:
    server.control.move("vm1", "esx2", seconds=30.0, user="administrator@vsphere.local")
    assert flight_of(vcenter).is_ours


def test_a_task_carries_the_servers_own_time(
    server: VCenterProcess, vcenter: VsphereConnection
) -> None:
    server.control.set_clock(3600.0)
    submitted(vcenter)
    snapshot = vcenter.inventory.snapshot(CLUSTER)
    (flight,) = snapshot.in_flight
    assert flight.queued_at is not None
    assert abs(snapshot.taken_at - flight.queued_at) < timedelta(seconds=10)


def test_a_forgotten_task_is_found_in_the_history_with_its_fault(
    server: VCenterProcess, vcenter: VsphereConnection
) -> None:
    since = vcenter.inventory.snapshot(CLUSTER).taken_at
    key = "msg.checkpoint.migration.maxSwitchoverTimeExceeded"
    server.control.add_fault("SystemError", vm="vm1", after_s=0.0, message_key=key)
    task = submitted(vcenter)
    ended(vcenter, task)
    server.control.forget_tasks()
    assert vcenter.inventory.tasks([task])[task].state is TaskState.MISSING
    (past,) = vcenter.inventory.task_history([VM, VmId("vm-2")], since) or ()
    assert (past.vm, past.view.task, past.is_ours) == (VM, task, True)
    assert (past.view.state, past.view.fault) == (TaskState.ERROR, "SystemError")
    assert past.view.message_keys == (key,)
    assert past.queued_at is not None
    assert past.queued_at >= since


def test_the_history_has_no_tasks_from_before_and_none_of_a_vm_that_is_gone(
    server: VCenterProcess, vcenter: VsphereConnection
) -> None:
    server.control.set_migration_seconds(0.01)
    ended(vcenter, submitted(vcenter))
    later = vcenter.inventory.snapshot(CLUSTER).taken_at + timedelta(seconds=1)
    assert vcenter.inventory.task_history([VM], later) == ()
    assert vcenter.inventory.task_history([VmId("vm-99")], later) == ()


def test_every_history_collector_is_destroyed_again(tmp_path: Path, server: VCenterProcess) -> None:
    """A session may hold 32 of them: many more are asked for here."""
    heard = HeardRequests()
    with connect(settings_for(server), observer=heard) as vcenter:
        since = vcenter.inventory.snapshot(CLUSTER).taken_at
        for _ in range(40):
            assert vcenter.inventory.task_history([VM], since) == ()
    counts = {method: heard.requests[method, "ok"] for method in HISTORY_CALLS}
    assert counts == dict.fromkeys(HISTORY_CALLS, 40)


def test_without_the_right_to_the_history_none_is_told_and_nothing_fails(
    server: VCenterProcess, vcenter: VsphereConnection
) -> None:
    since = vcenter.inventory.snapshot(CLUSTER).taken_at
    for fault in ("NoPermission", "NotSupported"):
        server.control.add_fault(fault, at="call", method="CreateCollectorForTasks", times=1)
        assert vcenter.inventory.task_history([VM], since) is None
    assert vcenter.inventory.task_history([VM], since) == ()


def test_without_an_answer_the_history_is_an_error_of_the_link(
    server: VCenterProcess, vcenter: VsphereConnection
) -> None:
    since = vcenter.inventory.snapshot(CLUSTER).taken_at
    server.control.outage(2.0)
    with pytest.raises(SourceUnreachable):
        vcenter.inventory.task_history([VM], since)


def test_a_quiet_cluster_costs_no_question_about_tasks(server: VCenterProcess) -> None:
    heard = HeardRequests()
    with connect(settings_for(server), observer=heard) as vcenter:
        vcenter.inventory.snapshot(CLUSTER)
    asked = {method for method, _ in heard.requests}
    assert not asked & (HISTORY_CALLS | {"QueryEvents"})
