"""The vMotion side of a host: whether it is on, and the speed of all links behind it.

Owns the way from the selected vmkernel adapter over port group and switch to the physical adapters.
Source: vSphere API, `HostVirtualNicManagerInfo.netConfig` (`nicType` "vmotion", `selectedVnic` holds keys
of `candidateVnic`), `HostNetworkInfo`.
"""

from collections.abc import Iterable
from ipaddress import ip_interface

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts
from balancer.model.host import VmotionLink

_STREAMS_SCALE_FROM = (7, 0, 2)
"""7.0 U2. Source: vSphere 7.0 documentation, and nielshagoort.com, "Auto-tuning vMotion streams" (2021)."""

_NETWORK = "config.network."
_NET_CONFIG = "config.virtualNicManagerInfo.netConfig"
NESTED = frozenset(
    {_NET_CONFIG, *(_NETWORK + name for name in ("pnic", "vswitch", "proxySwitch", "portgroup"))}
)
VMOTION = "config.network (condensed)"
"""Where facts hold the vMotion side, once it is known, instead of the nested structures it comes from."""


def vmotion_from(facts: Facts) -> VmotionLink:
    """Translate. Where the server does not tell the speed, the model's default stands.

    Adapters whose links are all down cannot carry a migration, so vMotion counts as off then.
    Source: vSphere API, fault `VMotionLinkDown`.
    """
    known = facts.one(VMOTION, VmotionLink)
    if known is not None:
        return known
    selected = selected_adapters(facts)
    is_on = facts.flag("summary.config.vmotionEnabled") is not False and bool(selected)
    if not facts.has(_NET_CONFIG):
        is_on = facts.flag("summary.config.vmotionEnabled") is True
    is_supported = facts.flag("capability.vmotionSupported") is not False
    is_encrypted = facts.flag("capability.encryptedVMotionSupported")
    speed = _speed_mbps(facts, selected)
    return VmotionLink(
        enabled=is_on and is_supported and speed != 0,
        link_mbps=speed or VmotionLink().link_mbps,
        encrypted_supported=bool(is_encrypted),
        streams=_streams(facts, len(selected)),
        networks=frozenset(network for nic in selected if (network := _network(nic))),
    )


def _network(nic: vim.host.VirtualNic) -> str | None:
    """Return the IPv4 network of an adapter, None where it has no address yet."""
    ip = nic.spec.ip
    if ip is None or not ip.ipAddress or not ip.subnetMask:
        return None
    try:
        return str(ip_interface(f"{ip.ipAddress}/{ip.subnetMask}").network)
    except ValueError:
        return None


def _streams(facts: Facts, adapters: int) -> int | None:
    """Return one stream for each adapter on hosts too old to scale them, None on newer ones.

    Where the version is not told the host counts as new: the older ones are out of support.
    """
    version = facts.text("summary.config.product.version") or ""
    parts = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    is_old = len(parts) == 3 and parts < _STREAMS_SCALE_FROM
    return max(adapters, 1) if is_old else None


def selected_adapters(facts: Facts) -> tuple[vim.host.VirtualNic, ...]:
    """Return the vmkernel adapters that are selected for vMotion."""
    for config in facts.many(_NET_CONFIG, vim.host.VirtualNicManager.NetConfig):
        if config.nicType == "vmotion":
            keys = {str(key) for key in config.selectedVnic}
            whole = vim.host.VirtualNic.Specification
            chosen = (nic for nic in config.candidateVnic if str(nic.key) in keys)
            return tuple(nic for nic in chosen if isinstance(nic.spec, whole))
    return ()


def _speed_mbps(facts: Facts, selected: Iterable[vim.host.VirtualNic]) -> float | None:
    """Return the sum over all distinct physical adapters, None where none is found."""
    keys = {key for nic in selected for key in pnics_behind(facts, nic)}
    speeds = [
        float(pnic.linkSpeed.speedMb or 0) if pnic.linkSpeed else 0.0  # unset: the link is down
        for pnic in facts.many(_NETWORK + "pnic", vim.host.PhysicalNic)
        if pnic.key in keys
    ]
    return sum(speeds) if speeds else None


def pnics_behind(facts: Facts, nic: vim.host.VirtualNic) -> Iterable[str]:
    """Yield the keys of the physical adapters of the switch that a vmkernel adapter is on."""
    port = nic.spec.distributedVirtualPort
    if port is not None:
        for proxy in facts.many(_NETWORK + "proxySwitch", vim.host.HostProxySwitch):
            if proxy.dvsUuid == port.switchUuid:
                yield from map(str, proxy.pnic)
        return
    name = nic.portgroup or nic.spec.portgroup
    groups = facts.many(_NETWORK + "portgroup", vim.host.PortGroup)
    switches = {g.spec.vswitchName for g in groups if g.spec is not None and g.spec.name == name}
    for switch in facts.many(_NETWORK + "vswitch", vim.host.VirtualSwitch):
        if switch.name in switches:
            yield from map(str, switch.pnic)
