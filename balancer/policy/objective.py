"""The objective that a policy sets: imbalance, contention, spread. Pure functions over arrays of host load.

Every stage that speaks of cost calls these, so that planner, report and metrics mean the same figure.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.policy.types import Thresholds

Array = npt.NDArray[np.float64]

CONTENTION_LINEAR = 5.0
CONTENTION_QUADRATIC = 50.0
"""Weights of contention against balance; large enough that relief always outweighs levelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostArrays:
    """Capacity and load of the hosts that may run VMs, shape (hosts, 2): CPU in MHz, memory in MiB."""

    capacity: Array
    load: Array

    @property
    def ratio(self) -> Array:
        """Return load over capacity, shape (hosts, 2)."""
        result: Array = self.load / self.capacity
        return result


def balance_cost(hosts: HostArrays) -> float:
    """Return B, the capacity-weighted variance of host load, both resources weighed by their scarcity.

    B = sum_r w_r sum_h share_hr (u_hr - mean_r)^2 with mean_r = sum L / sum C and w_r = mean_r / sum mean.
    0 for no hosts or no load.
    """
    if hosts.capacity.size == 0:
        return 0.0
    mean = hosts.load.sum(axis=0) / hosts.capacity.sum(axis=0)
    total = float(mean.sum())
    if total <= 0.0:
        return 0.0
    share = hosts.capacity / hosts.capacity.sum(axis=0)
    variance = (share * (hosts.ratio - mean) ** 2).sum(axis=0)
    return float((mean / total * variance).sum())


def imbalance(hosts: HostArrays) -> float:
    """Return the square root of `balance_cost`, a ratio: 0.05 reads "five percentage points"."""
    return float(np.sqrt(balance_cost(hosts)))


def contention_cost(hosts: HostArrays, thresholds: Thresholds) -> float:
    """Return O, the capacity-weighted penalty of load above the contention thresholds; 0 where none."""
    if hosts.capacity.size == 0:
        return 0.0
    limit = np.array([thresholds.cpu_contention, thresholds.memory_contention])
    over = np.maximum(hosts.ratio - limit, 0.0)
    share = hosts.capacity / hosts.capacity.sum(axis=0)
    penalty = CONTENTION_LINEAR * over + CONTENTION_QUADRATIC * over**2
    return float((share * penalty).sum())


def load_cost(hosts: HostArrays, thresholds: Thresholds) -> float:
    """Return the load part of the objective, contention plus balance. Lower is better."""
    return contention_cost(hosts, thresholds) + balance_cost(hosts)
