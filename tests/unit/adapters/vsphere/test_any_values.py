"""Whatever stands in a property: nothing raises out of a translation, and what comes out is sound."""

import random
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pyVmomi import vim
from pyVmomi.VmomiSupport import DataObject, ManagedObject

from balancer.adapters.vsphere import properties
from balancer.adapters.vsphere.cluster import cluster_from, within
from balancer.adapters.vsphere.devices import DeviceFacts, devices_from
from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.hosts import HostContext, host_from, overhead_from
from balancer.adapters.vsphere.places import (
    attribute_names,
    datastore_from,
    folder_paths,
    local_datastores,
    managed_pools,
    network_from,
    pool_from,
    reach,
)
from balancer.adapters.vsphere.tasks import check_faults_from, open_tasks_from, task_view_from
from balancer.adapters.vsphere.vms import VmContext, bare_vm_from, vm_from
from balancer.model.units import HostId, VmId
from balancer.model.vm import Blocker, PowerState
from tests.support.searching import examples

MANY = examples(150, suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 2**32)
HOSTILE = ("", "a\"b'c", "a\nb\r", "a\0b", "\u202eabc", "\ud800", "<b>&x;</b>", "x" * 5_000)
WORDS = (
    *("poweredOn", "connected", "none", "normal", "high", "required", "custom", "running"),
    *(
        "notConfigured",
        "inMaintenance",
        "VirtualMachine.migrate",
        "HostSystem.enterMaintenanceMode",
    ),
    *("fullyAutomated", "vmotion", "host/system", "neverHeardOf"),
)
NUMBERS = (0, -1, 1, 7, 4_096, 2**31 - 1, 2**63, 10**400, 0.5, inf, -inf, nan)
REFS = ("vm-1", "host-1", "host-2", "datastore-1")
_dev = vim.vm.device
NESTED: tuple[type, ...] = (
    *(vim.host.VirtualNicManager.NetConfig, vim.host.PhysicalNic, vim.host.VirtualSwitch),
    *(vim.host.HostProxySwitch, vim.host.PortGroup, vim.host.FeatureCapability),
    *(vim.host.SystemResourceInfo, vim.host.PartialMaintenanceModeRuntimeInfo),
    *(vim.vm.FeatureRequirement, vim.CustomFieldsManager.StringValue, vim.Datastore.HostMount),
    *(vim.CustomFieldsManager.FieldDef, vim.cluster.ConfigInfoEx),
    *(vim.ClusterComputeResource.Summary, vim.vm.check.Result, vim.fault.CpuIncompatible),
    *(_dev.VirtualCdrom, _dev.VirtualFloppy, _dev.VirtualPCIPassthrough, _dev.VirtualUSB),
    *(_dev.VirtualSerialPort, _dev.ParaVirtualSCSIController, _dev.VirtualDisk),
)
SUBCLASSES: dict[type, tuple[type, ...]] = {
    vim.cluster.RuleInfo: (
        vim.cluster.AffinityRuleSpec,
        vim.cluster.AntiAffinityRuleSpec,
        vim.cluster.VmHostRuleInfo,
    ),
    vim.cluster.GroupInfo: (vim.cluster.VmGroup, vim.cluster.HostGroup),
    vim.cluster.DasAdmissionControlPolicy: (
        vim.cluster.FailoverHostAdmissionControlPolicy,
        vim.cluster.FailoverResourcesAdmissionControlPolicy,
        vim.cluster.FailoverLevelAdmissionControlPolicy,
    ),
    _dev.VirtualDevice.BackingInfo: (
        _dev.VirtualCdrom.IsoBackingInfo,
        _dev.VirtualCdrom.AtapiBackingInfo,
        _dev.VirtualSerialPort.DeviceBackingInfo,
    ),
}
DEEPEST = 4


class Chance:
    """Makes values by chance from one seed: pyVmomi objects have too many parts to be drawn one by one."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one_in(self, count: int) -> bool:
        return self._random.randrange(count) == 0

    def object(self, kind: type, depth: int = DEEPEST) -> Any:
        """Return an object of a class or of a subclass, any of its properties set or not."""
        made: Any = self._random.choice(SUBCLASSES.get(kind, (kind,)))()
        for info in made._GetPropertyList():
            value = None if info.name.startswith("dynamic") else self.of(info.type, depth)
            # past pyVmomi's own check: what is read from the wire need not go through it either
            made.__dict__[info.name] = [] if value is None and hasattr(info.type, "Item") else value
        return made

    def of(self, kind: Any, depth: int = DEEPEST) -> Any:
        """Return a value that the wire's type allows, or None where the server told nothing."""
        if self.one_in(4):
            return None
        item = getattr(kind, "Item", None)
        if item is not None:
            found = [self.of(item, depth) for _ in range(self._random.randrange(3))]
            return [value for value in found if value is not None]
        if issubclass(kind, ManagedObject):
            return kind(self._random.choice(REFS), None)
        if issubclass(kind, DataObject):
            return self.object(kind, depth - 1) if depth else None
        return self._plain(kind)

    def _plain(self, kind: type) -> Any:
        if issubclass(kind, bool):
            return self.one_in(2)
        if issubclass(kind, int | float):
            return self._random.choice(NUMBERS[:6])
        if issubclass(kind, datetime):
            return datetime(2026, 11, 26, tzinfo=UTC)
        return self._random.choice(HOSTILE + WORDS) if issubclass(kind, str) else None

    def anything(self) -> Any:
        """Return something that the path's type does not allow."""
        choices = (*NUMBERS, *HOSTILE, *WORDS, True, None, vim.Folder("f", None), NESTED)
        found = self._random.choice(choices)
        found = self.object(self._random.choice(NESTED)) if found is NESTED else found
        return [found] if self.one_in(3) else found

    def facts(self, owner: type, key: str, paths: tuple[str, ...], **kept: Any) -> Facts:
        """Return an object with values under its paths; those of `kept` are there three times in four."""
        found = {
            path: self.anything() if self.one_in(4) else self.of(type_of(owner, path))
            for path in paths
        }
        if not self.one_in(4):
            found |= {path.replace("__", "."): value for path, value in kept.items()}
        return Facts(id=key, kind=owner.__name__.rsplit(".", 1)[-1], values=found)


