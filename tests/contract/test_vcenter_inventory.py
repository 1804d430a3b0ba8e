"""The test vCenter shows a snapshot file on the wire as a vCenter would."""

import json
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyVmomi import vim, vmodl

from tests.support.vcenter import connect, start_vcenter
from tests.support.wire import QUERY, Reader, document, host_row, values, vm_row, write

pytestmark = pytest.mark.wire

EXAMPLE = Path(__file__).resolve().parent.parent / "data" / "small.snapshot.json"


def serve(directory: Path, doc: dict[str, Any], **options: Any) -> Any:
    return start_vcenter(write(directory, doc), **options)


def test_the_ids_of_the_file_are_the_ids_on_the_wire() -> None:
    doc = json.loads(EXAMPLE.read_text())
    with start_vcenter(EXAMPLE) as server, connect(server) as instance:
        reader = Reader(instance)
        hosts = {o._moId for o in reader.all(vim.HostSystem).values()}
        vms = {o._moId for o in reader.all(vim.VirtualMachine).values()}
        assert hosts == {row["id"] for row in doc["hosts"]}
        assert vms == {row["id"] for row in doc["vms"]}
        assert reader.cluster()._moId == doc["cluster"]["id"]
        assert set(reader.all(vim.Network)) == {"prod"}


def test_whole_structures_can_be_read_by_pyvmomi() -> None:
    with start_vcenter(EXAMPLE) as server, connect(server) as instance:
        reader = Reader(instance)
        for host in reader.all(vim.HostSystem).values():
            for path in ("summary", "runtime", "config", "hardware", "capability"):
                assert getattr(host, path) is not None
        for vm in reader.all(vim.VirtualMachine).values():
            for path in ("summary", "runtime", "config", "resourceConfig"):
                assert getattr(vm, path) is not None
        for store in reader.all(vim.Datastore).values():
            assert (store.summary, store.host, store.info) is not None
        assert isinstance(reader.cluster().configurationEx, vim.cluster.ConfigInfoEx)
        assert isinstance(reader.cluster().summary, vim.ClusterComputeResource.Summary)


def test_the_server_announces_version_8_and_its_evc_table(tmp_path: Path) -> None:
    doc = document([host_row(1)], [], cluster={"evc_mode": "intel-skylake"})
    with serve(tmp_path, doc) as server, connect(server) as instance:
        about = instance.RetrieveContent().about
        assert (about.apiType, about.apiVersion) == ("VirtualCenter", "8.0.3.0")
        assert about.instanceUuid == server.greeting.instance_uuid
        state = Reader(instance).cluster().EvcManager().evcState
        assert state.currentEVCModeKey == "intel-skylake"
        modes = {m.key: (m.vendor, m.vendorTier, list(m.track)) for m in state.supportedEVCMode}
        assert modes == {
            m["key"]: (m["vendor"], m["tier"], m["track"]) for m in doc["cluster"]["evc_modes"]
        }
        assert len(instance.capability.supportedEVCMode) == len(modes)


def test_a_wrong_password_is_an_invalid_login(tmp_path: Path) -> None:
    with (
        serve(tmp_path, document([host_row(1)], [])) as server,
        pytest.raises(vim.fault.InvalidLogin),
        connect(server, password="wrong"),
    ):
        pass


def test_the_certificate_is_verified_against_the_announced_one(tmp_path: Path) -> None:
    with serve(tmp_path, document([host_row(1)], [])) as server:
        address = server.url.replace("127.0.0.1", "localhost") + "/vimServiceVersions.xml"
        assert "8.0.3.0" in httpx.get(address, verify=server.tls_context()).text
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(address, verify=ssl.create_default_context())


