"""Which VMs are agents of vSphere itself: they run where their manager puts them, and never move for us.

Owns the signs. Most show in `config.managedBy`; vCLS before 8.0 U3 says it in its extra configuration
alone. That is long, so it is read of the few VMs that may be meant, and once for each version of a VM.
A name proves nothing: it only makes a VM worth asking.

Source: Broadcom KB 370219 (vCLS VMs by `HDCS.agent`, embedded ones by `vCLSCRX.agent`, `managedBy` of both).
"""

from collections.abc import Mapping

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.retrieve import Retrieved

EXTRA_CONFIG = "config.extraConfig"
AGENT = "config.extraConfig (condensed)"
"""Where facts hold whether the extra configuration says that the VM is an agent, once it is known."""

VCLS_MIB = 128.0
"""The memory of a vCLS VM. Source: vSphere 7.0 documentation, "vSphere Cluster Services"."""

_VCLS = "vcls"
_AGENT_KEYS = frozenset({"HDCS.agent", "vCLSCRX.agent"})
_AGENT_EXTENSIONS = frozenset({"com.vmware.vim.eam"})
_AGENT_TYPES = frozenset({("VirtualCenter", "vcls-entity")})


def is_agent(facts: Facts) -> bool:
    """Whether the VM's manager or its extra configuration says so."""
    manager = facts.text("config.managedBy.extensionKey") or ""
    kind = facts.text("config.managedBy.type") or ""
    is_managed = manager in _AGENT_EXTENSIONS or (manager, kind) in _AGENT_TYPES
    return is_managed or facts.flag(AGENT) is True


def suspects(found: Retrieved, folders: Mapping[str, str]) -> Retrieved:
    """Return the running VMs whose extra configuration is worth reading. `folders` are paths by id."""
    return Retrieved(objects=tuple(f for f in found.objects if _is_suspect(f, folders)))


def told(facts: Facts) -> bool:
    """Whether `config.extraConfig` says that the VM is an agent, in any case of the word."""
    options = facts.many(EXTRA_CONFIG, vim.option.OptionValue)
    return any(o.key in _AGENT_KEYS and str(o.value).lower() == "true" for o in options)


def _is_suspect(facts: Facts, folders: Mapping[str, str]) -> bool:
    if facts.text("runtime.powerState") != "poweredOn" or is_agent(facts):
        return False
    size = facts.number("summary.config.memorySizeMB")
    folder = folders.get(facts.ref("parent") or "", "").rpartition("/")[2]
    is_small = size is not None and size <= VCLS_MIB
    name = (facts.text("name") or "").lower()
    return is_small or name.startswith(_VCLS) or folder.lower() == _VCLS
