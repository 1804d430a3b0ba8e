"""What the account may not see: objects of which the server refused some property.

Owns the count of such objects, and that such a VM stays where it is, as a blocker may be what was not
shown. What the count means for a plan is judged in `collect.quality`.
An object that the account may not see at all is not in any answer: it shows only as missing against an
earlier one.
"""

from collections.abc import Iterable
from dataclasses import replace

from balancer.adapters.vsphere.retrieve import Retrieved
from balancer.model.vm import Blocker, Vm


def denied_objects(*reads: Retrieved) -> int:
    """Return how many objects of these reads have a property that the server would not show.

    Source: vSphere API, `ObjectContent.missingSet`, mostly with the fault `NoPermission`.
    """
    return sum(1 for read in reads for facts in read.objects if facts.denied)


def held_where_denied(vms: Iterable[Vm], read: Retrieved) -> tuple[Vm, ...]:
    """Return the VMs, those blocked of which not every property was shown."""
    denied = {facts.id for facts in read.objects if facts.denied}
    return tuple(_held(vm) if vm.id in denied else vm for vm in vms)


def _held(vm: Vm) -> Vm:
    return replace(vm, blockers=tuple(sorted({*vm.blockers, Blocker.INACCESSIBLE})))