def test_an_expired_session_is_not_authenticated_for_reads_and_calls(tmp_path: Path) -> None:
    with (
        serve(tmp_path, document([host_row(1)], [vm_row(1, 1)])) as server,
        connect(server) as instance,
    ):
        vm = Reader(instance).vm("vm1")
        assert server.control.expire_sessions() == 1
        with pytest.raises(vim.fault.NotAuthenticated):
            _ = vm.name
        with pytest.raises(vim.fault.NotAuthenticated):
            vm.Relocate(vim.vm.RelocateSpec())
        with pytest.raises(vim.fault.NotAuthenticated):
            instance.CurrentTime()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("connected", ("connected", "poweredOn", False, False)),
        ("quarantine", ("connected", "poweredOn", False, True)),
        ("maintenance", ("connected", "poweredOn", True, False)),
        ("entering_maintenance", ("connected", "poweredOn", False, False)),
        ("standby", ("connected", "standBy", False, False)),
        ("disconnected", ("disconnected", "unknown", False, False)),
        ("not_responding", ("notResponding", "unknown", False, False)),
    ],
)
def test_each_host_state_has_its_runtime_properties(
    tmp_path: Path, state: str, expected: tuple[str, str, bool, bool]
) -> None:
    doc = document([host_row(1), host_row(2, state=state)], [vm_row(1, 2)])
    with serve(tmp_path, doc) as server, connect(server) as instance:
        runtime = Reader(instance).host("esx2").runtime
        seen = (runtime.connectionState, runtime.powerState)
        assert (*seen, runtime.inMaintenanceMode, runtime.inQuarantineMode) == expected


def test_hosts_show_hardware_vmotion_and_the_hypervisors_own_share(tmp_path: Path) -> None:
    row = host_row(
        1,
        cpu_overhead_mhz=1200,
        memory_overhead_mib=3000,
        max_running_vms=40,
        numa_nodes=2,
        cpu_features={"cpuid.avx": "1"},
        vmotion={"enabled": True, "link_mbps": 20_000, "encrypted_supported": False},
    )
    odd = host_row(2, cpu_capacity_mhz=83_200, vmotion={"enabled": False})
    del odd["cpu_cores"]
    with serve(tmp_path, document([row, odd], [])) as server, connect(server) as instance:
        host, other = Reader(instance).host("esx1"), Reader(instance).host("esx2")
        hardware = host.summary.hardware
        assert (hardware.cpuMhz * hardware.numCpuCores, hardware.numCpuCores) == (80_000, 32)
        assert hardware.memorySize == 262_144 << 20
        assert other.summary.hardware.cpuMhz * other.summary.hardware.numCpuCores == 83_200
        assert host.summary.maxEVCModeKey == "intel-icelake"
        assert host.hardware.numaInfo.numNodes == 2
        assert host.capability.maxHostRunningVms == 40
        assert host.capability.encryptedVMotionSupported is False
        assert other.capability.encryptedVMotionSupported is True
        assert (host.summary.config.vmotionEnabled, other.summary.config.vmotionEnabled) == (
            True,
            False,
        )
        assert [(f.key, f.value) for f in host.config.featureCapability] == [("cpuid.avx", "1")]
        reserved = host.systemResources.child[0].config
        assert reserved.cpuAllocation.reservation == 1200
        assert reserved.memoryAllocation.reservation == 3000
        assert (vmotion_mbps(host), vmotion_mbps(other)) == (20_000, 0)


def vmotion_mbps(host: Any) -> int:
    """Follow the selected vMotion adapter to its port group, switch and cards."""
    (net,) = [n for n in host.config.virtualNicManagerInfo.netConfig if n.nicType == "vmotion"]
    network, total = host.config.network, 0
    for vnic in (v for v in net.candidateVnic if v.key in net.selectedVnic):
        (group,) = [g for g in network.portgroup if g.spec.name == vnic.portgroup]
        (switch,) = [s for s in network.vswitch if s.key == group.vswitch]
        total += sum(p.linkSpeed.speedMb for p in network.pnic if p.key in switch.pnic)
    return total


