"""Even numbers of VMs as a secondary aim: how uneven they are, what may not undo it, and the sentence for it.

Load is the more important: the search for such moves (`descent.even_counts`) keeps to the aims of load.
"""

import numpy as np

from balancer.plan.codes import Bools, Floats, Ints
from balancer.plan.desk import Desk
from balancer.plan.ledger import Ledger
from balancer.plan.loadcost import LEAST_GAIN
from balancer.plan.problem import COUNT
from balancer.policy.objective import count_spread

CAUSE = "number of VMs"
"""The cause in the note of a move that is made for the numbers alone."""


def spread(desk: Desk, at: Ints | None = None) -> float:
    """Return the relative standard deviation of the numbers of VMs, now or for another placement."""
    problem = desk.problem
    count = np.bincount(desk.ledger.at if at is None else at, minlength=len(problem.hosts))
    return count_spread(count[desk.ledger.serving].astype(np.float64))


def stay_even(desk: Desk, size: Floats, home: Ints, away: Ints) -> Bools:
    """Return which units (U,) may go from `away` back `home` as far as the numbers of VMs are concerned.

    They must get no more uneven, or stay within the aim: the target where evening out was called for
    in this round, else the trigger.
    """
    problem = desk.problem
    if not problem.policy.goals.vm_count:
        return np.ones(len(home), dtype=bool)
    limits, load = problem.policy.thresholds, desk.ledger.load[:, COUNT]
    called = spread(desk, desk.base) > limits.vm_count_trigger
    aim = limits.vm_count_target if called else limits.vm_count_trigger
    serving = desk.ledger.serving
    mean = float(load[serving].mean())
    moved = size[:, COUNT]
    change = 2.0 * moved * (load[home] - load[away] + moved)
    change /= serving.sum() * max(mean, 1e-12) ** 2
    result: Bools = (change <= LEAST_GAIN) | (spread(desk) ** 2 + change <= aim**2)
    return result


def sentence(ledger: Ledger, target: int, source: int) -> str:
    """Return why a VM moves for the numbers alone, in the state just before the move."""
    hosts, load = ledger.problem.hosts, ledger.load[:, COUNT]
    mean, then = float(load[ledger.problem.serving].mean()), load[target] + 1
    return (
        f"{hosts[source].name} runs {load[source]:.0f} VMs, mean {mean:.0f}; "
        f"{hosts[target].name} goes from {load[target]:.0f} to {then:.0f}"
    )
