"""The load objective, host by host: what one host's load costs, so that a move is a difference of four terms.

The same figures as `policy.objective`, split into a sum over hosts. Exact while the total demand on
serving hosts stays as it was told; moves between serving hosts never change it.
"""

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.ledger import Ledger
from balancer.policy.objective import CONTENTION_LINEAR, CONTENTION_QUADRATIC
from balancer.policy.types import Thresholds

LEAST_GAIN = 1e-9
"""Differences of the objective below this are rounding."""


class LoadCost:
    """Cost of host load given the total demand `total` (2,) on the serving hosts."""

    def __init__(
        self, capacity: Floats, serving: Bools, total: Floats, thresholds: Thresholds
    ) -> None:
        self.capacity = capacity
        self.serving = serving
        self.limit = np.array([thresholds.cpu_contention, thresholds.memory_contention])
        whole = capacity[serving].sum(axis=0) if serving.any() else np.ones(2)
        self.mean = total / whole
        scarcity = float(self.mean.sum())
        self.weight = self.mean / scarcity if scarcity > 0 else np.zeros(2)
        self.share = np.where(serving[:, None], capacity / whole, 0.0)

    def of(self, hosts: Ints | int | slice, load: Floats) -> Floats:
        """Return the cost of each host with the given load; (..., 2) gives (...)."""
        return self.part_of(0, hosts, load[..., 0]) + self.part_of(1, hosts, load[..., 1])

    def part_of(self, column: int, hosts: Ints | int | slice, load: Floats) -> Floats:
        """Return one resource's part of `of`; `load` is of that resource alone."""
        ratio = load / self.capacity[hosts, column]
        over = np.maximum(ratio - self.limit[column], 0.0)
        cost = over * (CONTENTION_LINEAR + CONTENTION_QUADRATIC * over)
        ratio -= self.mean[column]
        cost += self.weight[column] * ratio * ratio
        result: Floats = cost * self.share[hosts, column]
        return result

    def contention_of(self, hosts: Ints | int | slice, load: Floats) -> Floats:
        """Return the contention part alone."""
        over = np.maximum(load / self.capacity[hosts] - self.limit, 0.0)
        contention = over * (CONTENTION_LINEAR + CONTENTION_QUADRATIC * over)
        result: Floats = (self.share[hosts] * contention).sum(axis=-1)
        return result

    def total(self, ledger: Ledger) -> float:
        """Return contention plus balance of a placement."""
        return float(self.of(slice(None), ledger.load[:, :2]).sum())

    def contention(self, ledger: Ledger) -> float:
        """Return the contention of a placement; 0 where no host is above a threshold."""
        return float(self.contention_of(slice(None), ledger.load[:, :2]).sum())

    def imbalance(self, ledger: Ledger) -> float:
        """Return the imbalance of a placement, a ratio (see `policy.objective`)."""
        balance = self.total(ledger) - self.contention(ledger)
        return float(np.sqrt(max(balance, 0.0)))

    def is_over(self, ledger: Ledger) -> Bools:
        """Return which serving hosts are above a contention threshold, (H,)."""
        over = (ledger.load[:, :2] / self.capacity > self.limit).any(axis=1)
        result: Bools = over & self.serving
        return result


def load_cost(ledger: Ledger, *, arriving: Floats | None = None) -> LoadCost:
    """Return the objective for a placement; `arriving` (2,) is demand that will come to serving hosts."""
    problem = ledger.problem
    total = ledger.load[problem.serving, :2].sum(axis=0)
    if arriving is not None:
        total = total + arriving
    return LoadCost(problem.capacity, problem.serving, total, problem.policy.thresholds)