def test_vms_show_sizes_demands_and_reservations(tmp_path: Path) -> None:
    row = vm_row(
        1,
        1,
        uuid="5021c0de-0000-4000-8000-000000000001",
        cpu_usage_mhz=1500,
        cpu_ready_percent=3,
        memory_granted_mib=9000,
        memory_swapped_mib=10,
        memory_ballooned_mib=20,
        cpu_reservation_mhz=500,
        memory_reservation_mib=1024,
        cpu_limit_mhz=6000,
        cpu_shares=7000,
        encryption="required",
        folder="apps/web",
        resource_pool="resgroup-20",
        evc_mode="intel-haswell",
        cpu_features={"cpuid.avx": "Bool:Min:1"},
    )
    pools = [{"id": "resgroup-20", "name": "gold", "parent": None}]
    doc = document([host_row(1)], [row], resource_pools=pools)
    with serve(tmp_path, doc) as server, connect(server) as instance:
        vm = Reader(instance).vm("vm1")
        stats, config = vm.summary.quickStats, vm.summary.config
        assert (stats.overallCpuUsage, stats.overallCpuDemand, stats.overallCpuReadiness) == (
            1500,
            2000,
            3,
        )
        assert (stats.guestMemoryUsage, stats.activeMemory, stats.hostMemoryUsage) == (
            4096,
            4096,
            8192,
        )
        assert (stats.grantedMemory, stats.swappedMemory, stats.balloonedMemory) == (9000, 10, 20)
        assert (config.numCpu, config.memorySizeMB) == (4, 16_384)
        assert (config.cpuReservation, config.memoryReservation) == (500, 1024)
        assert config.instanceUuid == vm.config.instanceUuid == row["uuid"]
        cpu = vm.config.cpuAllocation
        assert (cpu.reservation, cpu.limit, cpu.shares.shares) == (500, 6000, 7000)
        assert vm.config.memoryAllocation.limit == -1
        assert vm.config.migrateEncryption == "required"
        assert vm.runtime.minRequiredEVCModeKey == "intel-haswell"
        assert [(r.key, r.value) for r in vm.runtime.featureRequirement] == [
            ("cpuid.avx", "Bool:Min:1")
        ]
        assert vm.runtime.faultToleranceState == "notConfigured"
        assert (vm.resourcePool.name, vm.resourcePool.parent.name) == ("gold", "Resources")
        assert (vm.parent.name, vm.parent.parent.name) == ("web", "apps")


def test_numbers_that_the_file_does_not_have_are_unset_and_not_zero(tmp_path: Path) -> None:
    row = vm_row(1, 1)
    del row["memory_active_mib"]
    paths = [
        "summary.quickStats.guestMemoryUsage",
        "summary.quickStats.hostMemoryUsage",
        "summary.quickStats.swappedMemory",
    ]
    with serve(tmp_path, document([host_row(1)], [row])) as server, connect(server) as instance:
        reader = Reader(instance)
        ((vm,),) = reader.retrieve(vim.VirtualMachine, paths)
        assert values(vm) == {"summary.quickStats.hostMemoryUsage": 8192}
        ((host,),) = reader.retrieve(vim.HostSystem, ["capability.maxHostRunningVms"])
        assert values(host) == {}


def test_reach_of_datastores_and_networks_is_the_hosts(tmp_path: Path) -> None:
    hosts = [
        host_row(1),
        host_row(2, datastores=["datastore-1"], networks=["network-9"]),
        host_row(3, datastores=[], networks=[]),
    ]
    doc = document(
        hosts,
        [vm_row(1, 1)],
        datastores=[
            {"id": "datastore-1", "name": "vmfs-1"},
            {"id": "datastore-2", "name": "down", "state": "inaccessible"},
            {"id": "datastore-3", "name": "leaving", "state": "entering_maintenance"},
        ],
        networks=[
            {"id": "dvportgroup-7", "name": "prod"},
            {"id": "network-9", "name": "VM Network"},
        ],
    )
    with serve(tmp_path, doc) as server, connect(server) as instance:
        reader = Reader(instance)
        stores = reader.all(vim.Datastore)
        mounted = {name: [m.key.name for m in ds.host] for name, ds in stores.items()}
        assert mounted == {"vmfs-1": ["esx1", "esx2"], "down": ["esx1"], "leaving": ["esx1"]}
        assert [m.mountInfo.accessMode for m in stores["vmfs-1"].host] == ["readWrite"] * 2
        assert stores["vmfs-1"].summary.multipleHostAccess is True
        assert stores["down"].summary.accessible is False
        assert stores["leaving"].summary.maintenanceMode == "enteringMaintenance"
        reach = {n: [x.name for x in h.network] for n, h in reader.all(vim.HostSystem).items()}
        assert reach == {"esx1": ["prod", "VM Network"], "esx2": ["VM Network"], "esx3": []}
        kinds = {n: type(x) for n, x in reader.all(vim.Network).items()}
        assert kinds == {
            "prod": vim.dvs.DistributedVirtualPortgroup,
            "VM Network": vim.Network,
        }
        assert [x.name for x in reader.vm("vm1").datastore] == ["vmfs-1"]


