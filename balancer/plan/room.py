"""What a host has room for: ceilings, reservations, and the contention thresholds that a calm host keeps.

Looks at one host and many units at once and marks what does not fit. The laws of capacity and
reservations as `plan.encode` has them, and beside them the planner's own resolve: no move for load's
sake brings a host that is below a contention threshold above it, unless the whole cluster is above.
"""

import numpy as np

from balancer.plan.codes import Bools, Floats
from balancer.plan.loadcost import LoadCost
from balancer.plan.problem import (
    COLUMNS,
    CPU,
    LIMITED_FOR_LOAD,
    MEMORY,
    RESERVED,
    VARIANCE,
    Problem,
)
from balancer.policy.objective import lasting_slots


class Room:
    """Asks for units of the given sizes, (columns, U)."""

    def __init__(self, problem: Problem, cost: LoadCost, size: Floats) -> None:
        self._problem, self._cost, self._size = problem, cost, size
        self._largest: list[float] = size.max(axis=1, initial=0.0).tolist()
        self._varies = cost.varies
        self._ceilings = (problem.load_limits - problem.transit).tolist()
        self._calm = (cost.limit * cost.capacity).tolist()
        self._bounded = [
            c for c in LIMITED_FOR_LOAD if np.isfinite(problem.load_limits[:, c]).any()
        ]

    def forbid(self, row: Floats, host: int, load: Floats) -> None:
        """Put infinity into `row` (U,) where a unit does not fit on a host that has this load."""
        held = load.tolist()
        for column in self._bounded:
            left = self._ceilings[host][column] - held[column]
            if left < self._largest[column]:
                full = self._size[column] > left
                if column in RESERVED:
                    full &= self._size[column] > 0
                np.copyto(row, np.inf, where=full)
        calm = self._cost.stress_of(host, load) <= self._cost.limit
        for column in (CPU, MEMORY):
            if calm[column] and not self._cost.is_short[column]:
                np.copyto(row, np.inf, where=self._upset(host, load, column))

    def _upset(self, host: int, load: Floats, column: int) -> Bools:
        """Return which units would bring the host above its contention threshold."""
        risk: Floats | float = 0.0
        if column == CPU and self._varies:
            variance = np.maximum(load[VARIANCE] + self._size[VARIANCE], 0.0)
            risk = self._cost.thresholds.cpu_risk * np.sqrt(variance)
        ceiling, slots = self._calm[host][column], self._problem.slots
        if not slots:
            upset: Bools = self._size[column] + risk > ceiling - load[column]
            return upset
        first = COLUMNS + column * slots
        rows = slice(first, first + slots)
        above = (self._size[rows] + risk > (ceiling - load[rows])[:, None]).sum(axis=0)
        result: Bools = above >= lasting_slots(slots, self._cost.thresholds.peak_share)
        return result
