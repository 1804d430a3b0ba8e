"""A VM's properties in model values.

Owns the translation of one `VirtualMachine`. A number that the server does not give is None and never 0;
numbers of a VM that does not run, or whose host does not answer, are no measurements and are dropped.
Must never lose a blocker: what cannot be read counts against moving the VM.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyVmomi import vim

from balancer.adapters.vsphere.agents import is_agent
from balancer.adapters.vsphere.devices import DeviceFacts
from balancer.adapters.vsphere.evc import OwnModes, hardware_version_from
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.words import INHERITED_SWAP
from balancer.model.drafts import changed
from balancer.model.host import NO_FEATURES
from balancer.model.units import HostId, VmId
from balancer.model.vm import (
    Automation,
    Blocker,
    Encryption,
    PowerState,
    SwapPlacement,
    Vm,
)

_POWER = {
    "poweredOn": PowerState.ON,
    "poweredOff": PowerState.OFF,
    "suspended": PowerState.SUSPENDED,
}
_LOST = frozenset({"inaccessible", "orphaned", "invalid"})
_MOVING_METHODS = frozenset({"RelocateVM_Task", "MigrateVM_Task"})
_BYTES_PER_MIB = 2**20
_QUICK = "summary.quickStats."
# Looked up once: pyVmomi finds a class anew at each mention.
_STRING_VALUE = vim.CustomFieldsManager.StringValue
_REQUIREMENT = vim.vm.FeatureRequirement
_ENCRYPTIONS = frozenset(Encryption)

# Shares behind the levels, per vCPU and per MiB. Source: vSphere API, `SharesLevel`.
_CPU_SHARES = {"low": 500.0, "normal": 1000.0, "high": 2000.0}
_MEMORY_SHARES = {"low": 5.0, "normal": 10.0, "high": 20.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class VmContext:
    """What other objects say of VMs. `local_datastores` are mounted by one host only."""

    automation: Mapping[VmId, Automation] = field(default_factory=dict)
    groups: Mapping[VmId, frozenset[str]] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    attribute_names: Mapping[int, str] = field(default_factory=dict)
    local_datastores: frozenset[str] = frozenset()
    managed_pools: frozenset[str] = frozenset()
    consolidating: frozenset[VmId] = frozenset()
    swap_placement: str | None = None
    own_modes: OwnModes = field(default_factory=lambda: OwnModes({}))


def vm_from(facts: Facts, devices: DeviceFacts, context: VmContext) -> Vm | None:
    """Translate a VM, None where its host, its power state or its size were not given."""
    key, host = VmId(facts.id), facts.ref("runtime.host")
    power = _POWER.get(facts.text("runtime.powerState") or "")
    vcpus, size = facts.count("summary.config.numCpu"), facts.number("summary.config.memorySizeMB")
    if host is None or power is None or not vcpus or not size:
        return None
    shared_images = devices.image_datastores - context.local_datastores
    vm = Vm(
        id=key,
        name=facts.text("name") or facts.id,
        host=HostId(host),
        vcpus=vcpus,
        memory_mib=size,
        uuid=facts.text("summary.config.instanceUuid"),
        power=power,
        cpu_reservation_mhz=facts.number("config.cpuAllocation.reservation") or 0.0,
        cpu_limit_mhz=facts.number("config.cpuAllocation.limit"),
        cpu_shares=_shares(facts, "config.cpuAllocation", _CPU_SHARES, vcpus),
        memory_reservation_mib=_reserved_mib(facts, size),
        memory_limit_mib=facts.number("config.memoryAllocation.limit"),
        memory_shares=_shares(facts, "config.memoryAllocation", _MEMORY_SHARES, size),
        resource_pool=facts.ref("resourcePool"),
        folder=context.folders.get(facts.ref("parent") or ""),
        guest_os=facts.text("config.guestId"),
        min_evc_mode=facts.text("runtime.minRequiredEVCModeKey"),
        evc_mode=context.own_modes.of(facts),
        hardware_version=hardware_version_from(facts.text("config.version")),
        cpu_features=_features(facts),
        datastores=facts.refs("datastore") | shared_images,
        networks=facts.refs("network"),
        groups=context.groups.get(key, frozenset()),
        attributes=_attributes(facts, context.attribute_names),
        automation=context.automation.get(key, Automation.FULLY_AUTOMATED),
        blockers=tuple(sorted(_blockers(facts, devices, context))),
        encryption=_encryption(facts),
        config_version=facts.text("config.changeVersion"),
        disks=devices.disks,
        swap_placement=_swap_placement(facts, context),
        storage_committed_mib=_in_mib(facts.number("summary.storage.committed")),
        storage_uncommitted_mib=_in_mib(facts.number("summary.storage.uncommitted")),
    )
    is_measured = vm.is_running and facts.text("runtime.connectionState") == "connected"
    return _measured(vm, facts) if is_measured else vm


def bare_vm_from(facts: Facts) -> Vm | None:
    """Translate a VM of which only the minimum could be read: it keeps its place and never moves."""
    host, power = facts.ref("runtime.host"), _POWER.get(facts.text("runtime.powerState") or "")
    vcpus, size = facts.count("summary.config.numCpu"), facts.number("summary.config.memorySizeMB")
    if host is None or power is None or not vcpus or not size:
        return None
    return Vm(
        id=VmId(facts.id),
        name=facts.text("name") or facts.id,
        host=HostId(host),
        vcpus=vcpus,
        memory_mib=size,
        power=power,
        blockers=(Blocker.INACCESSIBLE,),
    )


def is_template(facts: Facts) -> bool:
    """Whether it is a template: no load, never moved, not part of a snapshot."""
    return facts.flag("summary.config.template") is True


def _measured(vm: Vm, facts: Facts) -> Vm:
    return changed(
        vm,
        cpu_demand_mhz=facts.number(_QUICK + "overallCpuDemand"),
        cpu_usage_mhz=facts.number(_QUICK + "overallCpuUsage"),
        cpu_ready_percent=facts.number(_QUICK + "overallCpuReadiness"),
        memory_active_mib=facts.number(_QUICK + "guestMemoryUsage"),
        memory_consumed_mib=facts.number(_QUICK + "hostMemoryUsage"),
        memory_granted_mib=facts.number(_QUICK + "grantedMemory"),
        memory_swapped_mib=facts.number(_QUICK + "swappedMemory"),
        memory_ballooned_mib=facts.number(_QUICK + "balloonedMemory"),
    )


def _blockers(facts: Facts, devices: DeviceFacts, context: VmContext) -> set[Blocker]:
    found = set(devices.blockers)
    found.update(word for word, holds in _signs(facts) if holds)
    if devices.image_datastores & context.local_datastores:
        found.add(Blocker.LOCAL_CDROM_BACKING)
    if is_agent(facts) or facts.ref("resourcePool") in context.managed_pools:
        found.add(Blocker.AGENT_VM)
    if facts.id in context.consolidating:
        found.add(Blocker.CONSOLIDATING)
    return found


def _signs(facts: Facts) -> tuple[tuple[Blocker, bool], ...]:
    """Return which settings and states of the VM hold it.

    Source: vSphere API, `VirtualMachineRuntimeInfo`, `VirtualMachineConfigInfo`; fault
    `AffinityConfigured` (processor or memory affinity); `ManagedEntity.disabledMethod`.
    """
    affinity = ("config.cpuAffinity.affinitySet", "config.memoryAffinity.affinitySet")
    tolerance = facts.text("runtime.faultToleranceState")
    return (
        (Blocker.INACCESSIBLE, facts.text("runtime.connectionState") in _LOST),
        (Blocker.CPU_AFFINITY, any(facts.holds_any(path) for path in affinity)),
        (Blocker.TOOLS_INSTALLING, facts.flag("runtime.toolsInstallerMounted") is True),
        (Blocker.FAULT_TOLERANCE, tolerance not in (None, "notConfigured")),
        (Blocker.PENDING_QUESTION, facts.has("runtime.question.id")),
        (Blocker.METHOD_DISABLED, bool(facts.words("disabledMethod") & _MOVING_METHODS)),
        (Blocker.CONSOLIDATING, _is_consolidating(facts)),
        (
            Blocker.LATENCY_SENSITIVE_PINNED,
            facts.text("config.latencySensitivity.level") == "high",
        ),
    )


def _is_consolidating(facts: Facts) -> bool:
    paths = ("runtime.snapshotInBackground", "runtime.consolidationNeeded")
    return any(facts.flag(path) is True for path in paths)


def _shares(facts: Facts, where: str, by_level: Mapping[str, float], size: float) -> float | None:
    """Return the shares; the number on the wire counts at level custom only."""
    level = facts.text(f"{where}.shares.level") or ""
    if level in by_level:
        return by_level[level] * size
    return facts.number(f"{where}.shares.shares")


def _swap_placement(facts: Facts, context: VmContext) -> SwapPlacement | None:
    """Return where the swap file lies; a VM's `inherit` is the cluster's word.

    Source: vSphere API, `VirtualMachineConfigInfo.swapPlacement`, `ClusterConfigInfoEx.vmSwapPlacement`.
    """
    own = facts.text("config.swapPlacement")
    word = context.swap_placement if own in (None, INHERITED_SWAP) else own
    return SwapPlacement(word) if word in set(SwapPlacement) else None


def _in_mib(size_bytes: float | None) -> float | None:
    return None if size_bytes is None else size_bytes / _BYTES_PER_MIB


def _features(facts: Facts) -> Mapping[str, str]:
    found = facts.many("runtime.featureRequirement", _REQUIREMENT)
    return {e.key.lower(): e.value for e in found if e.key and e.value is not None} or NO_FEATURES


def _attributes(facts: Facts, names: Mapping[int, str]) -> Mapping[str, str]:
    values = facts.many("customValue", _STRING_VALUE)
    found = {names[v.key]: v.value for v in values if v.key in names and v.value}
    return found or NO_FEATURES


def _reserved_mib(facts: Facts, size_mib: float) -> float:
    """Return the memory reservation; one that is locked to the maximum is the whole size.

    Source: vSphere API, `VirtualMachineConfigInfo.memoryReservationLockedToMax`.
    """
    reserved = facts.number("config.memoryAllocation.reservation") or 0.0
    is_locked = facts.flag("config.memoryReservationLockedToMax") is True
    return max(reserved, size_mib) if is_locked else reserved


def _encryption(facts: Facts) -> Encryption | None:
    """Return what the VM asks of vMotion. An encrypted VM requires it, and so does a word not known here.

    Source: vSphere API, `VirtualMachineConfigSpecEncryptedVMotionModes`: encrypted VMs always use it.
    """
    word = facts.text("config.migrateEncryption")
    if facts.text("config.keyId.keyId"):
        return Encryption.REQUIRED
    if word is None:
        return None
    return Encryption(word) if word in set(Encryption) else Encryption.REQUIRED
