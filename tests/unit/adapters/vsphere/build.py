"""Facts and pyVmomi objects for tests of the translations."""

from typing import Any

from pyVmomi import vim

from balancer.adapters.vsphere.facts import Facts


def ref(kind: type, key: str) -> Any:
    return kind(key, None)


def facts(key: str, kind: str = "VirtualMachine", **values: Any) -> Facts:
    """Return facts; in the names of values `__` stands for a dot."""
    return Facts(
        id=key, kind=kind, values={name.replace("__", "."): v for name, v in values.items()}
    )


def with_values(base: Facts, **values: Any) -> Facts:
    """Return the facts with values changed; a value of None is taken out."""
    changed = dict(base.values) | {name.replace("__", "."): v for name, v in values.items()}
    kept = {name: value for name, value in changed.items() if value is not None}
    return Facts(id=base.id, kind=base.kind, values=kept)


def vm_facts(**values: Any) -> Facts:
    """Return vm-1 on host-1: running, 4 vCPUs, 8 GiB."""
    base = facts(
        "vm-1",
        name="db",
        runtime__host=ref(vim.HostSystem, "host-1"),
        runtime__powerState="poweredOn",
        runtime__connectionState="connected",
        summary__config__numCpu=4,
        summary__config__memorySizeMB=8_192,
        summary__config__template=False,
    )
    return with_values(base, **values)


def host_facts(**values: Any) -> Facts:
    """Return host-1: connected, 10 cores of 2,000 MHz, 64 GiB."""
    base = facts(
        "host-1",
        "HostSystem",
        name="esx1",
        runtime__connectionState="connected",
        runtime__powerState="poweredOn",
        runtime__inMaintenanceMode=False,
        summary__hardware__cpuMhz=2_000,
        summary__hardware__numCpuCores=10,
        summary__hardware__memorySize=64 * 2**30,
    )
    return with_values(base, **values)
