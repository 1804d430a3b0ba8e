"""vSphere's faults in this program's words: class names, readable text, and the server check's "no".

Owns the translation of faults, and nothing else: what a fault asks for is decided by its name in
`execute`. Fault objects never leave this file.
"""

from collections.abc import Iterable
from typing import Any

from pyVmomi import vim, vmodl

from balancer.model.reasons import Reason, Refusal
from balancer.model.units import HostId, VmId

# Source: vSphere API 9.1, fault classes; a subclass counts as its nearest ancestor in this table.
_REASONS: tuple[tuple[type, Reason], ...] = (
    (vim.fault.CpuIncompatible, Reason.CPU_FEATURES),
    (vim.fault.FeatureRequirementsNotMet, Reason.CPU_FEATURES),
    (vim.fault.CannotAccessVmDisk, Reason.DATASTORE),
    (vim.fault.InvalidDatastore, Reason.DATASTORE),
    (vim.fault.CannotAccessNetwork, Reason.NETWORK),
    (vim.fault.CannotAccessVmDevice, Reason.HOST_LOCAL_CDROM),
    (vim.fault.VMotionLinkCapacityLow, Reason.VMOTION_LINK_SLOW),
    (vim.fault.MismatchedVMotionNetworkNames, Reason.VMOTION_NETWORK),
    (vim.fault.VMotionInterfaceIssue, Reason.VMOTION_DISABLED),
    (vim.fault.SharedBusControllerNotSupported, Reason.SHARED_SCSI_BUS),
    (vim.fault.VmFaultToleranceIssue, Reason.FAULT_TOLERANCE),
    (vim.fault.CannotMoveFaultToleranceVm, Reason.FAULT_TOLERANCE),
    (vim.fault.VmHostAffinityRuleViolation, Reason.VM_HOST_AFFINE),
    (vim.fault.InsufficientMemoryResourcesFault, Reason.MEMORY_RESERVATION),
    (vim.fault.InsufficientCpuResourcesFault, Reason.CPU_RESERVATION),
    (vim.fault.InsufficientHostMemoryCapacityFault, Reason.MEMORY_RESERVATION),
    (vim.fault.InsufficientHostCpuCapacityFault, Reason.CPU_RESERVATION),
    (vim.fault.AffinityConfigured, Reason.CPU_AFFINITY),
    (vim.fault.ToolsInstallationInProgress, Reason.TOOLS_INSTALLING),
    (vim.fault.QuestionPending, Reason.PENDING_QUESTION),
    (vim.fault.DisallowedOperationOnFailoverHost, Reason.FAILOVER_HOST),
    (vim.fault.DrsDisabledOnVm, Reason.AUTOMATION_DISABLED),
    (vim.fault.MethodDisabled, Reason.METHOD_DISABLED),
    (vim.fault.TaskInProgress, Reason.IN_FLIGHT),
    (vim.fault.InvalidHostState, Reason.TARGET_HOST_STATE),
    (vmodl.fault.HostNotConnected, Reason.TARGET_HOST_STATE),
)


def fault_name(fault: vmodl.MethodFault) -> str:
    """Return the fault's class name without its package, such as `TaskInProgress`."""
    return type(fault).__name__.rsplit(".", 1)[-1]


def fault_text(fault: vmodl.MethodFault) -> str:
    """Return what the server says of the fault, on one line; empty where it says nothing.

    The keys of `faultMessage` are kept: run-time failures of vMotion often arrive as `SystemError`,
    with the truth in the key alone. Source: vSphere API, `MethodFault.faultMessage`.
    """
    known: Any = fault
    parts = [known.msg] if getattr(known, "msg", None) else []
    for message in getattr(known, "faultMessage", None) or ():
        text = f" {message.message}" if message.message else ""
        parts.append(f"[{message.key}]{text}")
    privilege = getattr(known, "privilegeId", None)
    if privilege:
        parts.append(f"missing privilege {privilege}")
    return " ".join(" ".join(parts).split())


def fault_keys(fault: vmodl.MethodFault) -> tuple[str, ...]:
    """Return the keys of a fault's messages, in order: the same in every language."""
    known: Any = fault
    return tuple(
        str(message.key)
        for message in getattr(known, "faultMessage", None) or ()
        if getattr(message, "key", None)
    )


def fault_line(fault: vmodl.MethodFault) -> str:
    """Return name and text of a fault for messages."""
    text = fault_text(fault)
    return f"{fault_name(fault)}: {text}" if text else fault_name(fault)


def refusals_of(faults: Iterable[vmodl.MethodFault], vm: VmId, host: HostId) -> tuple[Refusal, ...]:
    """Return one refusal for each error of a server check, in the server's order."""
    return tuple(Refusal.of(_reason(f), fault_line(f), vm=vm, host=host) for f in faults)


def _reason(fault: vmodl.MethodFault) -> Reason:
    return next((r for kind, r in _REASONS if isinstance(fault, kind)), Reason.SERVER_CHECK)
