"""On clusters small enough to try every placement, plans are as good as the best one.

The clusters are drawn from fixed seeds, so that the figures below can be repeated: all of them are met.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from balancer.assess.need import assess
from balancer.model.need import Holds, Need
from balancer.plan import PlanSettings, make_draft
from balancer.policy.types import Goals, Policy
from balancer.rules.placement import Ground, Placement
from balancer.rules.violations import violations
from tests.support.every_placement import Every, drawn, every_placement, of_placement
from tests.support.replay import replayed

POLICY = Policy()
ONLY_RELIEF = Policy(goals=Goals(balance=False))
TARGET = POLICY.thresholds.balance_target**2
ROUNDING = 1e-9

SHAPES = {"2 x 10": (2, 10, 12), "3 x 8": (3, 8, 24), "4 x 6": (4, 6, 12), "5 x 5": (5, 5, 8)}

pytestmark = pytest.mark.parametrize(("hosts", "vms", "seeds"), SHAPES.values(), ids=SHAPES.keys())

Case = tuple[Need, Every, Every]
KNOWN: dict[tuple[int, int], list[Case]] = {}


def cases(hosts: int, vms: int, seeds: int) -> list[Case]:
    """Return need, all lawful placements, and the one planned; only of clusters whose rules hold."""
    if (hosts, vms) not in KNOWN:
        KNOWN[hosts, vms] = list(_cases(hosts, vms, seeds))
    return KNOWN[hosts, vms]


def _cases(hosts: int, vms: int, seeds: int) -> Iterator[Case]:
    for seed in range(seeds):
        snap = drawn(seed, hosts, vms)
        need = assess(snap, POLICY, Holds())
        if violations(Placement(Ground(snap, POLICY, need.demand))):
            continue
        after = replayed(snap, make_draft(need, POLICY, PlanSettings()).moves)
        yield need, every_placement(need, POLICY), of_placement(need, POLICY, after)


def test_the_plan_is_a_lawful_placement(hosts: int, vms: int, seeds: int) -> None:
    for _, every, plan in cases(hosts, vms, seeds):
        same = np.isclose(every.net, plan.net, atol=1e-12) & np.isclose(every.price, plan.price)
        assert same.any()


def test_contention_is_cleared_where_any_placement_clears_it(
    hosts: int, vms: int, seeds: int
) -> None:
    contended = [case for case in cases(hosts, vms, seeds) if case[0].wants_relief]
    assert contended
    for _, every, plan in contended:
        assert (plan.contention[0] <= ROUNDING) == (every.contention.min() <= ROUNDING)


def test_the_target_is_reached_at_the_least_price_where_any_placement_reaches_it(
    hosts: int, vms: int, seeds: int
) -> None:
    wanted = [case for case in cases(hosts, vms, seeds) if case[0].wants_balance]
    assert wanted
    for _, every, plan in wanted:
        reaches = (every.balance <= TARGET + ROUNDING) & (every.contention <= ROUNDING)
        if reaches.any():
            assert plan.balance[0] <= TARGET + ROUNDING
            assert plan.price[0] <= every.price[reaches].min() * (1.0 + ROUNDING)


def test_where_no_placement_reaches_the_target_cost_and_price_are_least_together(
    hosts: int, vms: int, seeds: int
) -> None:
    judged = 0
    for need, every, plan in cases(hosts, vms, seeds):
        is_calm = every.contention <= ROUNDING
        if need.wants_balance and is_calm.any() and every.balance[is_calm].min() > TARGET:
            judged += 1
            assert plan.net[0] <= every.net[is_calm].min() + ROUNDING
    assert judged or hosts < 3


def test_relief_alone_is_as_cheap_as_can_be(hosts: int, vms: int, seeds: int) -> None:
    judged = 0
    for need, every, _ in cases(hosts, vms, seeds):
        is_calm = every.contention <= ROUNDING
        if need.wants_relief and is_calm.any():
            judged += 1
            moves = make_draft(need, ONLY_RELIEF, PlanSettings()).moves
            plan = of_placement(need, POLICY, replayed(need.snapshot, moves))
            assert plan.contention[0] <= ROUNDING
            assert plan.price[0] <= every.price[is_calm].min() * (1.0 + ROUNDING)
    assert judged


def test_there_are_clusters_of_each_kind(hosts: int, vms: int, seeds: int) -> None:
    found = cases(hosts, vms, seeds)
    reached = [
        plan.balance[0] <= TARGET + ROUNDING for need, _, plan in found if need.wants_balance
    ]
    assert len(found) >= seeds / 3
    assert any(reached) or hosts > 3
    assert not all(reached) or hosts < 3
