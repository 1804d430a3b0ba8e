"""Which properties the compared clients read: those of a full read of hosts and VMs, and of one cycle."""

from pyVmomi import vim

from balancer.adapters.vsphere import properties
from balancer.adapters.vsphere.leaves import is_leaf

Read = tuple[str, type, tuple[str, ...]]

_HOST, _VM = vim.HostSystem, vim.VirtualMachine

EVERYTHING: tuple[Read, ...] = (
    ("HostSystem", _HOST, properties.HOST),
    ("VirtualMachine", _VM, properties.VM + properties.VM_DEVICES),
)
EVERY_CYCLE: tuple[Read, ...] = (
    ("HostSystem", _HOST, properties.every_cycle(properties.HOST)),
    ("VirtualMachine", _VM, properties.every_cycle(properties.VM)),
)


def leaves(reads: tuple[Read, ...]) -> tuple[Read, ...]:
    """Return the reads with the paths that end in leaf values."""
    return tuple(
        (name, kind, tuple(path for path in paths if is_leaf(kind, path)))
        for name, kind, paths in reads
    )


READS = {
    "full": EVERYTHING,
    "leaves": leaves(EVERYTHING),
    "cycle": EVERY_CYCLE,
}
