"""The load objective, host by host: what one host's load costs, so that a move is a difference of four terms.

The same figures as `policy.objective`, split into a sum over hosts. Exact while the total demand on
serving hosts stays as it was told; moves between serving hosts never change it. A load is a row of the
ledger: all columns, those of the horizon included.
"""

from typing import NamedTuple

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.ledger import Ledger
from balancer.plan.problem import COLUMNS, COUNT, CPU, MEMORY, VARIANCE, Problem
from balancer.policy.objective import (
    CONTENTION_LINEAR,
    CONTENTION_QUADRATIC,
    VM_COUNT_WEIGHT,
    count_spread,
    lasting,
)

LEAST_GAIN = 1e-9
"""Differences of the objective below this are rounding."""

EVENED = [CPU, MEMORY, COUNT]
"""The columns of which an even share on every host is sought."""

Hosts = Ints | int | slice


class Bowl(NamedTuple):
    """What the unevenness of each host costs: sum over the columns of `curve` x (load - `middle`)^2, (H, 3)."""

    curve: Floats
    middle: Floats


class LoadCost:
    """Cost of host load given the total load `total` (columns,) on the serving hosts (H,)."""

    def __init__(self, problem: Problem, total: Floats, serving: Bools) -> None:
        thresholds, capacity = problem.policy.thresholds, problem.capacity
        self.capacity, self.serving = capacity, serving
        self.slots, self.thresholds = problem.slots, thresholds
        self.varies = bool(thresholds.cpu_risk and problem.size[:, VARIANCE].any())
        self.limit = np.array([thresholds.cpu_contention, thresholds.memory_contention])
        whole = capacity[serving].sum(axis=0) if serving.any() else np.ones(2)
        self.mean = total[:2] / whole
        self.is_short: list[bool] = (self.mean > self.limit).tolist()
        """Whether the cluster as a whole is above a threshold: then contention can only be shared out."""
        scarcity = float(self.mean.sum())
        self.weight = self.mean / scarcity if scarcity > 0 else np.zeros(2)
        self.share = np.where(serving[:, None], capacity / whole, 0.0)
        count = float(total[COUNT]) if problem.policy.goals.vm_count else 0.0
        self.bowl = self._bowl(count)

    def _bowl(self, count: float) -> Bowl:
        hosts = max(int(self.serving.sum()), 1)
        curve = np.zeros((len(self.serving), 3))
        curve[:, :2] = self.share * self.weight / self.capacity**2
        middle = np.column_stack((self.capacity * self.mean, np.full(len(curve), count / hosts)))
        if count > 0.0:
            curve[:, 2] = np.where(self.serving, VM_COUNT_WEIGHT * hosts / count**2, 0.0)
        return Bowl(curve, middle)

    def of(self, hosts: Hosts, load: Floats) -> Floats:
        """Return the cost of each host with the given load; (..., columns) gives (...)."""
        return self.unevenness_of(hosts, load) + self.contention_of(hosts, load)

    def unevenness_of(self, hosts: Hosts, load: Floats) -> Floats:
        """Return the part that is not contention: balance, and numbers of VMs where they count."""
        off = load[..., EVENED] - self.bowl.middle[hosts]
        result: Floats = (self.bowl.curve[hosts] * off * off).sum(axis=-1)
        return result

    def slopes(self, ledger: Ledger, host: int, *, sign: float) -> Floats:
        """Return what a unit adds to a host's unevenness, as factors of its size and its size squared, (6,).

        `sign` is 1 for a unit that arrives; of one that leaves it is -1, as its size counts then.
        """
        curve = self.bowl.curve[host]
        off = ledger.load[host][EVENED] - self.bowl.middle[host]
        return np.concatenate((2.0 * sign * curve * off, curve))

    def contention_of(self, hosts: Hosts, load: Floats) -> Floats:
        """Return the contention part alone."""
        over = np.maximum(self.stress_of(hosts, load) - self.limit, 0.0)
        contention = over * (CONTENTION_LINEAR + CONTENTION_QUADRATIC * over)
        result: Floats = (self.share[hosts] * contention).sum(axis=-1)
        return result

    def stress_of(self, hosts: Hosts, load: Floats) -> Floats:
        """Return what contention is judged by, over capacity: lasting load and risk, (..., 2)."""
        peak = load[..., :2]
        if self.slots:
            slots = load[..., COLUMNS:].reshape(*load.shape[:-1], 2, self.slots)
            peak = lasting(np.moveaxis(slots, -1, 0), self.thresholds.peak_share)
        if self.varies:
            peak = peak.copy()
            variance = np.maximum(load[..., VARIANCE], 0.0)
            peak[..., 0] += self.thresholds.cpu_risk * np.sqrt(variance)
        result: Floats = peak / self.capacity[hosts]
        return result

    def total(self, ledger: Ledger) -> float:
        """Return contention plus balance plus numbers of VMs of a placement."""
        return float(self.of(slice(None), ledger.load).sum())

    def contention(self, ledger: Ledger) -> float:
        """Return the contention of a placement; 0 where no host is above a threshold."""
        return float(self.contention_of(slice(None), ledger.load).sum())

    def imbalance(self, ledger: Ledger) -> float:
        """Return the imbalance of a placement, a ratio (see `policy.objective`)."""
        off = ledger.load[:, :2] - self.bowl.middle[:, :2]
        return float(np.sqrt((self.bowl.curve[:, :2] * off * off).sum()))

    def count_spread(self, ledger: Ledger) -> float:
        """Return the relative standard deviation of the numbers of VMs on the serving hosts."""
        return count_spread(ledger.load[self.serving, COUNT])

    def is_over_on(self, host: int, load: Floats) -> bool:
        """Whether one host with the given load is above a contention threshold; False where it serves not."""
        return bool(self.serving[host] and (self.stress_of(host, load) > self.limit).any())

    def is_over(self, ledger: Ledger) -> Bools:
        """Return which serving hosts are above a contention threshold, (H,)."""
        over = (self.stress_of(slice(None), ledger.load) > self.limit).any(axis=1)
        result: Bools = over & self.serving
        return result


def load_cost(ledger: Ledger, *, arriving: Floats | None = None) -> LoadCost:
    """Return the objective for a placement; `arriving` (columns,) is load that will come to serving hosts."""
    total = ledger.load[ledger.serving].sum(axis=0)
    total = total if arriving is None else total + arriving
    return LoadCost(ledger.problem, total, ledger.serving)
