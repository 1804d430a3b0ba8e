"""Which properties are read of which objects, and why.

Owns the lists of paths, and which of them are read every cycle. Leaf paths only: `summary` and `runtime`
as a whole repeat each other, carry the VM's feature list twice, and break the read when a newer server
knows a word that pyVmomi does not.
Paths that are newer than the server are left out when the call is made (`retrieve.known_paths`), from
pyVmomi's own tables, so no release is named here.

Source for every path, unit and trap: vSphere API 9.1 reference, data objects `HostSystem`,
`HostListSummary`, `HostCapability`, `VirtualMachine`, `VirtualMachineQuickStats`,
`VirtualMachineConfigInfo`, `VirtualMachineRuntimeInfo`, `ClusterComputeResource`, `Datastore`,
`ResourcePool`, `TaskInfo`.
"""

_ALWAYS_CHANGING = ("runtime.", "summary.quickStats.")
_NESTED = frozenset({"runtime.partialMaintenanceMode", "runtime.featureMask"})
"""State that seldom changes and is no leaf value."""

_VERSIONS = frozenset({"config.changeVersion", "summary.config.product.version"})


def every_cycle(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths of hosts or VMs that are read every cycle, in their order.

    That is: state, placement and load, which change without a change of the configuration, and the
    versions by which the other paths are cached.
    """
    return tuple(p for p in paths if _is_changing(p) or p in _VERSIONS)


def fixed(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the other paths, and the versions: some fixed facts are understood only with them."""
    return tuple(p for p in paths if not _is_changing(p))


def _is_changing(path: str) -> bool:
    return path.startswith(_ALWAYS_CHANGING) and path not in _NESTED


CLUSTER = (
    "name",
    # Declared with their base types; a path into the subclass may be refused, hence whole.
    "configurationEx",
    "summary",
)

HOST = (
    "name",
    "runtime.bootTime",
    "runtime.connectionState",
    "runtime.powerState",
    "runtime.inMaintenanceMode",
    "runtime.inQuarantineMode",
    "runtime.standbyMode",
    "runtime.partialMaintenanceMode",
    "summary.hardware.cpuMhz",  # MHz per core; times cores is documented as approximate
    "summary.hardware.numCpuCores",
    "summary.hardware.memorySize",  # bytes
    "summary.hardware.cpuModel",
    "summary.quickStats.overallCpuUsage",  # MHz; never notifies, hence polled
    "summary.quickStats.overallMemoryUsage",  # MiB
    "summary.maxEVCModeKey",
    "summary.config.product.version",
    "summary.config.vmotionEnabled",
    "capability.vmotionSupported",
    "capability.encryptedVMotionSupported",
    "capability.unsharedSwapVMotionSupported",
    "capability.vmotionWithStorageVMotionSupported",
    "capability.maxHostRunningVms",
    "hardware.numaInfo.numNodes",
    "config.localSwapDatastore",
    "config.virtualNicManagerInfo.netConfig",
    "config.network.pnic",
    "config.network.vswitch",
    "config.network.proxySwitch",
    "config.network.portgroup",
    "network",
)
HOST_FEATURES = ("config.maskedFeatureCapability", "config.featureCapability")
HOST_VMS = ("vm",)
HOST_RESOURCES = ("systemResources.child",)  # MHz and MiB; seldom, it is long

VM = (
    "name",
    "parent",
    "resourcePool",
    "datastore",
    "network",
    "customValue",
    "disabledMethod",
    "runtime.host",
    "runtime.powerState",
    "runtime.connectionState",
    "runtime.bootTime",
    "runtime.minRequiredEVCModeKey",
    "runtime.featureMask",  # the VM's own, such as those of an EVC mode of its own; mostly none
    "runtime.toolsInstallerMounted",
    "runtime.question.id",
    "runtime.faultToleranceState",
    "runtime.snapshotInBackground",
    "runtime.consolidationNeeded",
    "summary.config.template",
    "summary.config.instanceUuid",
    "summary.config.numCpu",
    "summary.config.memorySizeMB",
    "summary.storage.committed",  # bytes
    "summary.storage.uncommitted",
    "summary.quickStats.overallCpuUsage",  # MHz
    "summary.quickStats.overallCpuDemand",  # MHz, not bounded by contention
    "summary.quickStats.overallCpuReadiness",  # percent
    "summary.quickStats.guestMemoryUsage",  # MiB, active
    "summary.quickStats.hostMemoryUsage",  # MiB, consumed with overhead
    "summary.quickStats.grantedMemory",
    "summary.quickStats.swappedMemory",
    "summary.quickStats.balloonedMemory",
    "config.changeVersion",
    "config.version",  # the virtual hardware, such as vmx-20
    "config.guestId",  # what its settings say that it runs, such as rhel9_64Guest
    "config.managedBy.extensionKey",
    "config.managedBy.type",
    "config.migrateEncryption",
    "config.keyId.keyId",
    "config.swapPlacement",
    "config.latencySensitivity.level",
    "config.cpuAffinity.affinitySet",
    "config.memoryAffinity.affinitySet",
    "config.cpuAllocation.reservation",  # MHz
    "config.cpuAllocation.limit",  # MHz, -1 for none
    "config.cpuAllocation.shares.level",
    "config.cpuAllocation.shares.shares",  # counts at level custom only
    "config.memoryAllocation.reservation",  # MiB
    "config.memoryAllocation.limit",
    "config.memoryAllocation.shares.level",
    "config.memoryAllocation.shares.shares",
    "config.memoryReservationLockedToMax",
)
# What is read of a VM whose other properties cannot be: enough to keep its place and its size.
VM_MINIMUM = (
    "name",
    "runtime.host",
    "runtime.powerState",
    "summary.config.template",
    "summary.config.numCpu",
    "summary.config.memorySizeMB",
)
VM_FEATURES = ("runtime.featureRequirement",)
VM_DEVICES = ("config.hardware.device",)
VM_EXTRA = ("config.extraConfig",)  # long: of few VMs alone, see `agents`

DATASTORE_MOUNTS = ("host",)  # one structure for each host
DATASTORE = (
    "name",
    "summary.type",
    "summary.capacity",  # bytes
    "summary.freeSpace",
    "summary.accessible",
    "summary.maintenanceMode",
)
NETWORK = ("name",)
FOLDER = ("name", "parent")
POOL = (
    "name",
    "parent",
    "namespace",
    "config.cpuAllocation.reservation",
    "config.cpuAllocation.limit",
    "config.cpuAllocation.shares.level",
    "config.cpuAllocation.shares.shares",
    "config.memoryAllocation.reservation",
    "config.memoryAllocation.limit",
    "config.memoryAllocation.shares.level",
    "config.memoryAllocation.shares.shares",
)

TASK = ("info.state", "info.progress")
TASK_ERROR = ("info.error",)
RECENT_TASK = (
    "info.descriptionId",
    "info.state",
    "info.entity",
    "info.queueTime",
    "info.startTime",
    "info.eventChainId",
)
TASK_REASON = ("info.descriptionId", "info.reason")
CHECK_RESULT = ("info.result",)