def type_of(owner: Any, path: str) -> Any:
    """Return the type of what stands under a path, from pyVmomi's own tables."""
    for name in path.split("."):
        owner = owner._GetPropertyInfo(name).type
    return owner


VM_PATHS = properties.VM + properties.VM_FEATURES
HOST_PATHS = properties.HOST + properties.HOST_FEATURES + properties.HOST_RESOURCES


def any_vm(seed: int) -> Facts:
    return Chance(seed).facts(
        vim.VirtualMachine,
        "vm-1",
        VM_PATHS,
        runtime__host=vim.HostSystem("host-1", None),
        runtime__powerState="poweredOn",
        runtime__connectionState="connected",
        summary__config__numCpu=4,
        summary__config__memorySizeMB=8_192,
    )


def any_host(seed: int) -> Facts:
    return Chance(seed).facts(
        vim.HostSystem,
        "host-1",
        HOST_PATHS,
        runtime__connectionState="connected",
        summary__hardware__cpuMhz=2_000,
        summary__hardware__numCpuCores=10,
        summary__hardware__memorySize=2**36,
    )


CONTEXT = VmContext(
    automation={}, attribute_names={1: "owner"}, local_datastores=frozenset({"datastore-1"})
)


@MANY
@given(SEEDS)
def test_any_vm_is_translated_or_left_out(seed: int) -> None:
    facts = any_vm(seed)
    vm = vm_from(facts, DeviceFacts(), CONTEXT)
    bare_vm_from(facts)
    if vm is not None:
        assert vm.power in PowerState
        assert all(isinstance(word, Blocker) for word in vm.blockers)
        assert vm.name
        assert all(isinstance(name, str) for name in vm.attributes.values())


@MANY
@given(SEEDS)
def test_any_host_is_translated_or_left_out(seed: int) -> None:
    facts = any_host(seed)
    overhead = overhead_from(facts)
    assert 0 <= overhead.cpu_mhz < inf
    host = host_from(facts, HostContext(overheads={HostId("host-1"): overhead}))
    if host is not None:
        assert host.cpu_capacity_mhz > 0
        assert host.memory_capacity_mib > 0
        assert host.name


@MANY
@given(SEEDS)
def test_any_cluster_is_translated_or_left_out(seed: int) -> None:
    chance = Chance(seed)
    base = chance.facts(vim.ClusterComputeResource, "domain-c8", properties.CLUSTER)
    info = chance.object(vim.cluster.ConfigInfoEx)
    if info.dasConfig is not None:
        policy = chance.object(vim.cluster.DasAdmissionControlPolicy)
        wanted = {"admissionControlEnabled": True, "admissionControlPolicy": policy}
        info.dasConfig.__dict__.update(wanted)
    summary = chance.object(vim.ClusterComputeResource.Summary)
    given_info = {"configurationEx": info, "summary": summary}
    for facts in (base, Facts(id=base.id, kind=base.kind, values=given_info)):
        found = cluster_from(facts, ())
        for rule in found.rules if found else ():
            kept = within(rule, frozenset({VmId("vm-1")}), frozenset({HostId("host-1")}))
            assert set(kept.vms) <= {"vm-1"}


@MANY
@given(SEEDS)
def test_any_devices_are_translated(seed: int) -> None:
    kinds = [kind for kind in NESTED if issubclass(kind, _dev.VirtualDevice)]
    chance = Chance(seed)
    devices = [chance.object(kind) for kind in kinds]
    found = devices_from(devices)
    assert all(isinstance(word, Blocker) for word in found.blockers)


@MANY
@given(SEEDS)
def test_any_surroundings_are_translated(seed: int) -> None:
    chance = Chance(seed)
    store = chance.facts(vim.Datastore, "datastore-1", properties.DATASTORE)
    pool = chance.facts(vim.ResourcePool, "resgroup-1", properties.POOL)
    folder = chance.facts(vim.Folder, "group-1", properties.FOLDER)
    manager = chance.facts(vim.CustomFieldsManager, "m", ("field",))
    assert datastore_from(store).name
    assert pool_from(pool).name
    assert network_from(folder).name
    reach([store])
    local_datastores([store])
    managed_pools([pool])
    assert all(folder_paths([folder]).values())
    assert all(attribute_names(manager).values())


@MANY
@given(SEEDS)
def test_any_task_is_translated(seed: int) -> None:
    paths = properties.RECENT_TASK + properties.TASK + properties.TASK_ERROR + ("info.result",)
    task = Chance(seed).facts(vim.Task, "task-1", paths)
    open_tasks_from([task])
    task_view_from(task, error_is_readable=True)
    check_faults_from(task)
