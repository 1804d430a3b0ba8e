"""What vCenter's faults ask for: the one table from fault classes and message keys to kinds of failure.

Facts about vSphere, as `ceilings` and `privileges` are: names only, nothing here imports vSphere. Read by
`execute.failures`, which adds what only a text tells, and by the reference page docs/reference/faults.md.

Source: vSphere API reference, data objects that extend `MethodFault`; the faults declared for
`RelocateVM_Task` and `MigrateVM_Task` with all their descendants, and all that any call may raise
(`RuntimeFault`), are mapped (a test compares).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from balancer.model.outcome import FailureKind

_SKIP_VM = """
ToolsInstallationInProgress MigrationDisabled MethodDisabled MethodAlreadyDisabledFault
DisallowedChangeByService RestrictedByAdministrator AffinityConfigured DrsDisabledOnVm
InsufficientStorageSpace NoDiskSpace
DeviceNotSupported DeviceBackingNotSupported DVPortNotSupported UnusedVirtualDiskBlocksNotScrubbed
VirtualDiskBlocksNotFullyProvisioned DeviceControllerNotSupported DigestNotSupported
FileBackedPortNotSupported MultiWriterNotSupported NonPersistentDisksNotSupported RDMNotSupported
PhysCompatRDMNotSupported RawDiskNotSupported RemoteDeviceNotSupported SharedBusControllerNotSupported
VMINotSupported VirtualDiskModeNotSupported VirtualEthernetCardNotSupported DisallowedMigrationDeviceAttached
MigrationFeatureNotSupported FullStorageVMotionNotSupported IndependentDiskVMotionNotSupported
NonHomeRDMVMotionNotSupported StorageVMotionNotSupported UnsharedSwapVMotionNotSupported
VMotionAcrossNetworkNotSupported
SnapshotCopyNotSupported HotSnapshotMoveNotSupported SnapshotCloneNotSupported
SnapshotMoveFromNonHomeNotSupported SnapshotMoveNotSupported SnapshotMoveToNonHomeNotSupported
CloneFromSnapshotNotSupported SnapshotRevertIssue CannotMoveVmWithDeltaDisk CannotMoveVmWithNativeDeltaDisk
DiskMoveTypeNotSupported FaultToleranceNeedsThickDisk IncompatibleDefaultDevice
LargeRDMConversionNotSupported MaintenanceModeFileMove RDMConversionNotSupported RDMNotPreserved
ReadOnlyDisksWithLegacyDestination SuspendedRelocateNotSupported TooManyDisksOnLegacyHost
UncommittedUndoableDisk WillResetSnapshotDirectory CannotModifyConfigCpuRequirements
WillModifyConfigCpuRequirements
VMOnConflictDVPort
FaultToleranceAntiAffinityViolated CannotMoveFaultToleranceVm InvalidDrsBehaviorForFtVm
FaultToleranceCannotEditMem FaultToleranceCpuIncompatible InaccessibleFTMetadataDatastore
PowerOnFtSecondaryTimedout VmConfigIncompatibleForFaultTolerance VmConfigIncompatibleForRecordReplay
VmFaultToleranceIssue CannotChangeDrsBehaviorForFtSecondary CannotChangeHaSettingsForFtSecondary
CannotComputeFTCompatibleHosts FaultToleranceNotLicensed FaultTolerancePrimaryPowerOnNotAttempted
FtIssuesOnHost HostIncompatibleForFaultTolerance IncompatibleHostForFtSecondary
InvalidOperationOnSecondaryVm NoHostSuitableForFtSecondary NotSupportedDeviceForFT
PowerOnFtSecondaryFailed SecondaryVmAlreadyDisabled SecondaryVmAlreadyEnabled
SecondaryVmAlreadyRegistered SecondaryVmNotRegistered VmFaultToleranceConfigIssue
VmFaultToleranceConfigIssueWrapper VmFaultToleranceInvalidFileBacking VmFaultToleranceOpIssuesList
CannotDisableSnapshot CpuHotPlugNotSupported MemoryHotPlugNotSupported DeltaDiskFormatNotSupported
EightHostLimitViolated InvalidFormat InvalidDiskFormat InvalidSnapshotFormat InvalidVmConfig
InvalidDeviceSpec DeviceHotPlugNotSupported DeviceNotFound DeviceUnsupportedForVmPlatform
DeviceUnsupportedForVmVersion DisallowedDiskModeChange InvalidController InvalidDeviceBacking
InvalidDeviceOperation MissingController SwapPlacementOverrideNotSupported TooManyDevices
UnsupportedGuest VmWwnConflict NumVirtualCpusIncompatible OvfConsumerValidationFault
SoftRuleVioCorrectionDisallowed SoftRuleVioCorrectionImpact UnsupportedVmxLocation VAppNotRunning
VAppPropertyFault InvalidNetworkInType InvalidPropertyType InvalidPropertyValue UnconfiguredPropertyValue
MissingIpPool MissingNetworkIpConfig NoAvailableIp NoVcManagedIpConfigured NotUserConfigurableProperty
VFlashCacheHotConfigNotSupported
FailToLockFaultToleranceVMs CannotDisableDrsOnClustersWithVApps InvalidProfileReferenceHost InvalidScheduledTask
InvalidArgument IncompatibleSetting InvalidDasConfigArgument InvalidDasRestartPriorityForFtVm
InvalidIndexArgument InvalidRequest InvalidType MethodNotFound NotSupported NotImplemented
"""

_SKIP_TARGET = """
InvalidHostState InvalidHostConnectionState HostNotConnected HostNotReachable HostCommunication
VMotionInterfaceIssue VMotionNotConfigured VMotionNotLicensed VMotionNotSupported VMotionLinkDown
VMotionLinkCapacityLow
HAErrorsAtDest WillLoseHAProtection DisallowedOperationOnFailoverHost QuarantineModeFault
OperationDisallowedOnHost HostAccessRestrictedToManagementServer
"""

_PAIR = """
CpuIncompatible CpuIncompatible1ECX CpuIncompatible81EDX CpuCompatibilityUnknown FeatureRequirementsNotMet
VirtualHardwareCompatibilityIssue NotEnoughCpus NotEnoughLogicalCpus NumVirtualCpusNotSupported
NumVirtualCoresPerSocketNotSupported MemorySizeNotSupported MemorySizeNotRecommended
MemorySizeNotSupportedByDatastore VirtualHardwareVersionNotSupported DrsVmotionIncompatibleFault
DiskNotSupported IDEDiskNotSupported StorageVmotionIncompatible WakeOnLanNotSupported
CannotAccessVmComponent CannotAccessVmConfig CannotAccessVmDevice CannotAccessVmDisk
RDMPointsToInaccessibleDisk CannotAccessNetwork CannotUseNetwork DestinationSwitchFull
LegacyNetworkInterfaceInUse VMOnVirtualIntranet MismatchedNetworkPolicies NetworksMayNotBeTheSame
VMotionProtocolIncompatible MismatchedVMotionNetworkNames FaultToleranceNotSameBuild
RuleViolation VmHostAffinityRuleViolation NoCompatibleHardAffinityHost NoCompatibleSoftAffinityHost
FtVmHostRuleViolation NoCompatibleHost NoCompatibleHostWithAccessToDevice
InvalidDatastore ConflictingDatastoreFound InvalidDatastorePath InaccessibleDatastore DatastoreNotWritableOnHost
SwapDatastoreNotWritableOnHost SwapDatastoreUnset InvalidDatastoreState DatacenterMismatch
UnsupportedDatastore MemoryFileFormatNotSupportedByDatastore UnSupportedDatastoreForVFlash
RDMNotSupportedOnDatastore LargeRDMNotSupportedOnDatastore VFlashModuleNotSupported EncryptionKeyRequired
"""

_CAPACITY = """
InsufficientResourcesFault InsufficientAgentVmsDeployed InsufficientCpuResourcesFault
InsufficientFailoverResourcesFault InsufficientGraphicsResourcesFault InsufficientHostCapacityFault
InsufficientHostCpuCapacityFault InsufficientHostMemoryCapacityFault InsufficientPerCpuCapacity
InsufficientMemoryResourcesFault InsufficientNetworkCapacity InsufficientNetworkResourcePoolCapacity
InsufficientStandbyResource InsufficientStandbyCpuResource InsufficientStandbyMemoryResource
InsufficientVFlashResourcesFault InvalidResourcePoolStructureFault NumVirtualCpusExceedsLimit
VmFaultToleranceTooManyFtVcpusOnHost VmFaultToleranceTooManyVMsOnHost VmSmpFaultToleranceTooManyVMsOnHost
"""

_TRANSIENT = """
TaskInProgress VAppTaskInProgress VAppOperationInProgress ConcurrentAccess ResourceInUse FilterInUse
QuiesceDatastoreIOForHAFailed Timedout MigrationNotReady NoGuestHeartbeat LimitExceeded
InvalidState InvalidPowerState InvalidVmState QuestionPending VmPowerOnDisabled CannotPowerOffVmInCluster
MksConnectionLimitReached NoActiveHostInCluster OvfConsumerPowerOnFault GenericDrsFault
FileFault CannotAccessFile CannotCreateFile CannotDeleteFile DirectoryNotEmpty FileAlreadyExists FileLocked
FileNameTooLong FileNotFound FileNotWritable FileTooLarge IncorrectFileType NetworkCopyFault NotADirectory
NotAFile TooManyConcurrentNativeClones TooManyNativeCloneLevels TooManyNativeClonesOnFile
ManagedObjectNotFound DatabaseError
"""

_CANCELLED = "RequestCanceled"

_STOP = """
NotAuthenticated SessionNotFound InvalidLogin InvalidToken InvalidClientCertificate PasswordExpired
AuthenticationRequired
"""

_STOP_CLUSTER = """
NoPermission SecurityError RestrictedVersion SolutionUserRequired
NotEnoughLicenses ExpiredFeatureLicense ExpiredAddonLicense ExpiredEditionLicense FailToEnableSPBM
HostInventoryFull InUseFeatureManipulationDisallowed IncorrectHostInformation InvalidEditionLicense
InventoryHasStandardAloneHosts LicenseDowngradeDisallowed LicenseExpired LicenseKeyEntityMismatch
LicenseRestricted LicenseSourceUnavailable NoLicenseServerConfigured VmLimitLicense VramLimitLicense
LicenseAssignmentFailed ThirdPartyLicenseAssignmentFailed
"""

_NAMES = {
    FailureKind.SKIP_VM: _SKIP_VM,
    FailureKind.SKIP_TARGET: _SKIP_TARGET,
    FailureKind.PAIR: _PAIR,
    FailureKind.CAPACITY: _CAPACITY,
    FailureKind.TRANSIENT: _TRANSIENT,
    FailureKind.CANCELLED: _CANCELLED,
    FailureKind.STOP: _STOP,
    FailureKind.STOP_CLUSTER: _STOP_CLUSTER,
}

KIND_OF: Mapping[str, FailureKind] = MappingProxyType(
    {name: kind for kind, names in _NAMES.items() for name in names.split()}
)
"""Fault class name without package -> what it asks for."""

TOLD_BY_TEXT = frozenset(
    {"SystemError", "UnexpectedFault", "GenericVmConfigFault", "MigrationFault", "VmConfigFault"}
)
"""Faults whose class says only that something went wrong: their message decides, by its key or its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKey:
    """What the key of a fault's message asks for. `source` says where the key was found described."""

    kind: FailureKind
    source: str


