"""The table of faults is complete, names real faults, and says what each asks for."""

import pytest
from pyVmomi import VmomiSupport, vim, vmodl

from balancer.execute.failures import failure_kind
from balancer.model.faults import KEY_FAMILIES, KEYS, KIND_OF, TOLD_BY_TEXT
from balancer.model.outcome import FailureKind

KIND = FailureKind


def _all_faults() -> dict[str, type]:
    names = {
        key[1] for table in (VmomiSupport._wsdlDefMap, VmomiSupport._wsdlTypeMap) for key in table
    }
    found = {}
    for name in names:
        for package in ("vim.fault.", "vmodl.fault.", "vmodl."):
            try:
                kind = VmomiSupport.GetVmodlType(package + name)
            except (KeyError, AttributeError):
                continue
            if isinstance(kind, type) and issubclass(kind, vmodl.MethodFault):
                found[kind.__name__.rsplit(".", maxsplit=1)[-1]] = kind
    return found


ALL_FAULTS = _all_faults()

FAMILIES = [
    "MigrationFault",
    "VmConfigFault",
    "InsufficientResourcesFault",
    "InvalidState",
    "InvalidDatastore",
    "FileFault",
    "TaskInProgress",
    "NotEnoughLicenses",
    "VmFaultToleranceIssue",
    "HostCommunication",
    "NoCompatibleHost",
    "InvalidLogin",
    "InvalidArgument",
    "InvalidRequest",
    "NotSupported",
    "SecurityError",
]


def test_the_list_of_faults_is_the_real_one() -> None:
    assert len(ALL_FAULTS) > 600


@pytest.mark.parametrize("name", sorted(KIND_OF))
def test_every_name_in_the_table_is_a_fault_of_vsphere(name: str) -> None:
    assert name in ALL_FAULTS


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_mapped_with_all_its_descendants(family: str) -> None:
    base = ALL_FAULTS[family]
    members = {name for name, kind in ALL_FAULTS.items() if issubclass(kind, base)}
    assert members - KIND_OF.keys() - TOLD_BY_TEXT == set()


def test_every_fault_that_a_relocation_declares_is_mapped() -> None:
    info = VmomiSupport.GetVmodlType("vim.VirtualMachine")
    declared = {
        fault for method in ("Relocate", "Migrate") for fault in getattr(info, method).info.faults
    }
    assert declared
    bases = tuple(VmomiSupport.GetVmodlType(fault) for fault in declared)
    members = {
        name
        for name, kind in ALL_FAULTS.items()
        if issubclass(kind, bases) and kind not in (vmodl.MethodFault, vmodl.RuntimeFault)
    }
    assert vim.fault.Timedout in bases
    assert len(members) > 200
    assert members - KIND_OF.keys() - TOLD_BY_TEXT == set()


def test_every_fault_that_any_call_may_raise_is_mapped() -> None:
    base = vmodl.RuntimeFault
    members = {name for name, kind in ALL_FAULTS.items() if issubclass(kind, base)}
    assert len(members) > 40
    assert members - KIND_OF.keys() - TOLD_BY_TEXT == {"RuntimeFault"}  # no fault by itself


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("TaskInProgress", KIND.TRANSIENT),
        ("Timedout", KIND.TRANSIENT),
        ("NotAuthenticated", KIND.STOP),
        ("ManagedObjectNotFound", KIND.TRANSIENT),
        ("NoPermission", KIND.STOP_CLUSTER),
        ("LicenseExpired", KIND.STOP_CLUSTER),
        ("RequestCanceled", KIND.CANCELLED),
        ("InsufficientHostMemoryCapacityFault", KIND.CAPACITY),
        ("CpuIncompatible1ECX", KIND.PAIR),
        ("CannotAccessNetwork", KIND.PAIR),
        ("RuleViolation", KIND.PAIR),
        ("VMotionNotConfigured", KIND.SKIP_TARGET),
        ("HostNotConnected", KIND.SKIP_TARGET),
        ("InvalidHostState", KIND.SKIP_TARGET),
        ("ToolsInstallationInProgress", KIND.SKIP_VM),
        ("RawDiskNotSupported", KIND.SKIP_VM),
        ("InvalidArgument", KIND.SKIP_VM),
        ("SomethingNew", KIND.UNMAPPED),
        ("MethodFault", KIND.UNMAPPED),
        ("", KIND.UNMAPPED),
    ],
)
def test_a_fault_asks_for_its_reaction(fault: str, kind: FailureKind) -> None:
    assert failure_kind(fault) is kind


@pytest.mark.parametrize("fault", sorted(TOLD_BY_TEXT))
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            "The migration has exceeded the maximum switchover time of 100 second(s).",
            KIND.TRANSIENT,
        ),
        ("The VM failed to resume on the destination during early power on.", KIND.TRANSIENT),
        ("A general system error occurred: Connection reset by peer", KIND.TRANSIENT),
        ("Migration to host <10.0.0.2> failed: network error", KIND.TRANSIENT),
        ("The operation timed out", KIND.TRANSIENT),
        ("A general system error occurred: internal error", KIND.SKIP_VM),
        ("", KIND.SKIP_VM),
    ],
)
def test_a_fault_that_says_little_is_told_by_its_text(
    fault: str, message: str, kind: FailureKind
) -> None:
    assert failure_kind(fault, message) is kind


@pytest.mark.parametrize("fault", sorted(TOLD_BY_TEXT))
@pytest.mark.parametrize("key", sorted(KEYS))
def test_the_key_of_a_message_decides_whatever_the_language_of_its_text(
    fault: str, key: str
) -> None:
    told = failure_kind(fault, "La migration a échoué.", ("com.vmware.not.known", key))
    assert told is KEYS[key].kind
    assert failure_kind(fault, "The operation timed out", (key,)) is KEYS[key].kind


@pytest.mark.parametrize("start", sorted(KEY_FAMILIES))
def test_a_key_that_is_not_known_is_told_by_its_family(start: str) -> None:
    assert failure_kind("SystemError", "", (start + "something.new",)) is KEY_FAMILIES[start]


def test_without_a_known_key_the_text_decides() -> None:
    assert failure_kind("SystemError", "timed out", ("com.vmware.x",)) is KIND.TRANSIENT
    assert failure_kind("SystemError", "who knows", ("com.vmware.x",)) is KIND.SKIP_VM


def test_a_key_does_not_change_what_the_class_says() -> None:
    assert failure_kind("NoPermission", "", ("msg.vmotion.connect.failure",)) is KIND.STOP_CLUSTER


def test_every_key_says_where_it_was_found() -> None:
    assert all(entry.source for entry in KEYS.values())
