"""What wire tests share: small snapshot documents, and a reader that is not the product's own.

The documents are plain JSON values in the snapshot v1 format, with defaults, so that a test shows
only what matters to it. The reader asks the server with pyVmomi attribute by attribute, which is
slow and simple: it confirms what the product did by a way that shares no code with it.
"""

import json
from pathlib import Path
from typing import Any

from pyVmomi import vim, vmodl

from tests.support.vcenter_control import PATIENCE_S, wait_for

Row = dict[str, Any]

# pyVmomi makes its types at run time: their constructors carry no annotations.
RELOCATE_SPEC: Any = vim.vm.RelocateSpec
QUERY: Any = vmodl.query.PropertyCollector

MODES = ("intel-haswell", "intel-broadwell", "intel-skylake", "intel-cascadelake", "intel-icelake")


def evc_modes() -> list[Row]:
    """Return five Intel modes, each of which runs all before it, and one AMD mode."""
    intel = [
        {"key": key, "vendor": "intel", "tier": tier, "track": list(MODES[: tier + 1])}
        for tier, key in enumerate(MODES)
    ]
    return [*intel, {"key": "amd-zen", "vendor": "amd", "tier": 9, "track": ["amd-zen"]}]


def host_row(number: int, **facts: Any) -> Row:
    """Return host-N named esxN: 32 cores, 80,000 MHz, 256 GiB, vMotion over 25 Gbit/s."""
    defaults: Row = {
        "id": f"host-{number}",
        "name": f"esx{number}",
        "cpu_cores": 32,
        "cpu_capacity_mhz": 80_000,
        "memory_capacity_mib": 262_144,
        "cpu_vendor": "intel",
        "max_evc_mode": "intel-icelake",
        "vmotion": {"enabled": True, "link_mbps": 25_000},
    }
    return defaults | facts


def vm_row(number: int, on: int, **facts: Any) -> Row:
    """Return vm-N named vmN on host-`on`: 4 vCPUs, 2,000 MHz, 8 GiB consumed of 16."""
    defaults: Row = {
        "id": f"vm-{number}",
        "name": f"vm{number}",
        "host": f"host-{on}",
        "vcpus": 4,
        "memory_mib": 16_384,
        "cpu_demand_mhz": 2_000,
        "memory_active_mib": 4_096,
        "memory_consumed_mib": 8_192,
        "datastores": ["datastore-1"],
        "networks": ["dvportgroup-7"],
        "min_evc_mode": "intel-skylake",
    }
    return defaults | facts


def document(hosts: list[Row], vms: list[Row], *, cluster: Row | None = None, **others: Any) -> Row:
    """Return a snapshot v1 document of these hosts and VMs."""
    ground: Row = {"id": "domain-c8", "name": "prod", "evc_mode": None, "evc_modes": evc_modes()}
    return {
        "schema": "balancer/snapshot/v1",
        "taken_at": "2026-11-22T12:00:00Z",
        "cluster": ground | {"drs": {"enabled": False}} | (cluster or {}),
        "hosts": hosts,
        "vms": vms,
        "datastores": [{"id": "datastore-1", "name": "vmfs-1"}],
        "networks": [{"id": "dvportgroup-7", "name": "prod"}],
        **others,
    }


def write(directory: Path, doc: Row) -> Path:
    """Write a document into a directory and return the file."""
    path = directory / "snapshot.json"
    path.write_text(json.dumps(doc))
    return path


class Reader:
    """The server's inventory by name, read with pyVmomi."""

    def __init__(self, instance: vim.ServiceInstance) -> None:
        self.instance = instance
        self.content: Any = instance.RetrieveContent()

    def all(self, kind: type) -> dict[str, Any]:
        """Return every object of a kind by its name."""
        manager = self.content.viewManager
        view = manager.CreateContainerView(self.content.rootFolder, [kind], True)
        found = {thing.name: thing for thing in view.view}
        view.Destroy()
        return found

    def vm(self, name: str) -> Any:
        """Return the VM with this name."""
        return self.all(vim.VirtualMachine)[name]

    def host(self, name: str) -> Any:
        """Return the host with this name."""
        return self.all(vim.HostSystem)[name]

    def cluster(self) -> Any:
        """Return the only cluster."""
        (cluster,) = self.all(vim.ClusterComputeResource).values()
        return cluster

    def relocate(self, vm: str, host: str, priority: str = "defaultPriority") -> Any:
        """Submit a relocation and return its task."""
        return self.vm(vm).Relocate(RELOCATE_SPEC(host=self.host(host)), priority)

    def spec(self, host: str) -> Any:
        """Return the relocation spec that names only a host."""
        return RELOCATE_SPEC(host=self.host(host))

    def retrieve(self, kind: type, paths: list[str], *, page: int | None = None) -> list[list[Any]]:
        """Return the pages of a bulk read of leaf properties over all objects of a kind."""
        manager, collector = self.content.viewManager, self.content.propertyCollector
        view = manager.CreateContainerView(self.content.rootFolder, [kind], True)
        through = QUERY.TraversalSpec(type=vim.view.ContainerView, path="view", skip=False)
        spec = QUERY.FilterSpec(
            objectSet=[QUERY.ObjectSpec(obj=view, skip=True, selectSet=[through])],
            propSet=[QUERY.PropertySpec(type=kind, pathSet=paths)],
        )
        answer = collector.RetrievePropertiesEx([spec], QUERY.RetrieveOptions(maxObjects=page))
        pages = [list(answer.objects)]
        while answer.token:
            answer = collector.ContinueRetrievePropertiesEx(answer.token)
            pages.append(list(answer.objects))
        view.Destroy()
        return pages


def finished(task: Any, *, timeout_s: float = PATIENCE_S) -> Any:
    """Wait for a task's end and return its info."""
    return wait_for(
        lambda: task.info,
        lambda info: info.state in {"success", "error"},
        what="the end of a task",
        timeout_s=timeout_s,
    )


def values(content: Any) -> dict[str, Any]:
    """Return an object's retrieved properties by path."""
    return {prop.name: prop.val for prop in content.propSet}
