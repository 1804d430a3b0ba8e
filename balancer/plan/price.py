"""What a migration costs: predicted seconds, and the price that the policy puts on them.

The vectorised twin of `model.duration.vmotion_seconds` at the pace that was learnt; a test compares the two.
"""

from collections.abc import Sequence

import numpy as np

from balancer.model.duration import LINK_EFFICIENCY, MOST_DIRTY_RATIO, SETUP_SECONDS
from balancer.plan.codes import Floats, Ints
from balancer.plan.problem import FOOTPRINT, VCPUS, Problem
from balancer.policy.objective import price_of_moving

_MBIT_PER_MIB = 8 * 2**20 / 1e6


def seconds(problem: Problem, vms: Sequence[int] | Ints, sources: Ints, targets: Ints) -> Floats:
    """Return the predicted seconds of moving each VM alone; the arrays broadcast against each other."""
    rows = np.asarray(vms, dtype=np.int64)
    link = np.minimum(problem.link_mbps[sources], problem.link_mbps[targets])
    bandwidth = np.maximum(link * LINK_EFFICIENCY, 1.0)
    dirty = np.minimum(problem.dirty_mbps[rows] / bandwidth, MOST_DIRTY_RATIO)
    copied = problem.size[rows, FOOTPRINT] * _MBIT_PER_MIB / bandwidth
    model = SETUP_SECONDS + copied / (1.0 - dirty)
    result: Floats = np.maximum(model * problem.pace[sources, targets], SETUP_SECONDS)
    return result


def price(problem: Problem, vms: Sequence[int] | Ints, sources: Ints, targets: Ints) -> Floats:
    """Return the price of moving each VM, in units of the objective; broadcasts like `seconds`."""
    lasting = seconds(problem, vms, sources, targets)
    return instant_price(problem) * (1.0 + problem.policy.prices.per_second * lasting)


def instant_price(problem: Problem) -> float:
    """Return the price of a move that takes no time."""
    return price_of_moving(0.0, problem.policy.prices, hosts=int(problem.serving.sum()))


def wide_cost(problem: Problem) -> Floats | None:
    """Return what it costs to place each VM on each host for being wider than a NUMA node, (N, H).

    None where it costs nothing. A VM that is too wide for every serving host costs nothing anywhere: it
    must be somewhere. Source: VMware, "Using NUMA Systems with ESXi", vSphere 8: a VM with more vCPUs or
    memory than a node is spread over several, and reaches some of its memory more slowly.
    """
    vcpus, memory = problem.size[:, VCPUS], problem.configured_mib
    nodes = problem.numa_nodes
    if not len(vcpus) or (vcpus.max() <= nodes[:, 0].min() and memory.max() <= nodes[:, 1].min()):
        return None
    wide = (vcpus[:, None] > nodes[:, 0]) | (memory[:, None] > nodes[:, 1])
    wide[wide[:, problem.serving].all(axis=1)] = False
    price = problem.policy.prices.wide_vm / max(int(problem.serving.sum()), 1)
    result: Floats = price * wide.astype(np.float64)
    return result if wide.any() else None
