"""The laws as the planner reads them: one encoder per law, vectorised, each the twin of a judge in `rules`.

Static encoders give a table by class of VM; the others look at where VMs are now. The order is that of
`rules.ALL_LAWS`, so that the first code is the judges' first refusal. A property test holds each
encoder and its judge together.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from balancer.plan.codes import Codes, Ints
from balancer.plan.encode import (
    affinity,
    anti_affinity,
    capacity,
    devices,
    evc,
    host_state,
    network,
    reservations,
    storage,
    vm_host,
)
from balancer.plan.encode.table import Table
from balancer.plan.ledger import Ledger
from balancer.plan.problem import Problem
from balancer.plan.units import Units

StaticEncoder = Callable[[Problem, Ints, bool], Table]
DynamicEncoder = Callable[[Ledger, Units, bool], Codes]

STATIC: Mapping[str, StaticEncoder] = MappingProxyType(
    {
        "devices": devices.encode,
        "host_state": host_state.encode,
        "vm_host": vm_host.encode,
        "evc": evc.encode,
        "storage": storage.encode,
        "network": network.encode,
    }
)

DYNAMIC: Mapping[str, DynamicEncoder] = MappingProxyType(
    {
        "anti_affinity": anti_affinity.encode,
        "affinity": affinity.encode,
        "reservations": reservations.encode,
        "capacity": capacity.encode,
    }
)
