"""The inventory that is read: a snapshot document of some hosts and VMs in one cluster, the same every time."""

from typing import Any

from tests.support.wire import document, host_row, vm_row

DATASTORES, NETWORKS = 20, 10
_DEVICES = [
    *("passthrough_device", "vgpu", "sriov", "usb_device"),
    *("host_local_cdrom", "local_cdrom_backing", "shared_scsi_bus"),
]
_ATTRIBUTES = {"owner": "a team", "cost centre": "4711", "backup": "daily"}


def population(hosts: int, vms: int, *, is_laden: bool = False) -> dict[str, Any]:
    """Return the document. Every number that a real vCenter would show of a running VM is there.

    `is_laden`: each VM has seven devices and three custom attributes instead of none.
    """
    more: dict[str, Any] = {"blockers": _DEVICES, "attributes": _ATTRIBUTES} if is_laden else {}
    stores = [f"datastore-{number}" for number in range(1, DATASTORES + 1)]
    nets = [f"dvportgroup-{number}" for number in range(1, NETWORKS + 1)]
    return document(
        [host_row(n, numa_nodes=2, datastores=stores, networks=nets) for n in range(1, hosts + 1)],
        [_vm(number, hosts, stores, nets) | more for number in range(1, vms + 1)],
        cluster={"evc_mode": "intel-skylake"},
        datastores=[{"id": key, "name": key, "kind": "VMFS"} for key in stores],
        networks=[{"id": key, "name": key} for key in nets],
    )


def _vm(number: int, hosts: int, stores: list[str], nets: list[str]) -> dict[str, Any]:
    return vm_row(
        number,
        1 + number % hosts,
        cpu_usage_mhz=1_000 + number % 900,
        cpu_ready_percent=number % 4,
        memory_granted_mib=9_000 + number % 500,
        memory_swapped_mib=number % 3,
        memory_ballooned_mib=number % 5,
        datastores=[stores[number % len(stores)]],
        networks=[nets[number % len(nets)]],
        folder=f"team-{number % 40}",
    )
