"""Reading in bulk: pages, gone objects, and the one object that cannot be read."""

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere import properties
from balancer.adapters.vsphere.leaves import is_leaf
from balancer.adapters.vsphere.retrieve import (
    Retrieved,
    Wanted,
    known_paths,
    reference,
    retrieve_below,
    retrieve_these,
)
from tests.unit.adapters.vsphere.build import facts
from tests.unit.adapters.vsphere.fake_stub import FakeStub

WANTED = Wanted(kind=vim.VirtualMachine, paths=("name",))
NAMES = [f"vm-{number:02}" for number in range(1, 24)]
NEWEST = "vim.version.v9_1_1_0"

TABLES = [
    (vim.ClusterComputeResource, properties.CLUSTER),
    (vim.HostSystem, properties.HOST + properties.HOST_FEATURES + properties.HOST_VMS),
    (vim.HostSystem, properties.HOST_RESOURCES),
    (vim.VirtualMachine, properties.VM + properties.VM_FEATURES + properties.VM_DEVICES),
    (vim.VirtualMachine, properties.VM_MINIMUM),
    (vim.Datastore, properties.DATASTORE + properties.DATASTORE_MOUNTS),
    (vim.Network, properties.NETWORK),
    (vim.Folder, properties.FOLDER),
    (vim.ResourcePool, properties.POOL),
    (vim.Task, properties.TASK + properties.TASK_ERROR + properties.RECENT_TASK),
    (vim.Task, properties.CHECK_RESULT),
]


def below(stub: FakeStub, page_size: int = 5) -> Retrieved:
    root = vim.Folder("group-d1", stub)
    return retrieve_below(stub.opened(), root, WANTED, page_size=page_size)


def these(stub: FakeStub, keys: list[str]) -> Retrieved:
    opened = stub.opened()
    refs = [reference(opened, vim.VirtualMachine, key) for key in keys]
    return retrieve_these(opened, refs, WANTED, page_size=5)


def ids(found: Retrieved) -> list[str]:
    return [facts.id for facts in found.objects]


def test_all_pages_are_read_in_the_order_of_ids() -> None:
    stub = FakeStub(reversed(NAMES))
    found = below(stub)
    assert ids(found) == NAMES
    assert found.objects[0].text("name") == "n-vm-01"
    assert stub.calls["ContinueRetrievePropertiesEx"] == 4
    assert stub.calls["DestroyView"] == 1


@pytest.mark.parametrize("bad", [["vm-01"], ["vm-23"], ["vm-07", "vm-08"], NAMES])
def test_objects_that_cannot_be_read_cost_only_themselves(bad: list[str]) -> None:
    stub = FakeStub(NAMES, poison=bad)
    found = below(stub)
    assert ids(found) == [key for key in NAMES if key not in bad]
    assert found.unreadable == set(bad)
    assert stub.calls["DestroyView"] == 1


def test_an_object_with_a_bad_value_costs_no_call_more() -> None:
    stub = FakeStub(NAMES, odd=["vm-07", "vm-23"])
    found = below(stub)
    assert found.unreadable == {"vm-07", "vm-23"}
    assert len(found.objects) == len(NAMES) - 2
    assert stub.calls["RetrievePropertiesEx"] + stub.calls["ContinueRetrievePropertiesEx"] == 5


def test_bad_values_and_a_page_that_cannot_be_read_are_told_together() -> None:
    found = below(FakeStub(NAMES, odd=["vm-02"], poison=["vm-13"]))
    assert found.unreadable == {"vm-02", "vm-13"}
    assert len(found.objects) == len(NAMES) - 2


def test_of_two_reads_only_what_both_have_is_whole() -> None:
    first = Retrieved(objects=tuple(facts(key, name=key) for key in ("vm-1", "vm-2", "vm-3")))
    second = Retrieved(
        objects=(facts("vm-1", size=1),), unreadable=frozenset({"vm-2"}), gone=frozenset({"vm-4"})
    )
    both = first.together(second)
    assert [(entry.id, dict(entry.values)) for entry in both.objects] == [
        ("vm-1", {"name": "vm-1", "size": 1})
    ]
    assert (both.unreadable, both.gone) == ({"vm-2"}, {"vm-3", "vm-4"})


def test_structures_and_leaf_values_are_read_apart() -> None:
    wanted = Wanted(kind=vim.VirtualMachine, paths=("name", "customValue", "runtime.host"))
    leaves, structures = wanted.parts()
    assert (leaves.paths, structures.paths) == (("name", "runtime.host"), ("customValue",))


@pytest.mark.parametrize(
    ("kind", "paths"),
    [(vim.HostSystem, properties.HOST), (vim.VirtualMachine, properties.VM)],
    ids=["hosts", "VMs"],
)
def test_what_is_read_every_cycle_are_leaf_values(kind: type, paths: tuple[str, ...]) -> None:
    often, seldom = properties.every_cycle(paths), properties.fixed(paths)
    assert all(is_leaf(kind, path) for path in often)
    assert set(often) | set(seldom) == set(paths)
    assert set(often) & set(seldom) <= {"config.changeVersion", "summary.config.product.version"}


def test_one_bad_object_costs_few_calls_more() -> None:
    stub = FakeStub(NAMES, poison=["vm-13"])
    below(stub)
    assert stub.calls["RetrievePropertiesEx"] + stub.calls["ContinueRetrievePropertiesEx"] < 15


def test_named_objects_that_are_gone_are_named_as_gone() -> None:
    stub = FakeStub(NAMES, gone=["vm-03", "vm-99"])
    found = these(stub, ["vm-01", "vm-02", "vm-03", "vm-04", "vm-99"])
    assert ids(found) == ["vm-01", "vm-02", "vm-04"]
    assert found.gone == {"vm-03", "vm-99"}
    assert found.unreadable == frozenset()


def test_the_view_is_destroyed_when_the_server_refuses() -> None:
    stub = FakeStub(NAMES, fault=vim.fault.NoPermission())
    with pytest.raises(vim.fault.NoPermission):
        below(stub)
    assert stub.calls["DestroyView"] == 1


@pytest.mark.parametrize(("kind", "paths"), TABLES)
def test_every_path_exists_in_pyvmomis_tables(kind: type, paths: tuple[str, ...]) -> None:
    for path in paths:
        owner = kind
        for name in path.split("."):
            info = owner._GetPropertyInfo(name)  # raises where there is none
            owner = getattr(info.type, "Item", info.type)
    assert known_paths(kind, paths, NEWEST) == paths


def test_paths_newer_than_the_server_are_left_out() -> None:
    paths = ("name", "runtime.inQuarantineMode", "runtime.standbyMode")
    assert known_paths(vim.HostSystem, paths, "vim.version.version10") == (
        "name",
        "runtime.standbyMode",
    )
    stats = ("summary.quickStats.overallCpuReadiness", "summary.quickStats.overallCpuDemand")
    assert known_paths(vim.VirtualMachine, stats, "vim.version.version12") == stats[1:]


def test_a_path_into_a_subclass_is_kept() -> None:
    path = "summary.currentEVCModeKey"
    assert known_paths(vim.ClusterComputeResource, (path,), NEWEST) == (path,)
