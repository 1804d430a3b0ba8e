"""Maintenance, injected faults and broken connections on the test vCenter."""

import http.client
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pyVmomi import vim, vmodl

from tests.support.vcenter import VCenterProcess, connect, start_vcenter
from tests.support.vcenter_control import wait_for
from tests.support.wire import Reader, document, finished, host_row, vm_row, write

pytestmark = pytest.mark.wire

MOVE_S = 0.2
BROKEN = (OSError, http.client.HTTPException)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    hosts = [host_row(n) for n in (1, 2, 3)]
    vms = [vm_row(1, 1), vm_row(2, 1), vm_row(3, 2), vm_row(4, 2, power="off")]
    with start_vcenter(write(tmp_path, document(hosts, vms)), migration_seconds=MOVE_S) as running:
        yield running


@pytest.fixture
def reader(server: VCenterProcess) -> Iterator[Reader]:
    with connect(server) as instance:
        yield Reader(instance)


def test_entering_maintenance_waits_until_the_last_running_vm_is_gone(reader: Reader) -> None:
    host = reader.host("esx1")
    task = host.EnterMaintenanceMode(0)
    assert task.info.descriptionId == "HostSystem.enterMaintenanceMode"
    assert task in list(host.recentTask)
    assert (task.info.state, host.runtime.inMaintenanceMode) == ("running", False)
    finished(reader.relocate("vm1", "esx2"))
    assert (task.info.state, task.info.progress) == ("running", 50)
    finished(reader.relocate("vm2", "esx2"))
    assert finished(task).state == "success"
    assert host.runtime.inMaintenanceMode is True
    exit_task = host.ExitMaintenanceMode(0)
    assert finished(exit_task).state == "success"
    assert host.runtime.inMaintenanceMode is False


def test_powered_off_vms_hold_maintenance_up_only_when_asked_to(reader: Reader) -> None:
    finished(reader.relocate("vm3", "esx3"))
    host = reader.host("esx2")
    waiting = host.EnterMaintenanceMode(0, True)
    assert waiting.info.state == "running"
    waiting.Cancel()
    assert finished(host.EnterMaintenanceMode(0, False)).state == "success"


def test_a_cancelled_or_timed_out_way_into_maintenance_leaves_the_host_connected(
    server: VCenterProcess, reader: Reader
) -> None:
    host = reader.host("esx1")
    task = host.EnterMaintenanceMode(0)
    with pytest.raises(vim.fault.InvalidState):
        host.EnterMaintenanceMode(0)
    task.Cancel()
    assert isinstance(finished(task).error, vmodl.fault.RequestCanceled)
    late = host.EnterMaintenanceMode(1)
    assert isinstance(finished(late).error, vim.fault.Timedout)
    assert server.control.state().hosts["esx1"].state == "connected"
    assert finished(reader.relocate("vm3", "esx1")).state == "success"


def test_a_host_that_the_file_shows_entering_has_the_running_task(tmp_path: Path) -> None:
    hosts = [host_row(1, state="entering_maintenance"), host_row(2)]
    doc = document(hosts, [vm_row(1, 1)])
    with (
        start_vcenter(write(tmp_path, doc), migration_seconds=MOVE_S) as server,
        connect(server) as instance,
    ):
        reader = Reader(instance)
        host = reader.host("esx1")
        (task,) = host.recentTask
        seen = (task.info.descriptionId, task.info.state, task.info.entity)
        assert seen == ("HostSystem.enterMaintenanceMode", "running", host)
        assert host.runtime.inMaintenanceMode is False
        finished(reader.relocate("vm1", "esx2"))
        assert finished(task).state == "success"
        assert server.control.state().hosts["esx1"].state == "maintenance"


