"""What surrounds hosts and VMs in model values: datastores, networks, resource pools, folders, attributes.

Owns these small translations. A host reaches a datastore when its own mount is accessible and writable:
that several hosts are configured for it is no proof that a given one sees it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts, object_id
from balancer.model.snapshot import Datastore, DatastoreState, Network, ResourcePool
from balancer.model.units import HostId

_BYTES_PER_MIB = 2**20

# A pool counts as a VM of 4 vCPUs and 16 GiB. Source: vSphere Resource Management, "Resource Allocation Shares".
_CPU_SHARES = {"low": 2000.0, "normal": 4000.0, "high": 8000.0}
_MEMORY_SHARES = {"low": 81_920.0, "normal": 163_840.0, "high": 327_680.0}
_MODES = {
    "normal": DatastoreState.NORMAL,
    "inMaintenance": DatastoreState.MAINTENANCE,
    "enteringMaintenance": DatastoreState.ENTERING_MAINTENANCE,
}


def datastore_from(facts: Facts) -> Datastore:
    """Translate a datastore."""
    capacity, free = facts.number("summary.capacity"), facts.number("summary.freeSpace")
    return Datastore(
        id=facts.id,
        name=facts.text("name") or facts.id,
        kind=facts.text("summary.type"),
        capacity_mib=None if capacity is None else capacity / _BYTES_PER_MIB,
        free_mib=None if free is None else free / _BYTES_PER_MIB,
        state=_datastore_state(facts),
    )


def _datastore_state(facts: Facts) -> DatastoreState:
    if facts.flag("summary.accessible") is False:
        return DatastoreState.INACCESSIBLE
    word = facts.text("summary.maintenanceMode") or "normal"
    return _MODES.get(word, DatastoreState.MAINTENANCE)  # also where the word is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """The hosts that reach a datastore and may write there, and how many have it mounted at all."""

    usable: frozenset[HostId] = frozenset()
    count: int = 0


MOUNTS = "host (condensed)"
"""Where facts hold a datastore's mounts, once they are known."""


def mounts_from(facts: Facts) -> Mounts:
    """Translate a datastore's `host`.

    Source: vSphere API, `HostMountInfo`: `accessible` is unset on old servers (then the datastore's own
    flag counts), an unset `mounted` means true.
    """
    known = facts.one(MOUNTS, Mounts)
    if known is not None:
        return known
    mounts = facts.many("host", vim.Datastore.HostMount)
    usable = (mount for mount in mounts if _is_usable(mount.mountInfo, facts))
    return Mounts(
        usable=frozenset(HostId(str(object_id(mount.key))) for mount in usable),
        count=len(mounts),
    )


def reach(datastores: Iterable[Facts]) -> dict[HostId, frozenset[str]]:
    """Return the datastores that each host reaches and may write."""
    found: dict[HostId, set[str]] = {}
    for facts in datastores:
        for host in mounts_from(facts).usable:
            found.setdefault(host, set()).add(facts.id)
    return {host: frozenset(keys) for host, keys in found.items()}


def local_datastores(datastores: Iterable[Facts]) -> frozenset[str]:
    """Return the datastores that no more than one host has mounted."""
    return frozenset(facts.id for facts in datastores if mounts_from(facts).count <= 1)


def _is_usable(mount: vim.host.MountInfo | None, datastore: Facts) -> bool:
    if mount is None:
        return False
    accessible = mount.accessible
    if accessible is None:
        accessible = datastore.flag("summary.accessible")
    is_there = accessible is True and mount.mounted is not False
    return is_there and mount.accessMode == "readWrite"


def network_from(facts: Facts) -> Network:
    """Translate a network or distributed port group."""
    return Network(id=facts.id, name=facts.text("name") or facts.id)


def pool_from(facts: Facts) -> ResourcePool:
    """Translate a resource pool; the cluster's root pool has no parent, and nothing reserved or limited.

    What vSphere gives as the root's reservation and limit is the capacity of the cluster, no promise to VMs.
    """
    is_root = facts.ref_kind("parent") not in ("ResourcePool", "VirtualApp")
    if is_root:
        return ResourcePool(id=facts.id, name=facts.text("name") or facts.id)
    return ResourcePool(
        id=facts.id,
        name=facts.text("name") or facts.id,
        parent=facts.ref("parent"),
        cpu_reservation_mhz=facts.number("config.cpuAllocation.reservation"),
        cpu_limit_mhz=facts.number("config.cpuAllocation.limit"),
        cpu_shares=_pool_shares(facts, "config.cpuAllocation", _CPU_SHARES),
        memory_reservation_mib=facts.number("config.memoryAllocation.reservation"),
        memory_limit_mib=facts.number("config.memoryAllocation.limit"),
        memory_shares=_pool_shares(facts, "config.memoryAllocation", _MEMORY_SHARES),
    )


def _pool_shares(facts: Facts, where: str, by_level: Mapping[str, float]) -> float | None:
    """Return a pool's shares; where the server gives none they follow from the level."""
    told = facts.number(f"{where}.shares.shares")
    return told or by_level.get(facts.text(f"{where}.shares.level") or "")


def managed_pools(pools: Iterable[Facts]) -> frozenset[str]:
    """Return the pools that a Supervisor owns; their VMs are placed by it."""
    return frozenset(facts.id for facts in pools if facts.text("namespace"))


def folder_paths(folders: Iterable[Facts]) -> dict[str, str]:
    """Return the path of each VM folder below its datacenter's root folder, such as `a/b`.

    A datacenter's root folder has no path: a VM in it is in no folder.
    """
    by_id = {facts.id: facts for facts in folders}
    return {key: path for key in by_id if (path := _path(key, by_id))}


def _path(key: str, folders: Mapping[str, Facts]) -> str:
    names: list[str] = []
    seen: set[str] = set()
    while key in folders and key not in seen:
        seen.add(key)
        folder = folders[key]
        parent = folder.ref("parent")
        if folder.ref_kind("parent") != "Folder" or parent is None:
            break
        names.append(folder.text("name") or folder.id)
        key = parent
    return "/".join(reversed(names))


def attribute_names(facts: Facts) -> dict[int, str]:
    """Return the names of the custom attributes by key, from the custom fields manager."""
    fields = facts.many("field", vim.CustomFieldsManager.FieldDef)
    return {entry.key: entry.name for entry in fields if entry.name}
