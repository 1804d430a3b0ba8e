"""A host's vMotion set-up from what the wire shows of adapters, switches and links."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.setup import setup_from
from balancer.model.checkup import Adapter, VmotionSetup
from tests.unit.adapters.vsphere.build import host_facts

IP = vim.host.IpConfig
IPV6 = vim.host.IpConfig.IpV6AddressConfiguration
IPV6_ADDRESS = vim.host.IpConfig.IpV6Address


def translated(**values: Any) -> VmotionSetup:
    return setup_from(host_facts(**values), {"Migrate.Enabled": "1"})


def network(ip: Any, *links: int | None) -> dict[str, Any]:
    """Return the properties of a host with one vMotion adapter and the given links behind it."""
    spec = vim.host.VirtualNic.Specification(
        ip=ip, mtu=9000, portgroup="vMotion", netStackInstanceKey="vmotion"
    )
    nic = vim.host.VirtualNic(device="vmk1", key="vmotion.vmk1", portgroup="vMotion", spec=spec)
    group = vim.host.PortGroup(
        spec=vim.host.PortGroup.Specification(name="vMotion", vswitchName="vSwitch1")
    )
    speed = vim.host.PhysicalNic.LinkSpeedDuplex
    nics = [
        vim.host.PhysicalNic(
            key=f"nic-{n}", linkSpeed=None if mbps is None else speed(speedMb=mbps, duplex=True)
        )
        for n, mbps in enumerate(links)
    ]
    switch = vim.host.VirtualSwitch(name="vSwitch1", pnic=[nic.key for nic in nics])
    selected = vim.host.VirtualNicManager.NetConfig(
        nicType="vmotion", candidateVnic=[nic], selectedVnic=["vmotion.vmk1"]
    )
    return {
        "config__virtualNicManagerInfo__netConfig": [selected],
        "config__network__pnic": nics,
        "config__network__portgroup": [group],
        "config__network__vswitch": [switch],
    }


def test_an_adapter_is_read_with_the_links_behind_it() -> None:
    ip = IP(ipAddress="192.0.2.1", subnetMask="255.255.255.0")
    read = translated(**network(ip, 25_000, None), summary__config__product__version="8.0.3")
    assert read.version == (8, 0, 3)
    assert read.options == {"Migrate.Enabled": "1"}
    assert read.adapters == (
        Adapter(
            device="vmk1",
            address="192.0.2.1",
            netmask="255.255.255.0",
            mtu=9000,
            stack="vmotion",
            links_mbps=(25_000.0, 0.0),
        ),
    )


def with_ipv6(*addresses: str) -> Any:
    known = [IPV6_ADDRESS(ipAddress=address, prefixLength=64) for address in addresses]
    return IP(ipAddress="", ipV6Config=IPV6(ipV6Address=known))


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        (None, None),
        (IP(ipAddress=""), None),
        (with_ipv6("FE80::1"), None),
        (with_ipv6("fe80::1", "2001:db8::1"), "2001:db8::1"),
    ],
    ids=["nothing", "empty", "link-local only", "IPv6"],
)
def test_the_address_is_one_that_reaches_others(ip: Any, expected: str | None) -> None:
    (adapter,) = translated(**network(ip, 10_000)).adapters
    assert adapter.address == expected


def test_a_host_that_shows_nothing_has_no_adapter_and_no_version() -> None:
    read = translated()
    assert (read.version, read.adapters, read.is_supported) == ((), (), True)
    assert translated(capability__vmotionSupported=False).is_supported is False