def test_rules_groups_and_overrides_are_in_the_clusters_configuration(tmp_path: Path) -> None:
    vms = [
        vm_row(1, 1, groups=["web"]),
        vm_row(2, 1, automation="disabled"),
        vm_row(3, 1, automation="manual"),
    ]
    rules = [
        {"name": "together", "type": "affinity", "vms": ["vm-1", "vm-2"]},
        {
            "name": "apart",
            "type": "anti_affinity",
            "vms": ["vm-2", "vm-3"],
            "enabled": False,
            "mandatory": False,
        },
        {"name": "there", "type": "vm_host_affine", "vms": ["vm-1"], "hosts": ["host-1"]},
        {"name": "not there", "type": "vm_host_anti_affine", "vms": ["vm-3"], "hosts": ["host-2"]},
    ]
    doc = document([host_row(1, groups=["rack"]), host_row(2)], vms, rules=rules)
    with serve(tmp_path, doc) as server, connect(server) as instance:
        config = Reader(instance).cluster().configurationEx
        rule = {r.name: r for r in config.rule}
        assert isinstance(rule["together"], vim.cluster.AffinityRuleSpec)
        assert [v._moId for v in rule["together"].vm] == ["vm-1", "vm-2"]
        assert isinstance(rule["apart"], vim.cluster.AntiAffinityRuleSpec)
        assert (rule["apart"].enabled, rule["apart"].mandatory) == (False, False)
        groups = {
            g.name: [m._moId for m in (g.vm if isinstance(g, vim.cluster.VmGroup) else g.host)]
            for g in config.group
        }
        there, away = rule["there"], rule["not there"]
        assert groups[there.vmGroupName] == ["vm-1"]
        assert groups[there.affineHostGroupName] == ["host-1"]
        assert groups[away.antiAffineHostGroupName] == ["host-2"]
        assert (groups["web"], groups["rack"]) == (["vm-1"], ["host-1"])
        overrides = {o.key._moId: (o.enabled, o.behavior) for o in config.drsVmConfig}
        assert overrides == {"vm-2": (False, None), "vm-3": (True, "manual")}
        assert config.drsConfig.enabled is False


@pytest.mark.parametrize(
    ("ha", "kind", "facts"),
    [
        (
            {"host_failures_to_tolerate": 1},
            vim.cluster.FailoverLevelAdmissionControlPolicy,
            {"failoverLevel": 1},
        ),
        (
            {"cpu_reserve_percent": 25, "memory_reserve_percent": 30},
            vim.cluster.FailoverResourcesAdmissionControlPolicy,
            {"cpuFailoverResourcesPercent": 25, "memoryFailoverResourcesPercent": 30},
        ),
        ({"failover_hosts": ["host-2"]}, vim.cluster.FailoverHostAdmissionControlPolicy, {}),
    ],
    ids=["host failures", "percentages", "failover hosts"],
)
def test_ha_admission_control_has_the_policy_of_the_file(
    tmp_path: Path, ha: dict[str, Any], kind: type, facts: dict[str, int]
) -> None:
    doc = document([host_row(1), host_row(2)], [], cluster={"ha": {"enabled": True, **ha}})
    with serve(tmp_path, doc) as server, connect(server) as instance:
        das = Reader(instance).cluster().configurationEx.dasConfig
        policy = das.admissionControlPolicy
        assert (das.enabled, type(policy)) == (True, kind)
        assert {name: getattr(policy, name) for name in facts} == facts
        if "failover_hosts" in ha:
            assert [h._moId for h in policy.failoverHosts] == ["host-2"]


