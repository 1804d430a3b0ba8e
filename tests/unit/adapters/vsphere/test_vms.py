"""A VM's properties become model values, and what is not there stays None."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.devices import DeviceFacts
from balancer.adapters.vsphere.vms import VmContext, bare_vm_from, vm_from
from balancer.model.units import VmId
from balancer.model.vm import Automation, Blocker, Encryption, PowerState, Vm
from tests.unit.adapters.vsphere.build import ref, vm_facts

QUICK = "summary__quickStats__"


def translated(
    context: VmContext | None = None, devices: DeviceFacts | None = None, **values: Any
) -> Vm:
    vm = vm_from(vm_facts(**values), devices or DeviceFacts(), context or VmContext())
    assert vm is not None
    return vm


def test_a_vm_without_figures_has_none_of_them() -> None:
    vm = translated()
    assert (vm.cpu_demand_mhz, vm.memory_active_mib, vm.memory_consumed_mib) == (None, None, None)
    assert (vm.cpu_limit_mhz, vm.min_evc_mode, vm.uuid) == (None, None, None)


def test_a_measured_zero_stays_zero() -> None:
    vm = translated(**{QUICK + "overallCpuDemand": 0, QUICK + "swappedMemory": 0})
    assert (vm.cpu_demand_mhz, vm.memory_swapped_mib) == (0.0, 0.0)


def test_minus_one_is_no_limit_and_no_data() -> None:
    vm = translated(config__cpuAllocation__limit=-1, **{QUICK + "guestMemoryUsage": -1})
    assert (vm.cpu_limit_mhz, vm.memory_active_mib) == (None, None)


@pytest.mark.parametrize(
    "state",
    [
        {"runtime__powerState": "poweredOff"},
        {"runtime__powerState": "suspended"},
        {"runtime__connectionState": "disconnected"},
    ],
    ids=["off", "suspended", "its host is lost"],
)
def test_figures_of_a_vm_that_nobody_measures_are_dropped(state: dict[str, Any]) -> None:
    vm = translated(**state, **{QUICK + "overallCpuUsage": 700, QUICK + "hostMemoryUsage": 4_000})
    assert (vm.cpu_usage_mhz, vm.memory_consumed_mib) == (None, None)


@pytest.mark.parametrize(
    "lost",
    [
        "runtime__host",
        "runtime__powerState",
        "summary__config__numCpu",
        "summary__config__memorySizeMB",
    ],
)
def test_a_vm_without_place_or_size_is_not_made_up(lost: str) -> None:
    assert vm_from(vm_facts(**{lost: None}), DeviceFacts(), VmContext()) is None
    assert bare_vm_from(vm_facts(**{lost: None})) is None


def test_a_vm_that_cannot_be_read_whole_keeps_its_place_and_never_moves() -> None:
    vm = bare_vm_from(vm_facts())
    assert vm is not None
    assert (vm.host, vm.vcpus, vm.memory_mib) == ("host-1", 4, 8_192)
    assert vm.blockers == (Blocker.INACCESSIBLE,)


@pytest.mark.parametrize(
    ("level", "number", "expected"),
    [("normal", 1, 4_000), ("low", 1, 2_000), ("high", 1, 8_000), ("custom", 777, 777)],
)
def test_shares_follow_the_level_and_the_number_counts_at_custom_only(
    level: str, number: int, expected: float
) -> None:
    where = "config__cpuAllocation__shares__"
    assert translated(**{where + "level": level, where + "shares": number}).cpu_shares == expected


@pytest.mark.parametrize(
    ("values", "blocker"),
    [
        ({"runtime__connectionState": "orphaned"}, Blocker.INACCESSIBLE),
        ({"runtime__connectionState": "invalid"}, Blocker.INACCESSIBLE),
        ({"config__cpuAffinity__affinitySet": [0]}, Blocker.CPU_AFFINITY),
        ({"config__memoryAffinity__affinitySet": [0]}, Blocker.CPU_AFFINITY),
        ({"runtime__toolsInstallerMounted": True}, Blocker.TOOLS_INSTALLING),
        ({"runtime__faultToleranceState": "running"}, Blocker.FAULT_TOLERANCE),
        ({"runtime__question__id": "7"}, Blocker.PENDING_QUESTION),
        ({"disabledMethod": ["RelocateVM_Task"]}, Blocker.METHOD_DISABLED),
        ({"disabledMethod": ["MigrateVM_Task"]}, Blocker.METHOD_DISABLED),
        ({"runtime__consolidationNeeded": True}, Blocker.CONSOLIDATING),
        ({"runtime__snapshotInBackground": True}, Blocker.CONSOLIDATING),
        ({"config__latencySensitivity__level": "high"}, Blocker.LATENCY_SENSITIVE_PINNED),
        ({"config__managedBy__extensionKey": "com.vmware.vim.eam"}, Blocker.AGENT_VM),
        (
            {
                "config__managedBy__extensionKey": "VirtualCenter",
                "config__managedBy__type": "vcls-entity",
            },
            Blocker.AGENT_VM,
        ),
    ],
)
def test_what_holds_a_vm_is_named(values: dict[str, Any], blocker: Blocker) -> None:
    assert translated(**values).blockers == (blocker,)


@pytest.mark.parametrize(
    "values",
    [
        {"config__cpuAffinity__affinitySet": []},
        {"runtime__faultToleranceState": "notConfigured"},
        {"disabledMethod": ["Destroy_Task"]},
        {"config__latencySensitivity__level": "normal"},
        {"config__managedBy__extensionKey": "VirtualCenter", "config__managedBy__type": "vapp"},
    ],
)
def test_what_does_not_hold_a_vm_is_no_blocker(values: dict[str, Any]) -> None:
    assert translated(**values).blockers == ()


def test_a_vm_in_a_supervisors_pool_is_an_agent() -> None:
    context = VmContext(managed_pools=frozenset({"resgroup-9"}))
    vm = translated(context, resourcePool=ref(vim.ResourcePool, "resgroup-9"))
    assert vm.blockers == (Blocker.AGENT_VM,)


def test_a_connected_image_binds_the_vm_to_hosts_that_see_its_datastore() -> None:
    devices = DeviceFacts(image_datastores=frozenset({"datastore-2"}))
    shared = translated(None, devices)
    assert (shared.datastores, shared.blockers) == ({"datastore-2"}, ())
    local = VmContext(local_datastores=frozenset({"datastore-2"}))
    bound = translated(local, devices)
    assert (bound.datastores, bound.blockers) == (frozenset(), (Blocker.LOCAL_CDROM_BACKING,))


def test_feature_keys_are_compared_in_lower_case() -> None:
    feature = vim.vm.FeatureRequirement(key="cpuid.SSE3", featureName="x", value="Bool:Min:1")
    assert translated(runtime__featureRequirement=[feature]).cpu_features == {
        "cpuid.sse3": "Bool:Min:1"
    }


def test_what_others_say_of_the_vm_is_taken_over() -> None:
    context = VmContext(
        automation={VmId("vm-1"): Automation.MANUAL},
        groups={VmId("vm-1"): frozenset({"web"})},
        folders={"group-v7": "prod/web"},
        attribute_names={101: "owner"},
    )
    owner = vim.CustomFieldsManager.StringValue(key=101, value="anna")
    other = vim.CustomFieldsManager.StringValue(key=102, value="?")
    vm = translated(context, parent=ref(vim.Folder, "group-v7"), customValue=[owner, other])
    assert (vm.automation, vm.groups) == (Automation.MANUAL, {"web"})
    assert (vm.folder, vm.attributes) == ("prod/web", {"owner": "anna"})


@pytest.mark.parametrize(
    ("word", "expected"),
    [("required", Encryption.REQUIRED), (None, None), ("something-new", Encryption.REQUIRED)],
)
def test_encryption_is_a_known_word_or_none_and_an_unknown_one_the_strictest(
    word: str | None, expected: Encryption | None
) -> None:
    assert translated(config__migrateEncryption=word).encryption is expected


def test_a_suspended_vm_is_not_running() -> None:
    assert translated(runtime__powerState="suspended").power is PowerState.SUSPENDED


@pytest.mark.parametrize(("value", "told"), [("rhel9_64Guest", "rhel9_64Guest"), ("", None)])
def test_the_guest_system_is_the_one_of_the_settings(value: str, told: str | None) -> None:
    assert translated(config__guestId=value).guest_os == told
