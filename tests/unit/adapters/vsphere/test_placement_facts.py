"""Facts that decide a placement and are easily missed: each is seen, by the word that the planner knows."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.cluster import cluster_from
from balancer.adapters.vsphere.devices import DeviceFacts, devices_from
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.hosts import HostContext, host_from
from balancer.adapters.vsphere.places import pool_from
from balancer.adapters.vsphere.tasks import open_tasks_from
from balancer.adapters.vsphere.vms import VmContext, vm_from
from balancer.model.host import HostState
from balancer.model.units import VmId
from balancer.model.vm import (
    Automation,
    Blocker,
    Disk,
    DiskKind,
    Encryption,
    SwapPlacement,
    Vm,
)
from tests.unit.adapters.vsphere.build import facts, host_facts, ref, vm_facts
from tests.unit.adapters.vsphere.test_devices import CONNECTED, cd

dev = vim.vm.device


def translated(context: VmContext | None = None, **values: Any) -> Vm:
    vm = vm_from(vm_facts(**values), DeviceFacts(), context or VmContext())
    assert vm is not None
    return vm


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (dev.VirtualSCSIPassthrough(key=1), Blocker.PASSTHROUGH_DEVICE),
        (
            cd(dev.VirtualCdrom.IsoBackingInfo(fileName="[] /vmfs/volumes/x/a.iso")),
            Blocker.LOCAL_CDROM_BACKING,
        ),
        (cd(None), Blocker.HOST_LOCAL_CDROM),
        (
            dev.VirtualFloppy(
                key=1,
                connectable=CONNECTED,
                backing=dev.VirtualFloppy.DeviceBackingInfo(deviceName="/dev/fd0"),
            ),
            Blocker.HOST_LOCAL_CDROM,
        ),
        (
            dev.VirtualUSB(
                key=1,
                connected=True,
                backing=dev.VirtualUSB.RemoteHostBackingInfo(deviceName="x", hostname="esx1"),
            ),
            Blocker.USB_DEVICE,
        ),
        (
            dev.VirtualPCIPassthrough(
                key=1, backing=dev.VirtualPCIPassthrough.DvxBackingInfo(deviceClass="x")
            ),
            Blocker.PASSTHROUGH_DEVICE,
        ),
    ],
    ids=[
        "a SCSI device of the host",
        "an image that lies on the host itself",
        "a connected drive without a backing",
        "a floppy drive of the host",
        "a USB device that moves along at most",
        "a device of a device class",
    ],
)
def test_what_ties_a_vm_to_its_host(device: Any, expected: Blocker) -> None:
    assert devices_from([device]) == DeviceFacts(blockers=frozenset({expected}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"config__memoryReservationLockedToMax": True}, 8_192.0),
        ({"config__memoryReservationLockedToMax": False}, 0.0),
        (
            {
                "config__memoryReservationLockedToMax": True,
                "config__memoryAllocation__reservation": 9_000,
            },
            9_000.0,
        ),
        ({"config__memoryAllocation__reservation": 512}, 512.0),
    ],
    ids=["locked", "not locked", "locked, and told larger", "told"],
)
def test_a_reservation_that_is_locked_to_the_maximum_is_the_whole_size(
    values: dict[str, Any], expected: float
) -> None:
    assert translated(**values).memory_reservation_mib == expected


@pytest.mark.parametrize(
    ("own", "cluster", "expected"),
    [
        ("inherit", "hostLocal", SwapPlacement.HOST_LOCAL),
        (None, "vmDirectory", SwapPlacement.VM_DIRECTORY),
        ("hostLocal", "vmDirectory", SwapPlacement.HOST_LOCAL),
        ("something-new", "vmDirectory", None),
        (None, None, None),
    ],
)
def test_the_swap_file_lies_where_the_vm_or_else_the_cluster_says(
    own: str | None, cluster: str | None, expected: SwapPlacement | None
) -> None:
    vm = translated(VmContext(swap_placement=cluster), config__swapPlacement=own)
    assert vm.swap_placement is expected


def test_disks_are_told_with_datastore_size_kind_and_sharing() -> None:
    store = ref(vim.Datastore, "datastore-1")
    flat = dev.VirtualDisk.FlatVer2BackingInfo
    raw = dev.VirtualDisk.RawDiskMappingVer1BackingInfo
    backings = [
        flat(fileName="[a] a.vmdk", datastore=store, diskMode="persistent"),
        flat(
            fileName="[a] b.vmdk",
            datastore=store,
            diskMode="persistent",
            sharing="sharingMultiWriter",
        ),
        raw(fileName="[a] c.vmdk", datastore=store),
        flat(fileName="[a] d.vmdk", diskMode="persistent"),
    ]
    disks = [dev.VirtualDisk(key=1, capacityInKB=2_048, backing=backing) for backing in backings]
    assert devices_from(disks).disks == (
        Disk(datastore="datastore-1", capacity_mib=2.0),
        Disk(datastore="datastore-1", capacity_mib=2.0, is_shared=True),
        Disk(datastore="datastore-1", capacity_mib=2.0, kind=DiskKind.RAW),
    )


def test_an_encrypted_vm_requires_encrypted_vmotion_whatever_its_setting_says() -> None:
    vm = translated(config__migrateEncryption="opportunistic", config__keyId__keyId="k-1")
    assert vm.encryption is Encryption.REQUIRED


@pytest.mark.parametrize(
    "what",
    ["VirtualMachine.consolidateDisks", "VirtualMachine.removeAllSnapshots", "vm.Snapshot.remove"],
)
@pytest.mark.parametrize(("state", "blocks"), [("running", True), ("success", False)])
def test_a_vm_whose_disks_are_merged_stays_while_the_task_runs(
    what: str, state: str, blocks: bool
) -> None:
    task = facts(
        "task-1",
        "Task",
        info__entity=ref(vim.VirtualMachine, "vm-1"),
        info__descriptionId=what,
        info__state=state,
    )
    found = open_tasks_from([task]).consolidating
    assert found == (frozenset({VmId("vm-1")}) if blocks else frozenset())
    vm = translated(VmContext(consolidating=found))
    assert (Blocker.CONSOLIDATING in vm.blockers) is blocks


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("notInPartialMM", HostState.CONNECTED),
        ("enteringPartialMM", HostState.QUARANTINE),
        ("inPartialMM", HostState.QUARANTINE),
        ("exitingPartialMM", HostState.QUARANTINE),
        ("something-new", HostState.QUARANTINE),
    ],
)
def test_a_host_in_partial_maintenance_takes_only_what_nothing_else_can(
    status: str, expected: HostState
) -> None:
    mode = vim.host.PartialMaintenanceModeRuntimeInfo(key="quickPatchPartialMM", hostStatus=status)
    host = host_from(host_facts(runtime__partialMaintenanceMode=[mode]), HostContext())
    assert host is not None
    assert host.state is expected


def vmk(name: str, address: str | None, mask: str | None = "255.255.255.0") -> Any:
    ip = vim.host.IpConfig(dhcp=False, ipAddress=address, subnetMask=mask)
    spec = vim.host.VirtualNic.Specification(ip=ip)
    return vim.host.VirtualNic(device=name, key=name, portgroup="vMotion", spec=spec)


@pytest.mark.parametrize(
    ("nics", "expected"),
    [
        ([vmk("vmk1", "10.0.1.7")], {"10.0.1.0/24"}),
        (
            [vmk("vmk1", "10.0.1.7"), vmk("vmk2", "10.0.2.7", "255.255.0.0")],
            {"10.0.1.0/24", "10.0.0.0/16"},
        ),
        ([vmk("vmk1", None)], set()),
        ([vmk("vmk1", "not an address")], set()),
    ],
    ids=["one", "two", "no address yet", "no address at all"],
)
def test_the_networks_of_vmotion_are_those_of_the_selected_adapters(
    nics: list[Any], expected: set[str]
) -> None:
    config = vim.host.VirtualNicManager.NetConfig(
        nicType="vmotion", candidateVnic=[*nics, vmk("vmk9", "192.0.2.1")], multiSelectAllowed=True
    )
    config.selectedVnic = [nic.key for nic in nics]
    host = host_from(host_facts(config__virtualNicManagerInfo__netConfig=[config]), HostContext())
    assert host is not None
    assert host.vmotion.networks == expected


def test_networks_count_by_reference_whatever_their_kind() -> None:
    kinds = (vim.Network, vim.OpaqueNetwork, vim.dvs.DistributedVirtualPortgroup)
    refs = [ref(kind, f"network-{number}") for number, kind in enumerate(kinds)]
    expected = {"network-0", "network-1", "network-2"}
    assert translated(network=refs).networks == expected
    host = host_from(host_facts(network=refs), HostContext())
    assert host is not None
    assert host.networks == expected


@pytest.mark.parametrize(
    ("level", "told", "expected"),
    [("high", None, 8_000.0), ("low", 0, 2_000.0), ("custom", 123, 123.0), (None, None, None)],
)
def test_the_shares_of_a_pool_follow_from_its_level_where_none_are_told(
    level: str | None, told: int | None, expected: float | None
) -> None:
    values = {
        "config.cpuAllocation.shares.level": level,
        "config.cpuAllocation.shares.shares": told,
    }
    pool = Facts(
        id="resgroup-2",
        kind="ResourcePool",
        values={"parent": ref(vim.ResourcePool, "resgroup-1"), **values},
    )
    assert pool_from(pool).cpu_shares == expected


def test_a_word_of_drs_that_is_not_known_moves_nothing_unasked() -> None:
    override = vim.cluster.DrsVmConfigInfo(key=ref(vim.VirtualMachine, "vm-1"))
    override.__dict__["behavior"] = "something-new"
    drs = vim.cluster.DrsConfigInfo(enabled=True)
    drs.__dict__["defaultVmBehavior"] = "something-new"
    info = vim.cluster.ConfigInfoEx(drsConfig=drs, drsVmConfig=[override])
    cluster = facts(
        "domain-c8",
        "ClusterComputeResource",
        configurationEx=info,
        summary=vim.ClusterComputeResource.Summary(),
    )
    found = cluster_from(cluster, ())
    assert found is not None
    assert found.automation == {VmId("vm-1"): Automation.MANUAL}
    assert found.cluster.drs.acts_alone
