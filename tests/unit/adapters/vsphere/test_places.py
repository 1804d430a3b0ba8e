"""Datastores, pools and folders become model values."""

from typing import Any

import pytest
from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts
from balancer.adapters.vsphere.places import (
    attribute_names,
    datastore_from,
    folder_paths,
    local_datastores,
    managed_pools,
    pool_from,
    reach,
)
from balancer.model.snapshot import DatastoreState
from tests.unit.adapters.vsphere.build import facts, ref


def mount(host: int, **info: Any) -> Any:
    defaults: dict[str, Any] = {"accessMode": "readWrite", "accessible": True, "path": "/vmfs"}
    return vim.Datastore.HostMount(
        key=ref(vim.HostSystem, f"host-{host}"), mountInfo=vim.host.MountInfo(**(defaults | info))
    )


def datastore(key: str, *mounts: Any, **values: Any) -> Facts:
    return facts(key, "Datastore", host=list(mounts), **values)


@pytest.mark.parametrize(
    ("info", "values", "is_reached"),
    [
        ({}, {}, True),
        ({"accessible": False}, {}, False),
        ({"accessMode": "readOnly"}, {}, False),
        ({"mounted": False}, {}, False),
        ({"mounted": True}, {}, True),
        ({"accessible": None}, {"summary__accessible": True}, True),
        ({"accessible": None}, {"summary__accessible": False}, False),
        ({"accessible": None}, {}, False),
    ],
    ids=[
        "writable",
        "not accessible",
        "read only",
        "not mounted",
        "mounted",
        "old server, datastore accessible",
        "old server, datastore not accessible",
        "nobody says",
    ],
)
def test_a_host_reaches_what_it_may_write(
    info: dict[str, Any], values: dict[str, Any], is_reached: bool
) -> None:
    found = reach([datastore("datastore-1", mount(1, **info), **values)])
    assert found == ({"host-1": {"datastore-1"}} if is_reached else {})


def test_reach_gathers_all_datastores_of_a_host() -> None:
    found = reach(
        [datastore("datastore-1", mount(1), mount(2)), datastore("datastore-2", mount(1))]
    )
    assert found == {"host-1": {"datastore-1", "datastore-2"}, "host-2": {"datastore-1"}}


def test_a_datastore_on_one_host_is_local() -> None:
    stores = [
        datastore("datastore-1", mount(1), mount(2)),
        datastore("datastore-2", mount(1)),
        datastore("datastore-3"),
    ]
    assert local_datastores(stores) == {"datastore-2", "datastore-3"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"summary__accessible": True, "summary__maintenanceMode": "normal"}, "normal"),
        ({"summary__accessible": False, "summary__maintenanceMode": "normal"}, "inaccessible"),
        ({"summary__maintenanceMode": "inMaintenance"}, "maintenance"),
        ({"summary__maintenanceMode": "enteringMaintenance"}, "entering_maintenance"),
        ({}, "normal"),
    ],
)
def test_the_state_of_a_datastore(values: dict[str, Any], expected: str) -> None:
    assert datastore_from(datastore("datastore-1", **values)).state is DatastoreState(expected)


def test_sizes_of_a_datastore_are_in_mib_and_none_where_unknown() -> None:
    known = datastore_from(datastore("d", summary__capacity=3 * 2**20, summary__freeSpace=0))
    assert (known.capacity_mib, known.free_mib) == (3, 0)
    unknown = datastore_from(datastore("d"))
    assert (unknown.capacity_mib, unknown.free_mib) == (None, None)


def test_the_root_pool_has_no_parent() -> None:
    root = pool_from(facts("resgroup-1", parent=ref(vim.ClusterComputeResource, "domain-c8")))
    child = pool_from(facts("resgroup-2", parent=ref(vim.ResourcePool, "resgroup-1")))
    in_app = pool_from(facts("resgroup-3", parent=ref(vim.VirtualApp, "resgroup-v4")))
    assert (root.parent, child.parent, in_app.parent) == (None, "resgroup-1", "resgroup-v4")


def test_the_capacity_that_the_root_pool_shows_is_no_reservation_and_no_limit() -> None:
    allocation = {"config__memoryAllocation__reservation": 500, "config__cpuAllocation__limit": 900}
    root = pool_from(
        facts("resgroup-1", parent=ref(vim.ClusterComputeResource, "domain-c8"), **allocation)
    )
    child = pool_from(facts("resgroup-2", parent=ref(vim.ResourcePool, "resgroup-1"), **allocation))
    assert (root.memory_reservation_mib, root.cpu_limit_mhz) == (None, None)
    assert (child.memory_reservation_mib, child.cpu_limit_mhz) == (500, 900)


def test_pools_of_a_supervisor_are_known_by_their_namespace() -> None:
    pools = [facts("resgroup-1"), facts("resgroup-2", namespace="team-a")]
    assert managed_pools(pools) == {"resgroup-2"}


def test_folders_have_a_path_below_the_datacenters_root_folder() -> None:
    folders = [
        facts("group-v1", name="vm", parent=ref(vim.Datacenter, "datacenter-2")),
        facts("group-v2", name="prod", parent=ref(vim.Folder, "group-v1")),
        facts("group-v3", name="web", parent=ref(vim.Folder, "group-v2")),
        facts("group-d1", name="Datacenters"),
    ]
    assert folder_paths(folders) == {"group-v2": "prod", "group-v3": "prod/web"}


def test_folders_in_a_ring_end() -> None:
    ring = [
        facts("group-v1", name="a", parent=ref(vim.Folder, "group-v2")),
        facts("group-v2", name="b", parent=ref(vim.Folder, "group-v1")),
    ]
    assert folder_paths(ring) == {"group-v1": "b/a", "group-v2": "a/b"}


def test_attributes_are_known_by_key() -> None:
    field = vim.CustomFieldsManager.FieldDef(key=101, name="owner", type=str)
    assert attribute_names(facts("CustomFieldsManager", field=[field])) == {101: "owner"}
