"""Why vMotions fail, as administrators know it: each is seen in vCenter's facts before the move, by name.

From the properties as vCenter gives them, through translation and laws, to the word and its mend.
"""

from dataclasses import replace
from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.devices import devices_from
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.faults import refusals_of
from balancer.adapters.vsphere.hosts import HostContext, host_from
from balancer.adapters.vsphere.vms import VmContext, vm_from
from balancer.expose.reason_texts import reason_text
from balancer.model.host import Host
from balancer.model.reasons import Reason
from balancer.model.rule import Rule, RuleType
from balancer.model.units import HostId, VmId
from balancer.model.vm import Vm
from balancer.rules import Candidate, judge_move
from balancer.rules.cautions import cautions
from tests.support.builders import placement, snapshot
from tests.unit.adapters.vsphere.build import host_facts, ref, vm_facts
from tests.unit.adapters.vsphere.test_devices import ISO, cd

TARGET, MOVED = HostId("host-2"), VmId("vm-1")
NIC = "vmotion.key-vim.host.VirtualNic-vmk1"


def vmotion_values(*, speed: int = 10_000, address: str = "10.0.1.7", on: bool = True) -> Any:
    """Return a host's vMotion adapter, and the link behind it, as vCenter shows them."""
    ip = vim.host.IpConfig(dhcp=False, ipAddress=address, subnetMask="255.255.255.0")
    spec = vim.host.VirtualNic.Specification(ip=ip, portgroup="vMotion")
    nic = vim.host.VirtualNic(device="vmk1", key=NIC, portgroup="vMotion", spec=spec)
    config = vim.host.VirtualNicManager.NetConfig(
        nicType="vmotion", multiSelectAllowed=True, candidateVnic=[nic]
    )
    config.selectedVnic = [NIC] if on else []
    group = vim.host.PortGroup.Specification(name="vMotion", vlanId=0, vswitchName="vSwitch1")
    switch = vim.host.VirtualSwitch(name="vSwitch1", pnic=["nic-1"])
    link = vim.host.PhysicalNic.LinkSpeedDuplex(speedMb=speed, duplex=True)
    return {
        "config__virtualNicManagerInfo__netConfig": [config],
        "config__network__portgroup": [vim.host.PortGroup(spec=group)],
        "config__network__vswitch": [switch],
        "config__network__pnic": [vim.host.PhysicalNic(key="nic-1", linkSpeed=link)],
    }


def host_at(number: int, *, stores: tuple[str, ...] = ("datastore-1",), **values: Any) -> Host:
    facts = host_facts(**(vmotion_values() | {"summary__maxEVCModeKey": "intel-icelake"} | values))
    key = HostId(f"host-{number}")
    named = Facts(id=key, kind=facts.kind, values={**facts.values, "name": f"esx{number}"})
    found = host_from(named, HostContext(datastores={key: frozenset(stores)}))
    assert found is not None
    return found


def vm_at(number: int, on: int, *devices: Any, **values: Any) -> Vm:
    defaults: dict[str, Any] = {
        "datastore": [ref(vim.Datastore, "datastore-1")],
        "runtime__host": ref(vim.HostSystem, f"host-{on}"),
        "summary__quickStats__overallCpuDemand": 1_000,
        "summary__quickStats__hostMemoryUsage": 8_192,
        "summary__quickStats__guestMemoryUsage": 2_048,
    }
    facts = vm_facts(**(defaults | values))
    named = Facts(id=f"vm-{number}", kind=facts.kind, values=facts.values)
    found = vm_from(named, devices_from(devices), VmContext())
    assert found is not None
    return found


def feature(key: str, value: str) -> Any:
    return vim.host.FeatureCapability(key=key, featureName=key, value=value)


def requirement(key: str, value: str) -> Any:
    return vim.vm.FeatureRequirement(key=key, featureName=key, value=value)


AVX = "cpuid.AVX512F"
NEEDS_AVX = {"runtime__featureRequirement": [requirement(AVX, "Bool:Min:1")]}
WITHOUT_AVX = {"config__maskedFeatureCapability": [feature(AVX, "0")]}
FULL = vm_at(9, 2, summary__quickStats__hostMemoryUsage=60_000)
BUSY = vm_at(9, 2, summary__quickStats__overallCpuDemand=19_500)
APART = Rule(name="apart", type=RuleType.ANTI_AFFINITY, vms=(MOVED, VmId("vm-9")))
TIED = Rule(
    name="tied", type=RuleType.VM_HOST_AFFINE, vms=(MOVED,), hosts=frozenset({HostId("host-1")})
)
FAST_WRITER = replace(vm_at(1, 1), dirty_rate_mbps=7_000.0)

