"""Whether levelling is worth it as a whole: the policy's `minimum_benefit`, all of its moves or none.

Owns the measure (by which share of it the imbalance falls) and the sentence for a refusal; how hosts are
levelled is not its business. What a single move must be worth is its price, see `plan.price`.
"""

from balancer.model.reasons import Reason, Refusal
from balancer.model.units import percent
from balancer.plan.desk import Desk
from balancer.plan.loadcost import LEAST_GAIN, load_cost
from balancer.plan.prune import prune


class Levelling:
    """Remembers how things were before the hosts are levelled."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._start = desk.ledger.at.copy(), dict(desk.notes)
        self._before = self._imbalance()

    def _imbalance(self) -> float:
        return load_cost(self._desk.ledger).imbalance(self._desk.ledger)

    def undo_if_too_little(self) -> None:
        """Go back, and say so, where the moves do not lessen the imbalance by the share that is asked for.

        Measured without the moves that turn out not to be needed. Where relief was made cheaper on the way,
        that is undone as well.
        """
        limits = self._desk.problem.policy.thresholds
        if limits.minimum_benefit <= 0.0:
            return
        prune(self._desk, limits.balance_target)
        after = self._imbalance()
        if after <= self._before * (1.0 - limits.minimum_benefit) + LEAST_GAIN:
            return
        self._desk.restore(*self._start)
        self._desk.refused.append(self._refusal(after))

    def _refusal(self, after: float) -> Refusal:
        share = 1.0 - after / self._before
        asked = self._desk.problem.policy.thresholds.minimum_benefit
        detail = (
            f"levelling would lower the imbalance from {percent(self._before, 1)} to {percent(after, 1)}, "
            f"by {percent(max(share, 0.0))} of it; at least {percent(asked)} is asked for"
        )
        return Refusal.of(Reason.NO_GAIN, detail)
