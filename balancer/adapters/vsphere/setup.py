"""How hosts are set up for vMotion: adapters, addresses, links, and the advanced options.

Owns the reading and translation for the examination; what a snapshot needs of the same is `vmotion`'s
part. Options that the server does not show are `Unread`. Source: vSphere API,
`HostVirtualNicManagerInfo.netConfig`, `HostNetworkInfo`, `OptionManager.QueryOptions` (System.View).
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

from collections.abc import Mapping

from pyVmomi import vim, vmodl

from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.faults import fault_line
from balancer.adapters.vsphere.retrieve import Wanted, retrieve_below
from balancer.adapters.vsphere.session import Opened
from balancer.adapters.vsphere.vmotion import pnics_behind, selected_adapters
from balancer.model.checkup import Adapter, Unread, VmotionSetup
from balancer.model.units import ClusterId, HostId

OPTIONS_PREFIX = "Migrate."

_PATHS = (
    "name",
    "runtime.connectionState",
    "summary.config.product.version",
    "capability.vmotionSupported",
    "config.virtualNicManagerInfo.netConfig",
    "config.network.pnic",
    "config.network.vswitch",
    "config.network.proxySwitch",
    "config.network.portgroup",
    "configManager.advancedOption",
)


def setups_of(opened: Opened, cluster: ClusterId, *, page_size: int) -> tuple[VmotionSetup, ...]:
    """Read the set-up of every host of a cluster, by id. One more call for each host's options.

    Raises:
        CallFailed: the connection failed.
        vmodl.MethodFault: the server does not show the hosts.
    """
    container = vim.ClusterComputeResource(cluster, opened.stub)
    wanted = Wanted(kind=vim.HostSystem, paths=_PATHS)
    found = retrieve_below(opened, container, wanted, page_size=page_size)
    return tuple(setup_from(facts, _options(facts)) for facts in found.objects)


def setup_from(facts: Facts, options: Mapping[str, str] | Unread) -> VmotionSetup:
    """Translate one host."""
    version = (facts.text("summary.config.product.version") or "").split(".")
    return VmotionSetup(
        host=HostId(facts.id),
        name=facts.text("name") or facts.id,
        version=tuple(int(part) for part in version if part.isdigit()),
        is_supported=facts.flag("capability.vmotionSupported") is not False,
        adapters=tuple(_adapter(facts, nic) for nic in selected_adapters(facts)),
        options=options,
    )


def _adapter(facts: Facts, nic: vim.host.VirtualNic) -> Adapter:
    keys = set(pnics_behind(facts, nic))
    return Adapter(
        device=nic.device,
        address=_address(nic.spec.ip),
        netmask=(nic.spec.ip.subnetMask if nic.spec.ip else None) or None,
        mtu=nic.spec.mtu or None,
        stack=nic.spec.netStackInstanceKey or None,
        links_mbps=tuple(
            float(pnic.linkSpeed.speedMb) if pnic.linkSpeed else 0.0
            for pnic in facts.many("config.network.pnic", vim.host.PhysicalNic)
            if pnic.key in keys
        ),
    )


def _address(ip: vim.host.IpConfig | None) -> str | None:
    """Return the IPv4 address, else the first IPv6 address that reaches beyond its own link."""
    if ip is None or ip.ipAddress:
        return ip.ipAddress if ip else None
    known = ip.ipV6Config.ipV6Address if ip.ipV6Config else []
    found = [entry.ipAddress for entry in known if not entry.ipAddress.lower().startswith("fe80:")]
    return found[0] if found else None


def _options(facts: Facts) -> Mapping[str, str] | Unread:
    """Return the options of vMotion; only a host that answers can be asked."""
    if facts.text("runtime.connectionState") != "connected":
        return Unread("the host does not answer")
    manager = facts.one("configManager.advancedOption", vim.option.OptionManager)
    if manager is None:
        return Unread("the server does not show the host's advanced options")
    try:
        found = manager.QueryOptions(OPTIONS_PREFIX)
    except vmodl.MethodFault as fault:
        return Unread(f"the server refused with {fault_line(fault)}")
    return {option.key: str(option.value) for option in found}