CASES: list[tuple[str, Vm, Host, tuple[Vm, ...], tuple[Rule, ...], Reason]] = [
    (
        "the processors are too old",
        vm_at(1, 1, runtime__minRequiredEVCModeKey="intel-icelake"),
        host_at(2, summary__maxEVCModeKey="intel-haswell"),
        (),
        (),
        Reason.EVC,
    ),
    (
        "a feature is missing",
        vm_at(1, 1, **NEEDS_AVX),
        host_at(2, **WITHOUT_AVX),
        (),
        (),
        Reason.CPU_FEATURES,
    ),
    (
        "vMotion is not enabled on the vmkernel adapter",
        vm_at(1, 1),
        host_at(2, **vmotion_values(on=False)),
        (),
        (),
        Reason.VMOTION_DISABLED,
    ),
    (
        "the vMotion link is down",
        vm_at(1, 1),
        host_at(2, **vmotion_values(speed=0)),
        (),
        (),
        Reason.VMOTION_DISABLED,
    ),
    (
        "the vMotion network is a wrong one",
        vm_at(1, 1),
        host_at(2, **vmotion_values(address="10.0.9.7")),
        (),
        (),
        Reason.VMOTION_NETWORK,
    ),
    (
        "the vMotion network is slow",
        vm_at(1, 1),
        host_at(2, **vmotion_values(speed=1_000)),
        (),
        (),
        Reason.VMOTION_LINK_SLOW,
    ),
    (
        "no shared storage",
        vm_at(1, 1),
        host_at(2, stores=("datastore-9",)),
        (),
        (),
        Reason.DATASTORE,
    ),
    (
        "the CD drive of the host is attached",
        vm_at(1, 1, cd(vim.vm.device.VirtualCdrom.AtapiBackingInfo(deviceName="cd0"))),
        host_at(2),
        (),
        (),
        Reason.HOST_LOCAL_CDROM,
    ),
    (
        "an ISO is attached that the target lacks",
        vm_at(1, 1, cd(ISO)),
        host_at(2),
        (),
        (),
        Reason.DATASTORE,
    ),
    (
        "VMware Tools are being installed",
        vm_at(1, 1, runtime__toolsInstallerMounted=True),
        host_at(2),
        (),
        (),
        Reason.TOOLS_INSTALLING,
    ),
    ("a high dirty rate", FAST_WRITER, host_at(2), (), (), Reason.HIGH_DIRTY_RATE),
    ("not enough CPU on the target", vm_at(1, 1), host_at(2), (BUSY,), (), Reason.CPU_CEILING),
    (
        "not enough memory on the target",
        vm_at(1, 1),
        host_at(2),
        (FULL,),
        (),
        Reason.MEMORY_CEILING,
    ),
    (
        "a CPU reservation that does not fit",
        vm_at(1, 1, config__cpuAllocation__reservation=15_000),
        host_at(2),
        (vm_at(9, 2, config__cpuAllocation__reservation=15_000),),
        (),
        Reason.CPU_RESERVATION,
    ),
    (
        "a locked memory reservation that does not fit",
        vm_at(1, 1, config__memoryReservationLockedToMax=True),
        host_at(2),
        (vm_at(9, 2, config__memoryAllocation__reservation=60_000),),
        (),
        Reason.MEMORY_RESERVATION,
    ),
    (
        "a rule keeps it apart",
        vm_at(1, 1),
        host_at(2),
        (vm_at(9, 2),),
        (APART,),
        Reason.ANTI_AFFINITY,
    ),
    ("a rule ties it to hosts", vm_at(1, 1), host_at(2), (), (TIED,), Reason.VM_HOST_AFFINE),
]


def words(moved: Vm, target: Host, others: tuple[Vm, ...], rules: tuple[Rule, ...]) -> set[Reason]:
    """Return what laws and cautions say of the move, vm-1 from host-1 to host-2."""
    source = host_at(1, stores=("datastore-1", "datastore-5"))
    snap = snapshot([source, target], [moved, *others], rules)
    told = {caution.reason for caution in cautions(snap, MOVED, TARGET)}
    refusal = judge_move(placement(snap), Candidate(vm=MOVED, target=TARGET))
    return told | ({refusal.reason} if refusal else set())


@pytest.mark.parametrize(
    ("moved", "target", "others", "rules", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_known_failure_is_seen_before_the_move_by_name_and_with_its_mend(
    moved: Vm, target: Host, others: tuple[Vm, ...], rules: tuple[Rule, ...], expected: Reason
) -> None:
    assert words(moved, target, others, rules) == {expected}
    assert reason_text(expected).mend


def test_without_any_of_them_nothing_is_said() -> None:
    assert words(vm_at(1, 1), host_at(2), (), ()) == set()


FAULT = vim.fault


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (FAULT.CpuIncompatible1ECX(), Reason.CPU_FEATURES),
        (FAULT.FeatureRequirementsNotMet(), Reason.CPU_FEATURES),
        (FAULT.VMotionNotConfigured(), Reason.VMOTION_DISABLED),
        (FAULT.VMotionLinkDown(), Reason.VMOTION_DISABLED),
        (FAULT.VMotionLinkCapacityLow(), Reason.VMOTION_LINK_SLOW),
        (FAULT.MismatchedVMotionNetworkNames(), Reason.VMOTION_NETWORK),
        (FAULT.CannotAccessVmDisk(), Reason.DATASTORE),
        (FAULT.InaccessibleDatastore(), Reason.DATASTORE),
        (FAULT.CannotAccessVmDevice(), Reason.HOST_LOCAL_CDROM),
        (FAULT.CannotAccessNetwork(), Reason.NETWORK),
        (FAULT.ToolsInstallationInProgress(), Reason.TOOLS_INSTALLING),
        (FAULT.InsufficientMemoryResourcesFault(), Reason.MEMORY_RESERVATION),
        (FAULT.InsufficientHostMemoryCapacityFault(), Reason.MEMORY_RESERVATION),
        (FAULT.InsufficientCpuResourcesFault(), Reason.CPU_RESERVATION),
        (FAULT.InsufficientHostCpuCapacityFault(), Reason.CPU_RESERVATION),
        (FAULT.VmHostAffinityRuleViolation(), Reason.VM_HOST_AFFINE),
        (FAULT.SharedBusControllerNotSupported(), Reason.SHARED_SCSI_BUS),
        (FAULT.CannotMoveFaultToleranceVm(), Reason.FAULT_TOLERANCE),
        (FAULT.HAErrorsAtDest(), Reason.SERVER_CHECK),
    ],
    ids=lambda value: type(value).__name__.rsplit(".", 1)[-1],
)
def test_the_servers_check_says_it_by_the_same_words(fault: Any, expected: Reason) -> None:
    (refusal,) = refusals_of([fault], MOVED, TARGET)
    assert refusal.reason is expected
