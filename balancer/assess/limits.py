"""Limits of resource pools: what the VMs of a pool get together, so that the load they can cause is no more.

Limits of single VMs are in `assess.demand`. Scales demand down in proportion; touches neither what a VM
holds nor what it is guaranteed.
Source: vSphere API, `ResourceAllocationInfo.limit`: the utilization of a pool will not exceed it.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from balancer.assess.pools import PoolTree
from balancer.model.need import Demand
from balancer.model.units import VmId

Array = npt.NDArray[np.float64]


def within_limits(tree: PoolTree, demand: Mapping[VmId, Demand]) -> dict[VmId, Demand]:
    """Return the demand with that of each pool's VMs scaled down to the pool's limit, slot by slot."""
    found = dict(demand)
    cpu = {p.id: p.cpu_limit_mhz for p in tree.order if p.cpu_limit_mhz is not None}
    if cpu:
        wants = {vm: np.array((d.cpu_mhz, *d.cpu_slots_mhz)) for vm, d in demand.items()}
        for vm, ratio in ratios(tree, cpu, wants).items():
            found[vm] = _less_cpu(found[vm], ratio, wants[vm])
    memory = {p.id: p.memory_limit_mib for p in tree.order if p.memory_limit_mib is not None}
    if memory:
        wants = {vm: np.array((d.memory_mib, *d.memory_slots_mib)) for vm, d in demand.items()}
        for vm, ratio in ratios(tree, memory, wants).items():
            found[vm] = _less_memory(found[vm], ratio, wants[vm])
    return found


def ratios(
    tree: PoolTree, limits: Mapping[str, float], wants: Mapping[VmId, Array]
) -> dict[VmId, Array]:
    """Return what remains of the demand of each VM in a limited pool, as ratios shaped like `wants`.

    Bottom-up: a pool's demand is what its own limit and those inside it let through.
    """
    total: dict[str, Array] = {}
    own: dict[str, Array] = {}
    zero = np.zeros_like(next(iter(wants.values()))) if wants else np.zeros(1)
    for pool in reversed(tree.order):
        inside = [total[child] for child in tree.pools_in[pool.id]]
        inside += [wants[vm] for vm in tree.vms_in[pool.id]]
        wanted = sum(inside, start=zero)
        limit = limits.get(pool.id, np.inf)
        own[pool.id] = np.where(wanted > limit, limit / np.maximum(wanted, 1e-12), 1.0)
        total[pool.id] = wanted * own[pool.id]
    for pool in tree.order:
        for child in tree.pools_in[pool.id]:
            own[child] = own[child] * own[pool.id]
    return {
        vm: own[pool.id]
        for pool in tree.order
        if (own[pool.id] < 1.0).any()
        for vm in tree.vms_in[pool.id]
    }


def _less_cpu(demand: Demand, ratio: Array, wants: Array) -> Demand:
    left = (ratio * wants).tolist()
    return replace(
        demand,
        cpu_mhz=left[0],
        cpu_slots_mhz=tuple(left[1:]),
        cpu_variance_mhz2=demand.cpu_variance_mhz2 * float(ratio[0]) ** 2,
    )


def _less_memory(demand: Demand, ratio: Array, wants: Array) -> Demand:
    left = (ratio * wants).tolist()
    return replace(demand, memory_mib=left[0], memory_slots_mib=tuple(left[1:]))
