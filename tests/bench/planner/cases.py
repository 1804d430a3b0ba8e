"""One case: a scenario at a size with a seed, assessed once for all planners, and the policies of the runs."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from balancer.assess.need import assess
from balancer.lab.rivals.facts import Facts, facts_of
from balancer.model.need import Holds, Need
from balancer.policy.types import Goals, Policy
from tests.bench.planner.measuring import Standing, standing_of
from tests.bench.planner.scenarios import Size, make

TRIGGER_FACTOR = 1.25
"""The trigger of balance over its target, so that every start is above it and no result is."""


@dataclass(kw_only=True)
class Case:
    """What every planner of a case shares; made on first use."""

    scenario: str
    size: Size
    seed: int
    target: float
    policy: Policy = field(init=False)

    def __post_init__(self) -> None:
        self.policy = policy_for(self.target)

    @cached_property
    def need(self) -> Need:
        """Return the assessed snapshot."""
        return assess(make(self.scenario, self.size, self.seed), self.policy, Holds())

    @cached_property
    def facts(self) -> Facts:
        """Return the arrays of the rivals."""
        return facts_of(self.need, self.policy)

    @cached_property
    def before(self) -> Standing:
        """Return the start, measured."""
        return standing_of(self.need, self.policy, {})


def policy_for(target: float, *, balance: bool = True, by_count: bool = False) -> Policy:
    """Return the default policy with another target of balance, without that goal, or with moves of one price."""
    shipped = Policy()
    limits = replace(
        shipped.thresholds, balance_trigger=target * TRIGGER_FACTOR, balance_target=target
    )
    prices = replace(shipped.prices, per_second=0.0) if by_count else shipped.prices
    return replace(shipped, thresholds=limits, goals=Goals(balance=balance), prices=prices)
