"""A host's properties in model values.

Owns the translation of one `HostSystem`. Numbers of a host that does not answer are dropped: the server
shows old ones. Must never invent a capacity: a host without hardware facts is not translated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.vmotion import vmotion_from
from balancer.adapters.vsphere.words import STANDBY_MODES
from balancer.model.evc import EvcMode
from balancer.model.host import NO_FEATURES, Host, HostState
from balancer.model.units import HostId, Mhz, Mib

_BYTES_PER_MIB = 2**20
_SYSTEM_GROUP = "host/system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What the hypervisor reserves for itself."""

    cpu_mhz: Mhz = 0.0
    memory_mib: Mib = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostContext:
    """What other reads say of hosts."""

    groups: Mapping[HostId, frozenset[str]] = field(default_factory=dict)
    datastores: Mapping[HostId, frozenset[str]] = field(default_factory=dict)
    entering: frozenset[HostId] = frozenset()
    evc_modes: tuple[EvcMode, ...] = ()
    overheads: Mapping[HostId, Overhead] = field(default_factory=dict)


def overhead_from(facts: Facts) -> Overhead:
    """Translate `systemResources.child`: the reservation of the group `host/system`.

    The root group's own reservation is the whole host (8 cores of 1995 MHz showed 15960 MHz), so it
    must not be taken. Source: recorded answer of a vCenter 8.0.3, `HostSystem.systemResources`.
    """
    for group in facts.many("systemResources.child", vim.host.SystemResourceInfo):
        if group.key == _SYSTEM_GROUP and group.config is not None:
            cpu, memory = group.config.cpuAllocation, group.config.memoryAllocation
            return Overhead(cpu_mhz=_reserved(cpu), memory_mib=_reserved(memory))
    return Overhead()


def _reserved(allocation: vim.ResourceAllocationInfo | None) -> float:
    """Return a reservation, 0 where none is told."""
    reserved = allocation.reservation if allocation is not None else None
    return float(max(reserved or 0, 0))


def host_from(facts: Facts, context: HostContext) -> Host | None:
    """Translate a host, None where its state, its processors or its memory were not given."""
    key = HostId(facts.id)
    speed, cores = (
        facts.number("summary.hardware.cpuMhz"),
        facts.count("summary.hardware.numCpuCores"),
    )
    memory = facts.number("summary.hardware.memorySize")
    if not speed or not cores or not memory or not facts.has("runtime.connectionState"):
        return None
    state = _state(facts, context.entering)
    mode = facts.text("summary.maxEVCModeKey")
    overhead = context.overheads.get(key, Overhead())
    return Host(
        id=key,
        name=facts.text("name") or facts.id,
        cpu_capacity_mhz=speed * cores,
        memory_capacity_mib=memory / _BYTES_PER_MIB,
        state=state,
        cpu_cores=cores,
        cpu_overhead_mhz=overhead.cpu_mhz,
        memory_overhead_mib=overhead.memory_mib,
        cpu_usage_mhz=facts.number("summary.quickStats.overallCpuUsage") if state.answers else None,
        memory_usage_mib=facts.number("summary.quickStats.overallMemoryUsage")
        if state.answers
        else None,
        numa_nodes=facts.count("hardware.numaInfo.numNodes") or None,
        cpu_vendor=_vendor(facts.text("summary.hardware.cpuModel"), mode, context.evc_modes),
        max_evc_mode=mode,
        cpu_features=_features(facts),
        vmotion=vmotion_from(facts),
        max_running_vms=facts.count("capability.maxHostRunningVms") or None,
        datastores=context.datastores.get(key, frozenset()),
        networks=facts.refs("network"),
        groups=context.groups.get(key, frozenset()),
        swap_datastore=facts.ref("config.localSwapDatastore"),
        unshared_swap_supported=facts.flag("capability.unsharedSwapVMotionSupported"),
        storage_vmotion_supported=facts.flag("capability.vmotionWithStorageVMotionSupported"),
    )


def _state(facts: Facts, entering: frozenset[HostId]) -> HostState:
    """Return the state. The entering phase shows only as a running task on the host.

    A host with a standby mode that is not known takes nothing that can go elsewhere.
    Source: vSphere API, `HostRuntimeInfo.inMaintenanceMode` ("not set while entering").
    """
    is_standby = facts.text("runtime.standbyMode") in ("in", "entering")
    if is_standby or facts.text("runtime.powerState") == "standBy":
        return HostState.STANDBY
    connection = facts.text("runtime.connectionState")
    if connection != "connected":
        is_known = connection == "disconnected"
        return HostState.DISCONNECTED if is_known else HostState.NOT_RESPONDING
    if facts.flag("runtime.inMaintenanceMode"):
        return HostState.MAINTENANCE
    if facts.id in entering:
        return HostState.ENTERING_MAINTENANCE
    is_odd = (facts.text("runtime.standbyMode") or "none") not in STANDBY_MODES
    is_held = is_odd or facts.flag("runtime.inQuarantineMode") or _is_partly_down(facts)
    return HostState.QUARANTINE if is_held else HostState.CONNECTED


def _is_partly_down(facts: Facts) -> bool:
    """Whether the host is in or on its way through a partial maintenance, such as a live patch.

    Its VMs stay; nothing should come. Source: vSphere API 8.0.3, `HostRuntimeInfo.partialMaintenanceMode`,
    `HostPartialMaintenanceModeStatus`.
    """
    modes = facts.many("runtime.partialMaintenanceMode", vim.host.PartialMaintenanceModeRuntimeInfo)
    return any(mode.hostStatus != "notInPartialMM" for mode in modes)


def _vendor(model: str | None, mode: str | None, modes: tuple[EvcMode, ...]) -> str | None:
    """Return `intel` or `amd`, from the host's EVC mode or the brand string of its processor.

    `summary.hardware.vendor` is the maker of the machine, not of its processors.
    """
    by_mode = next((entry.vendor for entry in modes if entry.key == mode), None)
    words = (model or "").lower()
    return by_mode or next((vendor for vendor in ("intel", "amd") if vendor in words), None)


def _features(facts: Facts) -> Mapping[str, str]:
    """Return the feature capabilities after the EVC mask, keys in lower case.

    The case of keys differs between releases (`cpuid.SSE3`, `cpuid.sse3`).
    """
    kind = vim.host.FeatureCapability
    masked = facts.many("config.maskedFeatureCapability", kind)
    found = masked or facts.many("config.featureCapability", kind)
    return {e.key.lower(): e.value for e in found if e.key and e.value is not None} or NO_FEATURES
