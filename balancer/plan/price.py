"""What a migration costs: predicted seconds, and the price that the policy puts on them.

The vectorised twin of `model.duration.vmotion_seconds`; a test compares the two.
"""

from collections.abc import Sequence

import numpy as np

from balancer.model.duration import LINK_EFFICIENCY, MOST_DIRTY_RATIO, SETUP_SECONDS
from balancer.plan.codes import Floats, Ints
from balancer.plan.problem import FOOTPRINT, Problem

_MBIT_PER_MIB = 8 * 2**20 / 1e6


def seconds(problem: Problem, vms: Sequence[int] | Ints, sources: Ints, targets: Ints) -> Floats:
    """Return the predicted seconds of moving each VM alone; the arrays broadcast against each other."""
    rows = np.asarray(vms, dtype=np.int64)
    link = np.minimum(problem.link_mbps[sources], problem.link_mbps[targets])
    bandwidth = np.maximum(link * LINK_EFFICIENCY, 1.0)
    dirty = np.minimum(problem.dirty_mbps[rows] / bandwidth, MOST_DIRTY_RATIO)
    copied = problem.size[rows, FOOTPRINT] * _MBIT_PER_MIB / bandwidth
    result: Floats = SETUP_SECONDS + copied / (1.0 - dirty)
    return result


def price(problem: Problem, vms: Sequence[int] | Ints, sources: Ints, targets: Ints) -> Floats:
    """Return the price of moving each VM, in units of the objective; broadcasts like `seconds`."""
    prices = problem.policy.prices
    lasting = seconds(problem, vms, sources, targets)
    return prices.move_price * (1.0 + prices.per_second * lasting)