def test_the_control_sets_host_states_and_power_at_once(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.set_host_state("esx2", "not_responding")
    host, vm = reader.host("esx2"), reader.vm("vm3")
    assert (host.runtime.connectionState, vm.runtime.connectionState) == (
        "notResponding",
        "disconnected",
    )
    server.control.set_host_state("esx2", "connected")
    assert (host.runtime.connectionState, vm.runtime.connectionState) == ("connected",) * 2
    server.control.set_power("vm3", "off")
    assert vm.runtime.powerState == "poweredOff"
    assert server.control.state().hosts["esx2"].cpu_usage_mhz == 0


def test_the_control_adds_and_removes_rules(server: VCenterProcess, reader: Reader) -> None:
    server.control.add_rule("apart", "anti_affinity", vms=["vm1", "vm2"])
    (rule,) = reader.cluster().configurationEx.rule
    assert isinstance(rule, vim.cluster.AntiAffinityRuleSpec)
    assert (rule.name, [vm.name for vm in rule.vm]) == ("apart", ["vm1", "vm2"])
    server.control.remove_rule("apart")
    assert list(reader.cluster().configurationEx.rule) == []
    with pytest.raises(ValueError, match='there is no rule "apart"'):
        server.control.remove_rule("apart")


def test_a_fault_in_the_task_ends_it_after_its_time_and_leaves_the_vm(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.add_fault(
        "SystemError",
        vm="vm1",
        after_s=0.5,
        times=1,
        message="switchover took too long",
        message_key="msg.checkpoint.migration.maxSwitchoverTimeExceeded",
    )
    info = finished(reader.relocate("vm1", "esx2"))
    assert isinstance(info.error, vmodl.fault.SystemError)
    assert info.error.msg == "switchover took too long"
    (text,) = info.error.faultMessage
    assert text.key == "msg.checkpoint.migration.maxSwitchoverTimeExceeded"
    assert (info.completeTime - info.startTime).total_seconds() >= 0.5
    assert reader.vm("vm1").runtime.host.name == "esx1"
    (line,) = server.control.relocations()
    assert (line.state, line.fault, line.injected) == ("failed", "SystemError", True)
    assert finished(reader.relocate("vm1", "esx2")).state == "success"


def test_a_fault_at_the_call_starts_no_task(server: VCenterProcess, reader: Reader) -> None:
    server.control.add_fault("InsufficientCpuResourcesFault", at="call", vm="vm1", times=2)
    for _ in range(2):
        with pytest.raises(vim.fault.InsufficientCpuResourcesFault):
            reader.relocate("vm1", "esx2")
    assert list(reader.vm("vm1").recentTask) == []
    totals = server.control.state().totals
    assert (totals.failed, totals.refused) == (2, 0)
    assert server.control.faults() == ()


@pytest.mark.parametrize(
    ("role", "failing"),
    [("target", {"vm1"}), ("source", {"vm3"}), ("either", {"vm1", "vm3"})],
)
def test_a_host_refuses_in_its_role_as_often_as_it_is_asked(
    server: VCenterProcess, reader: Reader, role: str, failing: set[str]
) -> None:
    server.control.add_fault("HostNotConnected", host="esx2", role=role, after_s=0)  # type: ignore[arg-type]
    moves = {"vm1": "esx2", "vm2": "esx3", "vm3": "esx3"}
    tasks = {vm: reader.relocate(vm, host) for vm, host in moves.items()}
    errors = {vm for vm, task in tasks.items() if finished(task).error is not None}
    assert errors == failing
    server.control.clear_faults()
    assert [finished(reader.relocate(vm, moves[vm])).state for vm in failing] == ["success"] * len(
        failing
    )


@pytest.mark.parametrize(
    "name",
    [
        "HostNotConnected",
        "HostCommunication",
        "InvalidPowerState",
        "MigrationFault",
        "NoPermission",
        "NotAuthenticated",
        "RequestCanceled",
        "ResourceInUse",
        "SystemError",
        "Timedout",
        "VMotionLinkDown",
    ],
)
def test_any_vim_or_vmodl_fault_can_be_injected_by_name(
    server: VCenterProcess, reader: Reader, name: str
) -> None:
    server.control.add_fault(name, at="call", times=1)
    with pytest.raises(vmodl.MethodFault) as caught:
        reader.relocate("vm1", "esx2")
    assert type(caught.value).__name__.split(".")[-1] == name
    server.control.add_fault(name, after_s=0, times=1)
    assert type(finished(reader.relocate("vm1", "esx2")).error) is type(caught.value)


def test_faults_of_other_methods_are_injected_at_the_call(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.add_fault("HostNotConnected", at="call", method="CurrentTime", times=1)
    with pytest.raises(vmodl.fault.HostNotConnected):
        reader.instance.CurrentTime()
    assert reader.instance.CurrentTime() is not None


def test_a_fault_that_does_not_exist_is_refused_by_the_control(server: VCenterProcess) -> None:
    with pytest.raises(ValueError, match='there is no fault "NoSuchFault"'):
        server.control.add_fault("NoSuchFault")
    with pytest.raises(ValueError, match='"ManagedObjectReference" is not a fault'):
        server.control.add_fault("ManagedObjectReference")


def test_a_dropped_reply_executes_the_call(server: VCenterProcess, reader: Reader) -> None:
    vm, spec = reader.vm("vm1"), reader.spec("esx2")
    server.control.drop_reply("RelocateVM_Task")
    with pytest.raises(BROKEN):
        vm.Relocate(spec)
    calls = server.control.calls()
    assert (calls.calls["RelocateVM_Task"], calls.dropped["RelocateVM_Task"]) == (1, 1)
    server.control.wait_for_state(lambda s: s.host_of("vm1") == "esx2", what="the move")
    assert vm.runtime.host.name == "esx2"


def test_a_dropped_request_executes_nothing(server: VCenterProcess, reader: Reader) -> None:
    vm, spec = reader.vm("vm1"), reader.spec("esx2")
    server.control.drop_request("RelocateVM_Task")
    with pytest.raises(BROKEN):
        vm.Relocate(spec)
    calls = server.control.calls()
    assert "RelocateVM_Task" not in calls.calls
    assert calls.dropped == {"RelocateVM_Task": 1}
    assert server.control.relocations() == ()
    assert finished(vm.Relocate(spec)).state == "success"


def test_an_outage_breaks_every_connection_and_ends_by_itself(
    server: VCenterProcess, reader: Reader
) -> None:
    vm = reader.vm("vm1")
    server.control.outage(0.4)
    began = time.monotonic()
    with pytest.raises(BROKEN):
        _ = vm.name

    def is_back() -> bool:
        try:
            return str(vm.name) == "vm1"
        except BROKEN:
            return False

    wait_for(is_back, bool, what="the end of the outage")
    assert time.monotonic() - began >= 0.3


def test_a_shorter_outage_takes_the_place_of_a_longer_one(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.outage(600.0)
    with pytest.raises(BROKEN):
        reader.instance.CurrentTime()
    server.control.outage(0.0)

    def is_back() -> bool:
        with suppress(*BROKEN):
            return reader.instance.CurrentTime() is not None
        return False

    wait_for(is_back, bool, what="the end of the outage")


def test_a_move_goes_on_during_an_outage(server: VCenterProcess, reader: Reader) -> None:
    reader.relocate("vm1", "esx2")
    server.control.outage(0.3)
    server.control.wait_for_state(lambda s: s.host_of("vm1") == "esx2", what="the move")


def test_calls_are_counted_by_method(server: VCenterProcess, reader: Reader) -> None:
    server.control.forget_calls()
    for _ in range(3):
        reader.instance.CurrentTime()
    assert server.control.calls().calls == {"CurrentTime": 3}


def test_the_log_can_be_emptied_and_the_peaks_begin_again(
    server: VCenterProcess, reader: Reader
) -> None:
    finished(reader.relocate("vm1", "esx2"))
    assert server.control.state().hosts["esx2"].peak_migrations == 1
    server.control.forget_relocations()
    state = server.control.state()
    assert (state.totals.submitted, state.hosts["esx2"].peak_migrations) == (0, 0)


def test_the_server_ends_when_its_stdin_closes(tmp_path: Path) -> None:
    server = start_vcenter(write(tmp_path, document([host_row(1)], [])))
    process = server._process
    server.close()
    assert process.returncode == 0
