"""The tree of resource pools with the running VMs in it: who is inside what, in an order that can be walked.

Knows nothing of figures; `assess.guarantees` and `assess.limits` walk it. Pools whose parents form a ring,
and what is inside them, are left out: nothing can be said of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from balancer.model.snapshot import ResourcePool
from balancer.model.units import VmId
from balancer.model.vm import Vm


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTree:
    """`order` lists every pool behind its parent; `pools_in` and `vms_in` are what each holds directly."""

    order: tuple[ResourcePool, ...]
    pools_in: Mapping[str, tuple[str, ...]]
    vms_in: Mapping[str, tuple[VmId, ...]]


def pool_tree(pools: Sequence[ResourcePool], vms: Sequence[Vm]) -> PoolTree:
    """Return the tree, siblings by id. A pool whose parent is not listed is taken as one without."""
    by_id = {pool.id: pool for pool in pools}
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    for pool_id in sorted(by_id):
        parent = by_id[pool_id].parent
        children[parent if parent in by_id else None].append(pool_id)
    inside: defaultdict[str, list[VmId]] = defaultdict(list)
    for vm in vms:
        if vm.resource_pool is not None:
            inside[vm.resource_pool].append(vm.id)
    order = list(children[None])
    for pool_id in order:
        order += children[pool_id]
    return PoolTree(
        order=tuple(by_id[pool_id] for pool_id in order),
        pools_in={pool_id: tuple(children[pool_id]) for pool_id in order},
        vms_in={pool_id: tuple(sorted(inside[pool_id])) for pool_id in order},
    )
