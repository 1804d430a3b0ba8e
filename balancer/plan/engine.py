"""The planner from end to end: a need becomes a draft of moves, best first.

Owns the order of the goals: must-rules and evacuations, then contention, then balance; and the rounds
by which planning again on the result plans nothing. Degrades instead of raising: what cannot be met is
a conflict with a name. Pure: no input or output, the clock is read for the time limit alone.
"""

import time
from dataclasses import dataclass

from balancer.model.need import Need
from balancer.model.plan import Draft
from balancer.model.stopwatch import Stopwatch
from balancer.model.units import Seconds
from balancer.plan.amends import mend_should_rules
from balancer.plan.desk import Desk
from balancer.plan.draft import write_draft
from balancer.plan.load import level_hosts, relieve_hosts
from balancer.plan.loadcost import load_cost
from balancer.plan.mandatory import fulfil
from balancer.plan.problem import compile_problem
from balancer.plan.prune import prune
from balancer.plan.repair import repair
from balancer.plan.tasks import Task
from balancer.policy.types import Policy

MOST_ROUNDS = 8
"""Rounds until the plan of its own result is empty; two are the rule, more were never seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """How to search. The same seed gives the same draft as long as the time limit is not hit."""

    seed: int = 0
    time_limit_s: Seconds = 10.0


def make_draft(need: Need, policy: Policy, settings: PlanSettings) -> Draft:
    """Plan moves for a need. Never raises for a cluster that cannot be mended: see `Draft.conflicts`."""
    if not need.demand or not need.snapshot.hosts:
        return Draft(moves=())
    watch, deadline = Stopwatch(), time.perf_counter() + settings.time_limit_s
    desk = Desk(compile_problem(need, policy))
    watch.lap("compile")
    vetoes = _vetoes(desk)
    stuck: list[Task] = []
    for number in range(MOST_ROUNDS):
        stuck = _mandatory(desk, settings, deadline, watch)
        _run_round(desk, vetoes, watch, is_first=number == 0)
        if (desk.ledger.at == desk.base).all() or time.perf_counter() > deadline:
            break
        desk.new_round()
    return write_draft(desk, stuck, watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vetoes:
    """Aims that the assessment does not call for although the figures would."""

    relief: bool
    balance: bool


def _vetoes(desk: Desk) -> _Vetoes:
    need, cost = desk.problem.need, load_cost(desk.ledger)
    goals, trigger = desk.problem.policy.goals, desk.problem.policy.thresholds.balance_trigger
    is_over = bool(cost.is_over(desk.ledger).any())
    is_uneven = cost.imbalance(desk.ledger) > trigger
    return _Vetoes(
        relief=not goals.contention or (is_over and not need.wants_relief),
        balance=not goals.balance or (is_uneven and not need.wants_balance),
    )


def _mandatory(desk: Desk, settings: PlanSettings, deadline: float, watch: Stopwatch) -> list[Task]:
    stuck = fulfil(desk)
    watch.lap("mandatory")
    if stuck:
        stuck = repair(desk, stuck, seed=settings.seed, deadline=deadline)
        watch.lap("repair")
    return stuck


def _run_round(desk: Desk, vetoes: _Vetoes, watch: Stopwatch, *, is_first: bool) -> None:
    """Run the stages that are not mandatory. A later round plans as a new plan of the result would."""
    policy = desk.problem.policy
    if policy.goals.rules:
        mend_should_rules(desk)
        watch.lap("should_rules")
    if not vetoes.relief and load_cost(desk.ledger).is_over(desk.ledger).any():
        relieve_hosts(desk)
        watch.lap("contention")
    wanted = is_first and desk.problem.need.wants_balance
    spread = load_cost(desk.ledger).imbalance(desk.ledger)
    if not vetoes.balance and (wanted or spread > policy.thresholds.balance_trigger):
        level_hosts(desk)
        watch.lap("balance")
    prune(desk, policy.thresholds.balance_target)
    watch.lap("prune")
