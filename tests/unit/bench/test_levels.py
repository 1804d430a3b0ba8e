"""DRS level 1 to 5 in the expected order: no fewer moves, and no more spread, from each level to the next."""

from itertools import pairwise

import pytest

from balancer.model.plan import MoveReason
from balancer.model.rule import RuleType
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.levels import LEVELS
from tests.bench.planner.levels import level_table, policy_at, steps_of
from tests.bench.planner.scenarios import Size, make
from tests.support.builders import host, rule, snapshot, vm


@pytest.mark.parametrize("scenario", ["homog", "hot", "newhost", "maint"])
def test_from_level_to_level_moves_do_not_fall_and_spread_does_not_rise(scenario: str) -> None:
    steps = steps_of(make(scenario, Size.of("8x120"), 1))
    for lower, higher in pairwise(steps):
        assert lower.moves <= higher.moves
        assert lower.imbalance >= higher.imbalance
    assert steps[0].moves < steps[-1].moves
    assert steps[0].imbalance > steps[-1].imbalance


def test_level_1_makes_mandatory_moves_alone() -> None:
    steps = steps_of(make("hot", Size.of("8x120"), 1))
    assert steps[0].moves == 0


@pytest.mark.parametrize(("level", "is_mended"), [(1, False), (2, True), (3, True), (5, True)])
def test_level_1_mends_no_should_rule(level: int, is_mended: bool) -> None:
    wish = rule("apart", RuleType.ANTI_AFFINITY, [1, 2], mandatory=False, weight=5.0)
    snap = snapshot([host(1), host(2)], [vm(n, on=1 + n // 3) for n in (1, 2, 3, 4)], [wish])
    plan = plan_snapshot(snap, policy_at(level), settings=PlanSettings())
    assert bool(plan.moves) is is_mended


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_mends_must_rules(level: int) -> None:
    law = rule("apart", RuleType.ANTI_AFFINITY, [1, 2])
    snap = snapshot([host(1), host(2)], [vm(n, on=1 + n // 3) for n in (1, 2, 3, 4)], [law])
    plan = plan_snapshot(snap, policy_at(level), settings=PlanSettings())
    assert {move.reason for move in plan.moves} >= {MoveReason.RULE}


def test_the_table_has_a_cell_for_each_level() -> None:
    head, _, row = level_table([("homog", "8x120", 2)]).splitlines()
    assert head.count("|") == row.count("|") == 7
