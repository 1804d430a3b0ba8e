"""Relocations on the test vCenter take time, can be cancelled, and are refused as vSphere does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from tests.support.vcenter import VCenterProcess, connect, start_vcenter
from tests.support.vcenter_control import wait_for
from tests.support.wire import (
    QUERY,
    RELOCATE_SPEC,
    Reader,
    document,
    finished,
    host_row,
    values,
    vm_row,
    write,
)

pytestmark = pytest.mark.wire

MOVE_S = 0.3
LONG_S = 60.0  # still running when the test looks; it is cancelled or ended then


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    hosts = [host_row(1, cpu_overhead_mhz=1000, memory_overhead_mib=2000), host_row(2), host_row(3)]
    vms = [vm_row(n, 1) for n in range(1, 13)]
    with start_vcenter(write(tmp_path, document(hosts, vms)), migration_seconds=MOVE_S) as running:
        yield running


@pytest.fixture
def reader(server: VCenterProcess) -> Iterator[Reader]:
    with connect(server) as instance:
        yield Reader(instance)


def test_a_move_runs_with_rising_progress_and_ends_on_the_target(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.set_migration_seconds(LONG_S)
    task, seen = reader.relocate("vm1", "esx2", "highPriority"), list[int]()
    while len(set(seen)) < 3:
        info = task.info
        assert info.state == "running"
        seen.append(info.progress or 0)
    assert seen == sorted(seen)
    assert max(seen) <= 99
    assert server.control.end_migrations() == 1
    assert task.info.state == "success"
    vm = reader.vm("vm1")
    assert vm.runtime.host.name == vm.summary.runtime.host.name == "esx2"
    assert "vm1" in [v.name for v in reader.host("esx2").vm]
    assert "vm1" not in [v.name for v in reader.host("esx1").vm]
    (line,) = server.control.relocations()
    assert (line.vm, line.from_host, line.to_host) == ("vm1", "esx1", "esx2")
    assert (line.priority, line.state, line.task) == ("highPriority", "success", task._moId)


def test_the_task_says_what_it_is_and_is_listed_where_people_look(
    server: VCenterProcess, reader: Reader
) -> None:
    task = reader.relocate("vm1", "esx2")
    info = task.info
    assert info.descriptionId == "VirtualMachine.relocate"
    assert (info.entity._moId, info.entityName) == ("vm-1", "vm1")
    assert info.reason.userName == "VSPHERE.LOCAL\\administrator"
    assert info.cancelable is True
    for place in (
        reader.vm("vm1"),
        reader.host("esx1"),
        reader.host("esx2"),
        reader.content.taskManager,
    ):
        assert task in list(place.recentTask)
    info = finished(task)
    assert (info.completeTime - info.startTime).total_seconds() >= MOVE_S


def test_host_load_follows_the_vm(server: VCenterProcess, reader: Reader) -> None:
    def load(name: str) -> tuple[int, int]:
        paths = [
            "name",
            "summary.quickStats.overallCpuUsage",
            "summary.quickStats.overallMemoryUsage",
        ]
        (hosts,) = reader.retrieve(vim.HostSystem, paths)
        (seen,) = [v for host in hosts if (v := values(host))["name"] == name]
        return seen[paths[1]], seen[paths[2]]

    assert load("esx1") == (1000 + 12 * 2000, 2000 + 12 * 8192)
    assert load("esx2") == (0, 0)
    finished(reader.relocate("vm1", "esx2"))
    assert load("esx1") == (1000 + 11 * 2000, 2000 + 11 * 8192)
    assert load("esx2") == (2000, 8192)


def test_a_host_that_cannot_give_what_is_wanted_scales_usage_and_shows_ready_time(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.set_demand("vm1", cpu_mhz=136_000, active_mib=6000, consumed_mib=9000)
    stats = reader.vm("vm1").summary.quickStats
    assert (stats.overallCpuDemand, stats.overallCpuUsage) == (136_000, 68_000)
    assert (stats.overallCpuReadiness, stats.guestMemoryUsage, stats.hostMemoryUsage) == (
        50,
        6000,
        9000,
    )
    assert reader.host("esx1").summary.quickStats.overallCpuUsage == 80_000


def test_a_busy_vm_answers_task_in_progress(server: VCenterProcess, reader: Reader) -> None:
    server.control.set_migration_seconds(LONG_S)
    task = reader.relocate("vm1", "esx2")
    with pytest.raises(vim.fault.TaskInProgress) as caught:
        reader.relocate("vm1", "esx3")
    assert caught.value.task == task
    task.Cancel()


def test_a_cancelled_move_leaves_the_vm_where_it_was(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.set_migration_seconds(LONG_S, vm="vm1")
    task = reader.relocate("vm1", "esx2")
    task.Cancel()
    info = finished(task)
    assert info.state == "error"
    assert isinstance(info.error, vmodl.fault.RequestCanceled)
    assert info.cancelled is True
    assert reader.vm("vm1").runtime.host.name == "esx1"
    state = server.control.state()
    assert (state.totals.cancelled, state.hosts["esx1"].running_migrations) == (1, 0)
    with pytest.raises(vim.fault.InvalidState):
        task.Cancel()


def test_at_most_eight_moves_run_per_host_and_the_rest_stays_queued(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.set_migration_seconds(LONG_S)
    target = [reader.host("esx2"), reader.host("esx3")]
    vms = sorted(reader.all(vim.VirtualMachine).values(), key=lambda v: int(v._moId[3:]))
    tasks = [
        vm.Relocate(RELOCATE_SPEC(host=target[n % 2]), "defaultPriority")
        for n, vm in enumerate(vms)
    ]
    assert [task.info.state for task in tasks] == ["running"] * 8 + ["queued"] * 4
    assert tasks[-1].info.startTime is None
    assert server.control.state().cluster.queued_migrations == 4
    server.control.set_migration_seconds(MOVE_S)
    for task in tasks[:4]:
        task.Cancel()
    assert [finished(task).state for task in tasks[8:]] == ["success"] * 4
    state = server.control.state()
    assert (state.cluster.peak_migrations, state.hosts["esx1"].peak_migrations) == (8, 8)
    assert (state.totals.success, state.totals.cancelled, state.totals.running) == (4, 4, 4)


def test_a_queued_move_can_be_cancelled(server: VCenterProcess, reader: Reader) -> None:
    server.control.set_migration_seconds(LONG_S)
    tasks = [reader.relocate(f"vm{n}", "esx2") for n in range(1, 10)]
    assert tasks[-1].info.state == "queued"
    tasks[-1].Cancel()
    assert isinstance(tasks[-1].info.error, vmodl.fault.RequestCanceled)
    state = server.control.state()
    assert (state.cluster.queued_migrations, state.cluster.running_migrations) == (0, 8)
    assert state.host_of("vm9") == "esx1"


def test_an_unknown_target_is_not_found_and_the_server_lives(reader: Reader) -> None:
    ghost = vim.HostSystem("host-4711", reader.instance._stub)
    with pytest.raises(vmodl.fault.ManagedObjectNotFound) as caught:
        reader.vm("vm1").Relocate(RELOCATE_SPEC(host=ghost))
    assert caught.value.obj == ghost
    assert reader.vm("vm1").runtime.host.name == "esx1"


def test_a_move_of_storage_is_not_supported(reader: Reader) -> None:
    (store,) = reader.all(vim.Datastore).values()
    with pytest.raises(vmodl.fault.NotSupported):
        reader.vm("vm1").Relocate(RELOCATE_SPEC(datastore=store))


def test_waiting_for_updates_sees_the_task_the_vm_and_the_hosts(reader: Reader) -> None:
    vm, source, task = reader.vm("vm1"), reader.host("esx1"), reader.relocate("vm1", "esx2")
    wanted = [(vm, "runtime.host"), (source, "vm"), (task, "info.state")]
    collector = reader.content.propertyCollector
    watched = collector.CreateFilter(
        QUERY.FilterSpec(
            objectSet=[QUERY.ObjectSpec(obj=obj) for obj, _ in wanted],
            propSet=[QUERY.PropertySpec(type=type(obj), pathSet=[p]) for obj, p in wanted],
        ),
        True,
    )
    options, version, seen = QUERY.WaitOptions(maxWaitSeconds=5), "", {}
    while seen.get("info.state") != "success" or len(seen) < 3:
        updates = collector.WaitForUpdatesEx(version, options)
        assert updates is not None, f"no more updates after {seen}"
        version = updates.version
        for change in changes(updates):
            seen[change.name] = change.val
    assert seen["runtime.host"].name == "esx2"
    assert vm not in list(seen["vm"])
    assert collector.WaitForUpdatesEx(version, QUERY.WaitOptions(maxWaitSeconds=0)) is None
    watched.Destroy()


def changes(updates: Any) -> list[Any]:
    return [c for f in updates.filterSet for o in f.objectSet for c in o.changeSet]


def test_a_finished_move_leaves_an_event(reader: Reader) -> None:
    finished(reader.relocate("vm1", "esx2"))
    kind = vim.event.EventFilterSpec(eventTypeId=["VmMigratedEvent"])
    (event,) = reader.content.eventManager.QueryEvents(kind)
    assert (event.vm.name, event.sourceHost.name, event.host.name) == ("vm1", "esx1", "esx2")


def refused(tmp_path: Path, doc: dict[str, Any], *, vm: str = "vm1", host: str = "esx2") -> Any:
    """Try a move and ask for the same check; both must give the same kind of fault."""
    with (
        start_vcenter(write(tmp_path, doc), migration_seconds=0.05) as server,
        connect(server) as instance,
    ):
        reader = Reader(instance)
        checker = reader.content.vmProvisioningChecker
        check = finished(checker.CheckRelocate(reader.vm(vm), reader.spec(host), None))
        before = reader.vm(vm).runtime.host.name
        try:
            fault = finished(reader.relocate(vm, host)).error
        except vmodl.MethodFault as at_call:
            fault = at_call
        assert check.state == "success"
        assert [type(e) for e in check.result[0].error] == [type(fault)]
        assert reader.vm(vm).runtime.host.name == before
        assert server.control.state().totals.refused == 1
        return fault


def two_hosts(*, second: dict[str, Any] | None = None, **vm: Any) -> dict[str, Any]:
    return document([host_row(1), host_row(2, **(second or {}))], [vm_row(1, 1, **vm)])


@pytest.mark.parametrize(
    ("second", "vm", "fault"),
    [
        ({"state": "maintenance"}, {}, vim.fault.InvalidHostState),
        ({"state": "standby"}, {}, vim.fault.InvalidHostState),
        ({"state": "disconnected"}, {}, vmodl.fault.HostNotConnected),
        ({"max_evc_mode": "intel-broadwell"}, {}, vim.fault.CpuIncompatible),
        ({"max_evc_mode": "amd-zen"}, {}, vim.fault.CpuIncompatible),
        ({"memory_capacity_mib": 8_000}, {}, vim.fault.InsufficientMemoryResourcesFault),
        ({"datastores": []}, {}, vim.fault.CannotAccessVmDisk),
        ({"networks": []}, {}, vim.fault.CannotAccessNetwork),
        ({"vmotion": {"enabled": False}}, {}, vim.fault.VMotionNotConfigured),
        (
            {"vmotion": {"encrypted_supported": False}},
            {"encryption": "required"},
            vim.fault.VMotionNotSupported,
        ),
        (
            {"cpu_features": {"cpuid.avx": "0"}},
            {"cpu_features": {"cpuid.AVX": "Bool:Min:1"}},
            vim.fault.FeatureRequirementsNotMet,
        ),
        ({}, {"blockers": ["passthrough_device"]}, vim.fault.DisallowedMigrationDeviceAttached),
        ({}, {"blockers": ["vgpu"]}, vim.fault.DisallowedMigrationDeviceAttached),
        ({}, {"blockers": ["sriov"]}, vim.fault.DisallowedMigrationDeviceAttached),
        ({}, {"blockers": ["usb_device"]}, vim.fault.DisallowedMigrationDeviceAttached),
        ({}, {"blockers": ["host_local_cdrom"]}, vim.fault.CannotAccessVmDevice),
        ({}, {"blockers": ["local_cdrom_backing"]}, vim.fault.CannotAccessVmDevice),
        ({}, {"blockers": ["cpu_affinity"]}, vim.fault.AffinityConfigured),
        ({}, {"blockers": ["latency_sensitive_pinned"]}, vim.fault.AffinityConfigured),
        ({}, {"blockers": ["tools_installing"]}, vim.fault.ToolsInstallationInProgress),
        ({}, {"blockers": ["shared_scsi_bus"]}, vim.fault.SharedBusControllerNotSupported),
        ({}, {"blockers": ["fault_tolerance"]}, vim.fault.CannotMoveFaultToleranceVm),
        ({}, {"blockers": ["pending_question"]}, vim.fault.QuestionPending),
        ({}, {"blockers": ["inaccessible"]}, vim.fault.InvalidVmState),
        ({}, {"blockers": ["method_disabled"]}, vim.fault.MethodDisabled),
        ({}, {"blockers": ["agent_vm"]}, vim.fault.MethodDisabled),
        ({}, {"blockers": ["consolidating"]}, vim.fault.TaskInProgress),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else value.__name__,
)
def test_a_move_that_vsphere_would_refuse_ends_with_its_fault(
    tmp_path: Path, second: dict[str, Any], vm: dict[str, Any], fault: type
) -> None:
    assert type(refused(tmp_path, two_hosts(second=second, **vm))) is fault


def test_a_host_on_its_way_into_maintenance_takes_no_vm(tmp_path: Path) -> None:
    hosts = [host_row(1), host_row(2, state="entering_maintenance")]
    doc = document(hosts, [vm_row(1, 1), vm_row(2, 2)])
    assert isinstance(refused(tmp_path, doc), vim.fault.InvalidHostState)


def test_a_host_at_its_most_running_vms_takes_no_more(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2, max_running_vms=1)], [vm_row(1, 1), vm_row(2, 2)])
    assert isinstance(refused(tmp_path, doc), vim.fault.InsufficientHostCapacityFault)


def test_a_failover_host_takes_no_vm(tmp_path: Path) -> None:
    doc = two_hosts()
    doc["cluster"]["ha"] = {"enabled": True, "failover_hosts": ["host-2"]}
    assert isinstance(refused(tmp_path, doc), vim.fault.DisallowedOperationOnFailoverHost)


@pytest.mark.parametrize(
    ("kind", "hosts"),
    [("vm_host_affine", ["host-1"]), ("vm_host_anti_affine", ["host-2"])],
    ids=["affine", "anti-affine"],
)
def test_a_mandatory_vm_host_rule_is_kept_even_without_drs(
    tmp_path: Path, kind: str, hosts: list[str]
) -> None:
    doc = two_hosts()
    doc["rules"] = [{"name": "stay", "type": kind, "vms": ["vm-1"], "hosts": hosts}]
    assert isinstance(refused(tmp_path, doc), vim.fault.VmHostAffinityRuleViolation)


def test_the_cluster_mode_does_not_stop_what_the_newer_host_can_run(tmp_path: Path) -> None:
    doc = two_hosts(second={"max_evc_mode": "intel-cascadelake"}, min_evc_mode="intel-skylake")
    with (
        start_vcenter(write(tmp_path, doc), migration_seconds=0.05) as server,
        connect(server) as instance,
    ):
        assert finished(Reader(instance).relocate("vm1", "esx2")).state == "success"


def test_memory_of_vms_on_their_way_counts_on_the_target(tmp_path: Path) -> None:
    hosts = [host_row(1), host_row(2, memory_capacity_mib=20_000, memory_overhead_mib=1_000)]
    doc = document(hosts, [vm_row(n, 1) for n in (1, 2, 3)])
    with (
        start_vcenter(write(tmp_path, doc), migration_seconds=0.3) as server,
        connect(server) as instance,
    ):
        reader = Reader(instance)
        tasks = [reader.relocate(f"vm{n}", "esx2") for n in (1, 2, 3)]
        third = tasks[2].info
        assert isinstance(third.error, vim.fault.InsufficientMemoryResourcesFault)
        assert third.error.requested == 8192 << 20
        assert [finished(task).state for task in tasks[:2]] == ["success", "success"]


def test_a_target_that_goes_away_during_the_move_leaves_the_vm(
    server: VCenterProcess, reader: Reader
) -> None:
    server.control.set_migration_seconds(LONG_S)
    task = reader.relocate("vm1", "esx2")
    server.control.set_host_state("esx2", "disconnected")
    assert isinstance(finished(task).error, vmodl.fault.HostNotConnected)
    assert reader.vm("vm1").runtime.host.name == "esx1"


def test_power_on_compatibility_is_answered_for_a_host(reader: Reader) -> None:
    checker = reader.content.vmCompatibilityChecker
    info = finished(checker.CheckCompatibility(reader.vm("vm1"), reader.host("esx2"), None, None))
    assert info.entity._moId == "vm-1"
    (result,) = info.result
    assert (list(result.error), result.host._moId) == ([], "host-2")


def test_a_foreign_move_is_seen_like_any_other(server: VCenterProcess, reader: Reader) -> None:
    server.control.move("vm1", "esx3")
    assert reader.vm("vm1").runtime.host.name == "esx3"
    server.control.move("vm2", "esx3", seconds=1)
    (task,) = reader.vm("vm2").recentTask
    assert (task.info.state, task.info.reason.userName) == (
        "running",
        "VSPHERE.LOCAL\\operator",
    )
    wait_for(lambda: reader.vm("vm2").runtime.host.name, lambda n: n == "esx3", what="the move")
