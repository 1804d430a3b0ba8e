"""Who takes part in a replay, by name: ours with a policy, and what it is compared with.

All run through the same cycle, under the same limits, migration times and laws. A contender is how moves are
searched for, with which policy, and what is remembered of demand.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from balancer.collect.history import DemandHistory
from balancer.foresight import Foresight, NoForesight, RememberedDemand
from balancer.lab.rivals.search import by_climb, by_memory_order, by_reaction
from balancer.model.units import Ratio, Seconds
from balancer.plan import PlanSettings, make_draft
from balancer.plan.engine import Search
from balancer.policy.levels import LEVELS, level_settings
from balancer.policy.types import (
    DemandReading,
    ForecastKind,
    Goals,
    Policy,
    Thresholds,
    TriggerRules,
)

REMEMBERED_STEPS = 14 * 288
"""Two weeks of 5-minute steps."""

CHASED: Ratio = 0.01

UNHURRIED_S: Seconds = 3600.0

STEADY = Policy(
    name="steady",
    goals=Goals(balance=False),
    thresholds=Thresholds(cpu_contention=0.95, cpu_risk=0.0),
    trigger=TriggerRules(contention_sustained_s=0.0),
    demand=DemandReading(forecast=ForecastKind.PEAK),
)
"""The shipped policy of this name, so that what is compared with it differs in one setting."""


def _remembered() -> Foresight:
    return RememberedDemand(DemandHistory(steps=REMEMBERED_STEPS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to run a cluster. `search` of None makes no moves at all.

    `policy` is without windows; `policies` gives the one of a moment, where windows change settings.
    """

    name: str
    summary: str
    search: Search | None = make_draft
    policy: Policy = field(default_factory=Policy)
    foresight: Callable[[], Foresight] = NoForesight
    policies: Callable[[datetime], Policy] | None = None

    def policy_at(self, when: datetime) -> Policy:
        """Return the policy in force at a moment: settings of open windows laid over."""
        return self.policy if self.policies is None else self.policies(when)

    @property
    def settings(self) -> PlanSettings:
        """Return how plans are made: without the refinement that costs twenty times the descent.

        It saves a few moves in a hundred, and would make a replay of a month take hours. No plan is cut short, so
        that a loaded machine changes no result.
        """
        return PlanSettings(
            search=self.search or make_draft,
            polish_windows=0,
            refine_rounds=0,
            time_limit_s=UNHURRIED_S,
        )


def ours(
    policy: Policy,
    name: str = "ours",
    policies: Callable[[datetime], Policy] | None = None,
) -> Contender:
    """Return the product with a policy, and with that of each moment where windows change settings."""
    return Contender(
        name=name,
        summary="the product with its memory",
        policy=policy,
        foresight=_remembered,
        policies=policies,
    )


def _steady(forecast: ForecastKind, summary: str) -> Contender:
    policy = replace(STEADY, demand=replace(STEADY.demand, forecast=forecast))
    name = "steady" if policy == STEADY else f"steady-{forecast}"
    return Contender(name=name, summary=summary, policy=policy, foresight=_remembered)


def _chasing() -> Policy:
    thresholds = Thresholds(balance_trigger=CHASED, balance_target=CHASED)
    return Policy(name="chase", thresholds=thresholds)


def _level(level: int) -> Thresholds:
    given = level_settings(level)["thresholds"]
    return replace(Thresholds(), **given)  # type: ignore[arg-type]


def _drs(level: int) -> tuple[Contender, Contender]:
    policy = Policy(name=f"drs-{level}", thresholds=_level(level))
    return (
        Contender(
            name=f"drs-{level}",
            summary=f"a DRS-style climb at migration threshold {level}, counting moves",
            search=by_climb(exponent=0.0),
            policy=policy,
        ),
        Contender(
            name=f"drs-cost-{level}",
            summary=f"the same at threshold {level}, gain over the root of the copy's seconds",
            search=by_climb(exponent=0.5),
            policy=policy,
        ),
    )


_ALL = (
    Contender(name="nothing", summary="no moves at all", search=None),
    ours(Policy()),
    _steady(
        ForecastKind.PEAK, "the product with the policy steady: relief alone, by the recent peak"
    ),
    _steady(ForecastKind.SAMPLE, "the same by the newest sample"),
    _steady(ForecastKind.LEVEL, "the same by mean and deviation of a quarter of an hour"),
    _steady(ForecastKind.PROFILE, "the same by the expected course of the next hour"),
    Contender(
        name="chase", summary="level to 1 percentage point in every round", policy=_chasing()
    ),
    *(contender for level in LEVELS for contender in _drs(level)),
    Contender(
        name="proxlb-memory",
        summary="ProxLB-like: fullest to emptiest host by memory, smallest VM first",
        search=by_memory_order(),
    ),
    *(
        Contender(
            name=f"reactive-{percent}",
            summary=f"a host above {percent} % CPU: the VM that lowers the peak most per GiB",
            search=by_reaction(percent / 100.0),
        )
        for percent in (70, 80, 90)
    ),
)

CONTENDERS: Mapping[str, Contender] = MappingProxyType({each.name: each for each in _ALL})
"""Every contender that needs no policy of the user's, by name."""