BLOCKERS: dict[str, Any] = {
    "passthrough_device": lambda vm: device(vm, vim.vm.device.VirtualPCIPassthrough),
    "vgpu": lambda vm: isinstance(
        device(vm, vim.vm.device.VirtualPCIPassthrough).backing,
        vim.vm.device.VirtualPCIPassthrough.VmiopBackingInfo,
    ),
    "sriov": lambda vm: device(vm, vim.vm.device.VirtualSriovEthernetCard),
    "usb_device": lambda vm: device(vm, vim.vm.device.VirtualUSB).connected,
    "cpu_affinity": lambda vm: list(vm.config.cpuAffinity.affinitySet) == [0, 1],
    "host_local_cdrom": lambda vm: isinstance(
        device(vm, vim.vm.device.VirtualCdrom).backing,
        vim.vm.device.VirtualCdrom.AtapiBackingInfo,
    ),
    "local_cdrom_backing": lambda vm: (
        [m.key._moId for m in device(vm, vim.vm.device.VirtualCdrom).backing.datastore.host]
        == ["host-1"]
    ),
    "tools_installing": lambda vm: vm.runtime.toolsInstallerMounted,
    "shared_scsi_bus": lambda vm: (
        device(vm, vim.vm.device.VirtualSCSIController).sharedBus == "virtualSharing"
    ),
    "fault_tolerance": lambda vm: (
        vm.runtime.faultToleranceState == "running" and vm.config.ftInfo.role == 1
    ),
    "pending_question": lambda vm: vm.runtime.question.text,
    "inaccessible": lambda vm: vm.runtime.connectionState == "inaccessible" and vm.config is None,
    "method_disabled": lambda vm: "RelocateVM_Task" in vm.disabledMethod,
    "agent_vm": lambda vm: vm.summary.config.managedBy.extensionKey == "com.vmware.vim.eam",
    "consolidating": lambda vm: vm.runtime.snapshotInBackground,
    "latency_sensitive_pinned": lambda vm: (
        vm.config.latencySensitivity.level == "high"
        and vm.config.cpuAllocation.reservation == vm.runtime.maxCpuUsage
    ),
}


def device(vm: Any, kind: type) -> Any:
    (found,) = [d for d in vm.config.hardware.device if isinstance(d, kind)]
    return found


def test_each_blocker_shows_as_vsphere_shows_it(tmp_path: Path) -> None:
    words = sorted(BLOCKERS)
    vms = [vm_row(n, 1, name=word, blockers=[word]) for n, word in enumerate(words)]
    doc = document([host_row(1), host_row(2)], [*vms, vm_row(99, 1, name="free")])
    with serve(tmp_path, doc) as server, connect(server) as instance:
        found = Reader(instance).all(vim.VirtualMachine)
        assert [word for word in words if not BLOCKERS[word](found[word])] == []
        free = found["free"]
        assert (list(free.disabledMethod), list(free.config.hardware.device)) == ([], [])


def test_bulk_reads_come_in_pages_without_loss(tmp_path: Path) -> None:
    vms = [vm_row(n, 1 + n % 2) for n in range(25)]
    doc = document([host_row(1), host_row(2)], vms)
    with serve(tmp_path, doc) as server, connect(server) as instance:
        pages = Reader(instance).retrieve(vim.VirtualMachine, ["name", "snapshot"], page=10)
        assert [len(page) for page in pages] == [10, 10, 5]
        names = [values(vm)["name"] for page in pages for vm in page]
        assert sorted(names) == sorted(row["name"] for row in vms)


def test_an_unknown_property_path_faults_the_call(tmp_path: Path) -> None:
    with serve(tmp_path, document([host_row(1)], [])) as server, connect(server) as instance:
        spec = QUERY.FilterSpec(
            objectSet=[QUERY.ObjectSpec(obj=Reader(instance).host("esx1"))],
            propSet=[QUERY.PropertySpec(type=vim.HostSystem, pathSet=["summary.noSuchThing"])],
        )
        collector = instance.RetrieveContent().propertyCollector
        with pytest.raises(vmodl.query.InvalidProperty) as caught:
            collector.RetrievePropertiesEx([spec], QUERY.RetrieveOptions())
        assert caught.value.name == "summary.noSuchThing"


def test_a_file_that_cannot_be_served_is_refused_with_its_problems(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(1)], [vm_row(1, 7)])
    with pytest.raises(Exception, match=r'(?s)"host-1" is .* used twice.*unknown host "host-7"'):
        serve(tmp_path, doc)


def test_the_current_inventory_can_be_written_as_a_snapshot(tmp_path: Path) -> None:
    doc = document([host_row(1), host_row(2)], [vm_row(1, 1)])
    with serve(tmp_path, doc) as server:
        server.control.move("vm1", "esx2")
        now = json.loads(server.control.snapshot_json())
        assert now["schema"] == "balancer/snapshot/v1"
        assert [row["host"] for row in now["vms"]] == ["host-2"]
        assert now["cluster"]["evc_modes"] == doc["cluster"]["evc_modes"]
