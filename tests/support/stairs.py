"""A cluster in which room is made only by a long row of VMs, each of which takes the place of the next."""

from balancer.model.host import HostState
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Blocker
from tests.support.builders import host, snapshot, vm

CAPACITY_MIB = 10_000.0
USABLE_MIB = 0.96 * CAPACITY_MIB
"""What the memory ceiling leaves of a host."""


def stairs(steps: int, *, rise_mib: float = 500.0, first_mib: float = 6000.0) -> Snapshot:
    """Return a host to be emptied of one VM that has room only if `steps` others move, each to one host more.

    All hosts but the last hold one VM that may move, a little smaller on each, and a free gap that is as
    much smaller than the VM as that. What else they hold is tied to them.
    """
    hosts = [host(1, state=HostState.ENTERING_MAINTENANCE)]
    vms = [vm(1, on=1, memory_mib=first_mib)]
    for step in range(1, steps + 2):
        on, size = step + 1, first_mib - step * rise_mib
        hosts.append(host(on, memory_capacity_mib=CAPACITY_MIB))
        free = rise_mib if step <= steps else size + rise_mib
        tied = USABLE_MIB - free - (size if step <= steps else 0.0)
        vms.append(vm(100 + on, on=on, memory_mib=tied, blockers=(Blocker.VGPU,)))
        if step <= steps:
            vms.append(vm(on, on=on, memory_mib=size))
    return snapshot(hosts, vms)
