"""The objective that a policy sets: imbalance, contention, spread. Pure functions over arrays of host load.

Every stage that speaks of cost calls these, so that planner, report and metrics mean the same figure.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from balancer.policy.types import Prices, Thresholds

Array = npt.NDArray[np.float64]

CONTENTION_LINEAR = 5.0
CONTENTION_QUADRATIC = 50.0
"""Weights of contention against balance; large enough that relief always outweighs levelling."""


VM_COUNT_WEIGHT = 0.002
"""Weight of an even number of VMs against the balance of load: counts off by a third cost what a load
1.5 percentage points off does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostArrays:
    """Capacity and load of the hosts that may run VMs, shape (hosts, 2): CPU in MHz, memory in MiB.

    `cpu_variance` (hosts,) is the variance of the CPU demand in MHz^2, `slots` (slots, hosts, 2) the load
    in each slot of a forecast horizon, `vms` (hosts,) the number of VMs where it is to be evened out.
    """

    capacity: Array
    load: Array
    cpu_variance: Array | None = None
    slots: Array | None = None
    vms: Array | None = None

    @property
    def ratio(self) -> Array:
        """Return load over capacity, shape (hosts, 2)."""
        result: Array = self.load / self.capacity
        return result

    def stress(self, thresholds: Thresholds) -> Array:
        """Return what contention is judged by, (hosts, 2): lasting load and risk over capacity."""
        load = self.load if self.slots is None else lasting(self.slots, thresholds.peak_share)
        if self.cpu_variance is not None:
            load = load.copy()
            load[:, 0] += thresholds.cpu_risk * np.sqrt(np.maximum(self.cpu_variance, 0.0))
        result: Array = load / self.capacity
        return result

    def of(self, rows: npt.NDArray[np.bool_]) -> "HostArrays":
        """Return the chosen hosts alone."""
        return HostArrays(
            capacity=self.capacity[rows],
            load=self.load[rows],
            cpu_variance=None if self.cpu_variance is None else self.cpu_variance[rows],
            slots=None if self.slots is None else self.slots[:, rows],
            vms=None if self.vms is None else self.vms[rows],
        )


def lasting_slots(slots: int, share: float) -> int:
    """Return how many slots a load must be reached in to count, at least 1."""
    return max(int(share * slots), 1)


def lasting(slots: Array, share: float) -> Array:
    """Return the load that is reached in `share` of the slots: a passing peak leaves no trace in it.

    `slots` is (slots, ...), the result (...).
    """
    place = len(slots) - lasting_slots(len(slots), share)
    result: Array = np.partition(slots, place, axis=0)[place]
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
    over = np.maximum(hosts.stress(thresholds) - limit, 0.0)
    share = hosts.capacity / hosts.capacity.sum(axis=0)
    penalty = CONTENTION_LINEAR * over + CONTENTION_QUADRATIC * over**2
    return float((share * penalty).sum())


def count_spread(vms: Array) -> float:
    """Return the standard deviation of the number of VMs per host over its mean; 0 for no VMs."""
    mean = float(vms.mean()) if vms.size else 0.0
    return float(vms.std()) / mean if mean > 0.0 else 0.0


def count_cost(hosts: HostArrays) -> float:
    """Return the cost of uneven numbers of VMs; 0 where they are not to be evened out."""
    return 0.0 if hosts.vms is None else VM_COUNT_WEIGHT * count_spread(hosts.vms) ** 2


PRICED_FOR_S = 3600.0
"""`Prices.move_price` is what a move must gain where the load stays as it is for so long."""


def price_of_moving(seconds: float, prices: Prices, *, hosts: int) -> float:
    """Return the price of a move that takes so long, in units of the objective over `hosts` serving hosts."""
    each = prices.move_price * PRICED_FOR_S / prices.stable_s / max(hosts, 1)
    return each * (1.0 + prices.per_second * seconds)


def load_cost(hosts: HostArrays, thresholds: Thresholds, *, levels: bool = True) -> float:
    """Return the load part of the objective: contention, balance, numbers of VMs. Lower is better.

    Without `levels`, as where the policy empties hosts, it is contention alone.
    """
    contention = contention_cost(hosts, thresholds)
    return contention + balance_cost(hosts) + count_cost(hosts) if levels else contention
