"""What the vSphere inventory reads over the wire equals what the vCenter was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.files import read_snapshot
from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.model.errors import SourceAnswerInvalid
from balancer.model.host import Host, HostState
from balancer.model.insight import ServerAnswer
from balancer.model.outcome import TaskState
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot, SourceKind
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Blocker, PowerState, Vm
from balancer.ports import ClusterRef
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vcenter_control import wait_for
from tests.support.vsphere import HeardRequests, settings_for
from tests.support.wire import Row, document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")


@contextmanager
def served(
    directory: Path, doc: Row, **settings: Any
) -> Iterator[tuple[VCenterProcess, VsphereConnection]]:
    with (
        start_vcenter(write(directory, doc)) as server,
        connect(settings_for(server, **settings)) as vcenter,
    ):
        yield server, vcenter


def rich_host(number: int, **facts: Any) -> Row:
    common: Row = {
        "datastores": ["datastore-1", "datastore-2"],
        "networks": ["dvportgroup-7", "network-8"],
        "vmotion": {
            "enabled": True,
            "link_mbps": 20_000,
            "encrypted_supported": True,
            "networks": ["192.0.2.0/24"],
        },
        "numa_nodes": 2,
        "swap_datastore": "datastore-2",
        "unshared_swap_supported": True,
        "storage_vmotion_supported": number != 3,
    }
    return host_row(number, **common | facts)


def rich_vm(number: int, on: int, **facts: Any) -> Row:
    common: Row = {
        "uuid": f"5021c0de-0000-4000-8000-{number:012d}",
        "cpu_usage_mhz": 1_900,
        "cpu_ready_percent": 3,
        "memory_granted_mib": 9_000,
        "memory_swapped_mib": 0,
        "memory_ballooned_mib": 16,
        "cpu_shares": 4_000,
        "memory_shares": 163_840,
        "resource_pool": "resgroup-8",
        "encryption": "opportunistic",
        "hardware_version": 13 + number,
        "swap_placement": "hostLocal" if number == 2 else "vmDirectory",
        "storage_committed_mib": 40_960,
        "storage_uncommitted_mib": 1_024,
    }
    return vm_row(number, on, **common | facts)


def rich_document() -> Row:
    """Return a cluster that uses every field which the wire carries."""
    off = (
        "cpu_demand_mhz",
        "cpu_usage_mhz",
        "cpu_ready_percent",
        "memory_active_mib",
        "memory_consumed_mib",
        "memory_granted_mib",
        "memory_swapped_mib",
        "memory_ballooned_mib",
    )
    powered_off = {key: value for key, value in rich_vm(7, 2).items() if key not in off}
    blind = {key: value for key, value in rich_vm(8, 1).items() if key not in off}
    hosts = [
        rich_host(1, cpu_overhead_mhz=400, memory_overhead_mib=2_048, max_running_vms=80),
        rich_host(2, state="entering_maintenance", max_evc_mode="intel-skylake"),
        rich_host(3, vmotion={"enabled": False, "link_mbps": 10_000}, datastores=["datastore-1"]),
        rich_host(4, state="quarantine", groups=["spares"], networks=["network-8"]),
        rich_host(5, state="maintenance"),
        rich_host(6, state="standby"),
        rich_host(7, cpu_vendor="amd", max_evc_mode="amd-zen", groups=["spares"]),
    ]
    vms = [
        rich_vm(
            1, 1, automation="manual", folder="prod/web", groups=["web"], guest_os="rhel9_64Guest"
        ),
        rich_vm(2, 1, automation="disabled", datastores=["datastore-1", "datastore-2"]),
        rich_vm(3, 1, automation="partiallyAutomated", networks=["network-8"], groups=["web"]),
        rich_vm(4, 2, cpu_reservation_mhz=500, cpu_limit_mhz=3_000, cpu_shares=9_999),
        rich_vm(5, 2, memory_reservation_mib=1_024, memory_limit_mib=16_000, memory_shares=77),
        rich_vm(6, 2, encryption="required", resource_pool="resgroup-20"),
        powered_off | {"power": "off"},
        blind,
        rich_vm(9, 4, blockers=["usb_device", "vgpu"], min_evc_mode="intel-haswell"),
    ]
    rules = [
        {"name": "apart", "type": "anti_affinity", "vms": ["vm-1", "vm-2"]},
        {"name": "together", "type": "affinity", "vms": ["vm-4", "vm-5"], "mandatory": False},
        {
            "name": "asleep",
            "type": "anti_affinity",
            "vms": ["vm-5", "vm-6"],
            "enabled": False,
        },
    ]
    pool = {"cpu_reservation_mhz": 0, "memory_reservation_mib": 0, "cpu_shares": 4_000}
    return document(
        hosts,
        vms,
        cluster={
            "drs": {"enabled": True, "automation": "partiallyAutomated", "vmotion_rate": 2},
            "ha": {
                "enabled": True,
                "cpu_reserve_percent": 20,
                "memory_reserve_percent": 25,
            },
        },
        rules=rules,
        datastores=[
            {
                "id": "datastore-1",
                "name": "vmfs-1",
                "kind": "VMFS",
                "capacity_mib": 4_096,
                "free_mib": 1_024,
                "state": "normal",
            },
            {
                "id": "datastore-2",
                "name": "nfs-2",
                "kind": "NFS",
                "capacity_mib": 8_192,
                "free_mib": 2_048,
                "state": "maintenance",
            },
        ],
        networks=[
            {"id": "dvportgroup-7", "name": "prod"},
            {"id": "network-8", "name": "VM Network"},
        ],
        resource_pools=[
            pool | {"id": "resgroup-8", "name": "Resources", "memory_shares": 163_840},
            pool
            | {
                "id": "resgroup-20",
                "name": "gold",
                "parent": "resgroup-8",
                "cpu_limit_mhz": 5_000,
                "memory_shares": 5_000,
            },
        ],
    )


def without_own_usage(host: Host) -> Host:
    """Return the host without what the server sums up over its VMs."""
    return replace(host.without_usage(), sampled_at=None)


def without_samples(vm: Vm) -> Vm:
    """Return the VM without what only samples say: their time, and that they do not differ."""
    assert vm.cpu_demand_p95_mhz == vm.cpu_demand_max_mhz
    return replace(
        vm,
        sampled_at=None,
        cpu_demand_stddev_mhz=None,
        cpu_demand_p95_mhz=None,
        cpu_demand_max_mhz=None,
    )


@pytest.fixture
def rich(tmp_path: Path) -> Iterator[tuple[Snapshot, Snapshot]]:
    """Return what was given to the server, and what was read back."""
    with served(tmp_path, rich_document()) as (_, vcenter):
        yield read_snapshot(tmp_path / "snapshot.json"), vcenter.inventory.snapshot(CLUSTER)


def test_every_host_is_read_back_as_it_was_given(rich: tuple[Snapshot, Snapshot]) -> None:
    given, read = rich
    assert list(map(without_own_usage, read.hosts)) == list(given.hosts)


def test_every_vm_is_read_back_as_it_was_given(rich: tuple[Snapshot, Snapshot]) -> None:
    given, read = rich
    assert all(vm.config_version for vm in read.vms)
    told = [replace(without_samples(vm), config_version=None) for vm in read.vms]
    assert told == list(given.vms)


def test_the_cluster_and_its_surroundings_are_read_back(rich: tuple[Snapshot, Snapshot]) -> None:
    given, read = rich
    assert read.cluster == given.cluster
    assert read.rules == tuple(replace(rule, mandatory=True) for rule in given.rules)
    assert read.datastores == given.datastores
    assert read.networks == given.networks
    below = {pool for pool in given.resource_pools if pool.parent is not None}
    assert {pool for pool in read.resource_pools if pool.parent is not None} == below
    assert read.in_flight == ()


def test_a_host_shows_the_usage_of_its_vms_and_its_own(rich: tuple[Snapshot, Snapshot]) -> None:
    _, read = rich
    assert read.host_by_id[HostId("host-1")].cpu_usage_mhz == 3 * 1_900 + 400
    assert read.host_by_id[HostId("host-1")].memory_usage_mib == 4 * 8_192 + 8_192 + 2_048


def test_a_figure_that_nobody_measured_is_none_and_not_zero(
    rich: tuple[Snapshot, Snapshot],
) -> None:
    _, read = rich
    blind, off = read.vm_by_id[VmId("vm-8")], read.vm_by_id[VmId("vm-7")]
    assert (blind.cpu_demand_mhz, blind.memory_active_mib) == (None, None)
    assert (off.power, off.cpu_usage_mhz) == (PowerState.OFF, None)


def test_the_source_and_the_time_are_the_servers(tmp_path: Path) -> None:
    with served(tmp_path, rich_document()) as (server, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
        assert read.source.kind is SourceKind.VCENTER
        assert read.source.name == "test"
        assert read.source.instance_uuid == server.greeting.instance_uuid
        assert read.source.api_version == server.greeting.api_version
        assert read.source.rejected_objects == 0
        assert abs(datetime.now(UTC) - read.taken_at) < timedelta(seconds=30)


def test_vm_host_rules_name_the_members_of_their_groups(tmp_path: Path) -> None:
    rules = [
        {"name": "pin", "type": "vm_host_affine", "vms": ["vm-1"], "hosts": ["host-2"]},
        {
            "name": "ban",
            "type": "vm_host_anti_affine",
            "vms": ["vm-2"],
            "hosts": ["host-1"],
            "mandatory": False,
        },
    ]
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1), vm_row(2, 1)], rules=rules)
    with served(tmp_path, doc) as (_, vcenter):
        given = read_snapshot(tmp_path / "snapshot.json")
        assert vcenter.inventory.snapshot(CLUSTER).rules == given.rules


@pytest.mark.parametrize("word", [blocker.value for blocker in Blocker])
def test_each_blocker_is_seen_as_it_was_given(tmp_path: Path, word: str) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1, blockers=[word])])
    with served(tmp_path, doc) as (_, vcenter):
        (vm,) = vcenter.inventory.snapshot(CLUSTER).vms
        assert vm.blockers == (Blocker(word),)


def test_processor_features_are_read_only_where_hosts_differ_and_evc_is_off(
    tmp_path: Path,
) -> None:
    vm = vm_row(1, 1, cpu_features={"cpuid.avx": "Bool:Min:1"})
    old, new = ({"cpuid.avx": "0"}, {"cpuid.avx": "1"})
    different = document([host_row(1, cpu_features=old), host_row(2, cpu_features=new)], [vm])
    alike = document([host_row(1, cpu_features=new), host_row(2, cpu_features=new)], [vm])
    masked = document(different["hosts"], [vm], cluster={"evc_mode": "intel-skylake"})
    with served(tmp_path, different) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
        assert read.vms[0].cpu_features == {"cpuid.avx": "Bool:Min:1"}
        assert [host.cpu_features for host in read.hosts] == [old, new]
    with served(tmp_path, alike) as (_, vcenter):
        assert vcenter.inventory.snapshot(CLUSTER).vms[0].cpu_features == {}
    with served(tmp_path, masked) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
        assert read.cluster.evc_mode == "intel-skylake"
        assert [host.cpu_features for host in read.hosts] == [{}, {}]


@pytest.mark.parametrize("state", ["disconnected", "not_responding"])
def test_a_lost_host_keeps_its_vms_and_drops_their_numbers(tmp_path: Path, state: str) -> None:
    doc = document([host_row(1, state=state), host_row(2)], [vm_row(1, 1), vm_row(2, 2)])
    with served(tmp_path, doc) as (_, vcenter):
        read = vcenter.inventory.snapshot(CLUSTER)
        lost, alive = read.hosts
        assert lost.state is HostState(state)
        assert (lost.cpu_usage_mhz, alive.cpu_usage_mhz) == (None, 2_000)
        assert [vm.cpu_demand_mhz for vm in read.vms] == [None, 2_000]


def test_failover_hosts_are_read_from_ha(tmp_path: Path) -> None:
    cluster = {"ha": {"enabled": True, "failover_hosts": ["host-2"]}}
    doc = document([host_row(1), host_row(2)], [], cluster=cluster)
    with served(tmp_path, doc) as (_, vcenter):
        assert vcenter.inventory.snapshot(CLUSTER).cluster.ha.failover_hosts == {"host-2"}


def test_small_pages_give_the_same_snapshot(tmp_path: Path) -> None:
    vms = [vm_row(number, 1 + number % 3) for number in range(1, 24)]
    doc = document([host_row(number) for number in (1, 2, 3)], vms)
    heard = HeardRequests()
    with start_vcenter(write(tmp_path, doc)) as server:
        with connect(settings_for(server)) as vcenter:
            whole = vcenter.inventory.snapshot(CLUSTER)
        with connect(settings_for(server, page_size=5), observer=heard) as vcenter:
            paged = vcenter.inventory.snapshot(CLUSTER)
    assert replace(paged, taken_at=whole.taken_at) == whole
    assert len(paged.vms) == 23
    assert heard.requests["ContinueRetrievePropertiesEx", "ok"] >= 4


def test_every_view_is_destroyed(tmp_path: Path) -> None:
    with served(tmp_path, document([host_row(1)], [vm_row(1, 1)])) as (server, vcenter):
        vcenter.inventory.snapshot(CLUSTER)
        calls = server.control.calls().calls
        assert calls["DestroyView"] == calls["CreateContainerView"] > 0


def test_devices_are_read_once_while_a_vm_stays_as_it_is(tmp_path: Path) -> None:
    with served(tmp_path, document([host_row(1)], [vm_row(1, 1)])) as (server, vcenter):
        vcenter.inventory.snapshot(CLUSTER)
        first = server.control.calls().calls["RetrievePropertiesEx"]
        server.control.forget_calls()
        vcenter.inventory.snapshot(CLUSTER)
        # Fixed facts, EVC modes, the hypervisor's own share and the counters are known the second time.
        assert server.control.calls().calls["RetrievePropertiesEx"] == first - 6


def test_clusters_are_listed_by_name(tmp_path: Path) -> None:
    with served(tmp_path, document([host_row(1)], [])) as (_, vcenter):
        assert vcenter.inventory.clusters() == (CLUSTER,)


def test_a_cluster_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with (
        served(tmp_path, document([host_row(1)], [])) as (_, vcenter),
        pytest.raises(SourceAnswerInvalid, match=r"the cluster domain-c99.*it is gone"),
    ):
        vcenter.inventory.snapshot(ClusterRef(id=ClusterId("domain-c99"), name="lost"))


def test_refresh_sees_what_changed_and_keeps_the_rest(tmp_path: Path) -> None:
    hosts = [host_row(number) for number in (1, 2, 3)]
    vms = [vm_row(1, 1), vm_row(2, 1), vm_row(3, 2), vm_row(4, 3)]
    with served(tmp_path, document(hosts, vms)) as (server, vcenter):
        base = vcenter.inventory.snapshot(CLUSTER)
        server.control.move("vm1", "esx2")
        server.control.set_demand("vm3", cpu_mhz=5_000)
        server.control.set_demand("vm4", cpu_mhz=7_000)
        server.control.set_host_state("esx2", "entering_maintenance")
        server.control.add_rule("new", "anti_affinity", vms=["vm1", "vm3"])
        server.control.drs(enabled=True, automation="fullyAutomated")
        fresh = vcenter.inventory.refresh(base, vms=[VmId("vm-1")], hosts=[HostId("host-2")])
        assert fresh.vm_by_id[VmId("vm-1")].host == "host-2"
        assert fresh.vm_by_id[VmId("vm-3")].cpu_demand_mhz == 5_000
        assert fresh.vm_by_id[VmId("vm-4")].cpu_demand_mhz == 2_000  # not asked for
        assert fresh.host_by_id[HostId("host-2")].state is HostState.ENTERING_MAINTENANCE
        assert [rule.name for rule in fresh.rules] == ["new"]
        assert (base.cluster.drs.acts_alone, fresh.cluster.drs.acts_alone) == (False, True)
        assert fresh.taken_at >= base.taken_at
        assert fresh.host_by_id[HostId("host-3")] == base.host_by_id[HostId("host-3")]


def test_refresh_finds_a_vm_that_left_a_named_host(tmp_path: Path) -> None:
    with served(tmp_path, document([host_row(1), host_row(2)], [vm_row(1, 1)])) as (
        server,
        vcenter,
    ):
        base = vcenter.inventory.snapshot(CLUSTER)
        server.control.move("vm1", "esx2")
        fresh = vcenter.inventory.refresh(base, vms=[], hosts=[HostId("host-1")])
        assert fresh.vm_by_id[VmId("vm-1")].host == "host-2"


def test_refresh_leaves_out_what_is_gone(tmp_path: Path) -> None:
    with served(tmp_path, document([host_row(1)], [vm_row(1, 1)])) as (_, vcenter):
        base = vcenter.inventory.snapshot(CLUSTER)
        ghost = replace(base.vms[0], id=VmId("vm-99"))
        with_ghost = replace(base, vms=(*base.vms, ghost))
        fresh = vcenter.inventory.refresh(with_ghost, vms=[ghost.id, VmId("vm-1")], hosts=[])
        assert [vm.id for vm in fresh.vms] == ["vm-1"]


def test_the_server_checks_a_move_that_would_work(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1)])
    with served(tmp_path, doc) as (_, vcenter):
        assert vcenter.inventory.check(VmId("vm-1"), HostId("host-2")) == ServerAnswer()


def test_the_server_check_names_the_reason(tmp_path: Path) -> None:
    vm = vm_row(1, 1, min_evc_mode="intel-icelake")
    doc = document([host_row(1), host_row(2, max_evc_mode="intel-haswell")], [vm])
    with served(tmp_path, doc) as (_, vcenter):
        (refusal,) = vcenter.inventory.check(VmId("vm-1"), HostId("host-2")).refusals
        assert refusal.reason is Reason.CPU_FEATURES
        assert (refusal.vm, refusal.host) == ("vm-1", "host-2")
        assert refusal.detail.startswith("CpuIncompatible")


def test_a_check_of_a_vm_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with (
        served(tmp_path, document([host_row(1)], [])) as (_, vcenter),
        pytest.raises(SourceAnswerInvalid, match="ManagedObjectNotFound"),
    ):
        vcenter.inventory.check(VmId("vm-99"), HostId("host-1"))


def test_tasks_are_seen_running_done_failed_and_missing(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(n, 1) for n in (1, 2, 3)])
    with served(tmp_path, doc) as (server, vcenter):
        server.control.set_migration_seconds(30.0, vm="vm1")
        server.control.add_fault("Timedout", vm="vm3", after_s=0.0, message="too slow")
        for name in ("vm1", "vm2", "vm3"):
            server.control.move(name, "esx2", seconds=30.0 if name == "vm1" else 0.05)
        keys = [str(line.task) for line in server.control.relocations()]
        views = wait_for(
            lambda: vcenter.inventory.tasks([*keys, "task-none"]),
            lambda seen: sum(view.state.has_ended for view in seen.values()) == 3,
            what="two tasks to end",
        )
        running, done, failed = (views[key] for key in keys)
        assert (running.state, running.fault) == (TaskState.RUNNING, "")
        assert running.progress_percent is not None
        assert done.state is TaskState.SUCCESS
        assert (failed.state, failed.fault) == (TaskState.ERROR, "Timedout")
        assert "too slow" in failed.message
        assert views["task-none"].state is TaskState.MISSING


def test_a_migration_of_somebody_else_is_in_flight(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1)])
    with served(tmp_path, doc) as (server, vcenter):
        server.control.move("vm1", "esx2", seconds=30.0)
        wait_for(
            lambda: server.control.state().cluster.running_migrations,
            lambda running: running == 1,
            what="the migration to start",
        )
        (flight,) = vcenter.inventory.snapshot(CLUSTER).in_flight
        assert (flight.vm, flight.source, flight.target) == ("vm-1", "host-1", "host-2")
        assert flight.task == server.control.relocations()[0].task
        assert flight.started_at is not None


def test_a_migration_that_waits_for_a_slot_has_no_target_yet(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1), vm_row(2, 1)])
    with (
        start_vcenter(write(tmp_path, doc), host_slots=1) as server,
        connect(settings_for(server)) as vcenter,
    ):
        for name in ("vm1", "vm2"):
            server.control.move(name, "esx2", seconds=30.0)
        flights = vcenter.inventory.snapshot(CLUSTER).in_flight
        assert [(flight.vm, flight.target) for flight in flights] == [
            ("vm-1", "host-2"),
            ("vm-2", "host-1"),  # its own host stands for "not known"
        ]
