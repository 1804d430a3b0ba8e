"""A host's properties become model values."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.hosts import HostContext, Overhead, host_from, overhead_from
from balancer.adapters.vsphere.vmotion import vmotion_from
from balancer.model.evc import EvcMode
from balancer.model.host import Host, HostState
from balancer.model.units import HostId
from tests.unit.adapters.vsphere.build import facts, host_facts

ENTERING = HostContext(entering=frozenset({HostId("host-1")}))


def translated(context: HostContext | None = None, **values: Any) -> Host:
    host = host_from(host_facts(**values), context or HostContext())
    assert host is not None
    return host


def test_capacity_is_cores_times_speed_and_memory_is_in_mib() -> None:
    host = translated()
    assert (host.cpu_capacity_mhz, host.memory_capacity_mib) == (20_000, 65_536)


@pytest.mark.parametrize(
    ("values", "context", "expected"),
    [
        ({}, None, HostState.CONNECTED),
        ({}, ENTERING, HostState.ENTERING_MAINTENANCE),
        ({"runtime__inMaintenanceMode": True}, ENTERING, HostState.MAINTENANCE),
        ({"runtime__inQuarantineMode": True}, None, HostState.QUARANTINE),
        ({"runtime__inQuarantineMode": True}, ENTERING, HostState.ENTERING_MAINTENANCE),
        ({"runtime__connectionState": "disconnected"}, None, HostState.DISCONNECTED),
        ({"runtime__connectionState": "notResponding"}, ENTERING, HostState.NOT_RESPONDING),
        ({"runtime__powerState": "standBy"}, None, HostState.STANDBY),
        (
            {"runtime__standbyMode": "in", "runtime__connectionState": "notResponding"},
            None,
            HostState.STANDBY,
        ),
    ],
)
def test_the_state_says_what_may_be_done(
    values: dict[str, Any], context: HostContext | None, expected: HostState
) -> None:
    assert translated(context, **values).state is expected


@pytest.mark.parametrize(
    "lost",
    [
        "summary__hardware__cpuMhz",
        "summary__hardware__numCpuCores",
        "summary__hardware__memorySize",
        "runtime__connectionState",
    ],
)
def test_a_host_without_hardware_or_state_is_not_made_up(lost: str) -> None:
    assert host_from(host_facts(**{lost: None}), HostContext()) is None


def test_old_numbers_of_a_lost_host_are_dropped() -> None:
    host = translated(
        runtime__connectionState="notResponding", summary__quickStats__overallCpuUsage=900
    )
    assert host.cpu_usage_mhz is None


@pytest.mark.parametrize(
    ("model", "mode", "expected"),
    [
        ("Intel(R) Xeon(R) Gold 6330 CPU @ 2.00GHz", None, "intel"),
        ("AMD EPYC 7763 64-Core Processor", None, "amd"),
        ("some engineering sample", "amd-zen3", "amd"),
        ("some engineering sample", None, None),
        (None, None, None),
    ],
)
def test_the_vendor_is_that_of_the_processors(
    model: str | None, mode: str | None, expected: str | None
) -> None:
    modes = (EvcMode(key="amd-zen3", vendor="amd", tier=9, track=frozenset({"amd-zen3"})),)
    host = translated(
        HostContext(evc_modes=modes),
        summary__hardware__cpuModel=model,
        summary__hardware__vendor="Dell Inc.",
        summary__maxEVCModeKey=mode,
    )
    assert host.cpu_vendor == expected


def test_masked_features_win_over_the_processors_own() -> None:
    def feature(key: str, value: str) -> Any:
        return vim.host.FeatureCapability(key=key, featureName=key, value=value)

    own, masked = [feature("cpuid.AVX", "1")], [feature("cpuid.AVX", "0")]
    both = translated(config__featureCapability=own, config__maskedFeatureCapability=masked)
    assert both.cpu_features == {"cpuid.avx": "0"}
    assert translated(config__featureCapability=own).cpu_features == {"cpuid.avx": "1"}


def group(key: str, cpu_mhz: int, memory_mib: int) -> Any:
    return vim.host.SystemResourceInfo(
        key=key,
        config=vim.ResourceConfigSpec(
            cpuAllocation=vim.ResourceAllocationInfo(reservation=cpu_mhz),
            memoryAllocation=vim.ResourceAllocationInfo(reservation=memory_mib),
        ),
    )


def test_the_hypervisors_share_is_that_of_its_own_group() -> None:
    groups = [group("host/vim", 2_374, 0), group("host/system", 200, 2_660)]
    read = facts("host-1", "HostSystem", systemResources__child=groups)
    assert overhead_from(read) == Overhead(cpu_mhz=200, memory_mib=2_660)
    assert overhead_from(facts("host-1", "HostSystem")) == Overhead()


# -- vMotion


def nic(device: str, **facts_of: Any) -> Any:
    spec = vim.host.VirtualNic.Specification(**facts_of)
    return vim.host.VirtualNic(
        device=device,
        key=f"vmotion.key-vim.host.VirtualNic-{device}",
        portgroup=facts_of.get("portgroup", ""),
        spec=spec,
    )


def pnic(device: str, mbps: int | None) -> Any:
    link = None if mbps is None else vim.host.PhysicalNic.LinkSpeedDuplex(speedMb=mbps, duplex=True)
    return vim.host.PhysicalNic(key=f"key-{device}", device=device, pci="", mac="", linkSpeed=link)


def net(selected: list[str], *candidates: Any) -> list[Any]:
    keys = [f"vmotion.key-vim.host.VirtualNic-{device}" for device in selected]
    return [
        vim.host.VirtualNicManager.NetConfig(nicType="management", multiSelectAllowed=True),
        vim.host.VirtualNicManager.NetConfig(
            nicType="vmotion",
            multiSelectAllowed=True,
            candidateVnic=list(candidates),
            selectedVnic=keys,
        ),
    ]


def port_group(name: str, switch: str) -> Any:
    spec = vim.host.PortGroup.Specification(
        name=name, vlanId=0, vswitchName=switch, policy=vim.host.NetworkPolicy()
    )
    return vim.host.PortGroup(key=name, spec=spec, computedPolicy=vim.host.NetworkPolicy())


def switch(name: str, *devices: str) -> Any:
    return vim.host.VirtualSwitch(
        name=name,
        key=name,
        numPorts=1,
        numPortsAvailable=1,
        pnic=[f"key-{device}" for device in devices],
        spec=vim.host.VirtualSwitch.Specification(numPorts=1),
    )


def network(selected: list[str], speeds: dict[str, int | None]) -> dict[str, Any]:
    """Return a host with vmk1 and vmk2 on vSwitch1 (vmnic1, vmnic2) and vmk0 on vSwitch0 (vmnic0)."""
    return {
        "config__virtualNicManagerInfo__netConfig": net(
            selected,
            nic("vmk0", portgroup="Management"),
            nic("vmk1", portgroup="vMotion-1"),
            nic("vmk2", portgroup="vMotion-2"),
        ),
        "config__network__pnic": [pnic(device, speed) for device, speed in speeds.items()],
        "config__network__portgroup": [
            port_group("Management", "vSwitch0"),
            port_group("vMotion-1", "vSwitch1"),
            port_group("vMotion-2", "vSwitch1"),
        ],
        "config__network__vswitch": [
            switch("vSwitch0", "vmnic0"),
            switch("vSwitch1", "vmnic1", "vmnic2"),
        ],
    }


SPEEDS: dict[str, int | None] = {"vmnic0": 1_000, "vmnic1": 10_000, "vmnic2": 25_000}


@pytest.mark.parametrize(
    ("selected", "speeds", "expected"),
    [
        (["vmk0"], SPEEDS, (True, 1_000)),
        (["vmk1"], SPEEDS, (True, 35_000)),
        (["vmk1", "vmk2"], SPEEDS, (True, 35_000)),
        (["vmk0", "vmk1"], SPEEDS, (True, 36_000)),
        (["vmk1"], {"vmnic1": 10_000, "vmnic2": None}, (True, 10_000)),
        (["vmk1"], {"vmnic1": None, "vmnic2": None}, (False, 10_000)),
        ([], SPEEDS, (False, 10_000)),
        (["vmk1"], {}, (True, 10_000)),
    ],
    ids=[
        "one card",
        "two cards",
        "two adapters on the same cards count once",
        "adapters on different switches",
        "one link is down",
        "all links are down: off",
        "none selected: off",
        "speeds not told: the default",
    ],
)
def test_the_speed_is_that_of_all_links_behind_the_selected_adapters(
    selected: list[str], speeds: dict[str, int | None], expected: tuple[bool, float]
) -> None:
    link = vmotion_from(host_facts(**network(selected, speeds)))
    assert (link.enabled, link.link_mbps) == expected


@pytest.mark.parametrize(
    ("version", "selected", "expected"),
    [
        ("6.7.0", ["vmk1"], 1),
        ("7.0.1", ["vmk0", "vmk1"], 2),
        ("7.0.2", ["vmk1"], None),
        ("8.0.3", ["vmk1"], None),
        ("", ["vmk1"], None),
        ("7.0-beta", ["vmk1"], None),
    ],
)
def test_a_host_too_old_to_scale_streams_has_one_for_each_vmotion_adapter(
    version: str, selected: list[str], expected: int | None
) -> None:
    facts = network(selected, SPEEDS) | {"summary__config__product__version": version}
    assert vmotion_from(host_facts(**facts)).streams == expected


def test_a_distributed_switch_is_followed_by_its_uuid() -> None:
    port = vim.dvs.PortConnection(switchUuid="50 1a", portgroupKey="dvportgroup-3")
    proxy = vim.host.HostProxySwitch(
        dvsUuid="50 1a",
        dvsName="dvs",
        key="dvs",
        numPorts=1,
        numPortsAvailable=1,
        pnic=["key-vmnic1"],
        spec=vim.host.HostProxySwitch.Specification(),
    )
    link = vmotion_from(
        host_facts(
            config__virtualNicManagerInfo__netConfig=net(
                ["vmk5"], nic("vmk5", distributedVirtualPort=port)
            ),
            config__network__proxySwitch=[proxy],
            config__network__pnic=[pnic("vmnic1", 40_000)],
        )
    )
    assert (link.enabled, link.link_mbps) == (True, 40_000)


def test_without_network_facts_the_summary_decides() -> None:
    assert vmotion_from(host_facts(summary__config__vmotionEnabled=True)).enabled
    assert not vmotion_from(host_facts(summary__config__vmotionEnabled=False)).enabled
    assert not vmotion_from(host_facts()).enabled


def test_encrypted_vmotion_counts_only_where_the_host_says_so() -> None:
    assert not vmotion_from(host_facts()).encrypted_supported
    assert vmotion_from(host_facts(capability__encryptedVMotionSupported=True)).encrypted_supported