_MSG_DASHBOARD = "SexiLog, documentation of the msg dashboard"

KEYS: Mapping[str, MessageKey] = MappingProxyType(
    {
        "msg.checkpoint.migration.maxSwitchoverTimeExceeded": MessageKey(
            kind=FailureKind.TRANSIENT, source="Broadcom KB 307365 and 435078"
        ),
        "msg.checkpoint.migration.nodata": MessageKey(
            kind=FailureKind.TRANSIENT, source=_MSG_DASHBOARD
        ),
        "msg.vmk.status.VMK_TIMEOUT": MessageKey(kind=FailureKind.TRANSIENT, source=_MSG_DASHBOARD),
        "msg.vmotion.connect.failure": MessageKey(
            kind=FailureKind.SKIP_TARGET, source=_MSG_DASHBOARD
        ),
        "vob.vmotion.stream.keepalive.read.fail": MessageKey(
            kind=FailureKind.TRANSIENT, source="published log of an ESXi host whose CPUs were full"
        ),
        "msg.migrate.save.error": MessageKey(
            kind=FailureKind.SKIP_VM, source="published fault of a VM with passthrough devices"
        ),
    }
)
"""Keys of `MethodFault.faultMessage`, the same in every language. Any other key leaves it to the family."""

KEY_FAMILIES: Mapping[str, FailureKind] = MappingProxyType(
    {
        "msg.pciPassthru.": FailureKind.SKIP_VM,
        "msg.vmotion.": FailureKind.TRANSIENT,
        "vob.vmotion.": FailureKind.TRANSIENT,
    }
)
"""Beginnings of keys; a key of the list above goes first."""
