"""What was learnt of durations counts in price, schedule and the plan's name; the same past, the same plan."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from balancer.assess.need import assess
from balancer.model.duration import vmotion_seconds
from balancer.model.need import Holds
from balancer.model.pace import Paces, at_pace
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from balancer.plan import PlanSettings
from balancer.plan.price import seconds
from balancer.plan.problem import compile_problem
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.builders import host, snapshot, vm
from tests.unit.assess.test_pace import many, usual

TWO, THREE = HostId("host-2"), HostId("host-3")
SLOW = Paces(
    cluster=1.1,
    source=MappingProxyType({HostId("host-1"): 0.8}),
    target=MappingProxyType({TWO: 2.0}),
    pair=MappingProxyType({(HostId("host-1"), THREE): 0.1}),
)


def hot() -> Snapshot:
    """Return a cluster whose load stands on host-1 alone."""
    machines = [vm(n, on=1, cpu_demand_mhz=1500.0) for n in range(1, 11)]
    return snapshot([host(1), host(2), host(3)], machines)


def planned(past: Past) -> Plan:
    return plan_snapshot(hot(), Policy(), settings=PlanSettings(), past=past)


def slow_to_two() -> Past:
    """Return a past in which migrations from host-1 to host-2 took eight times as long as predicted."""
    return Past(rows=(*usual(), *many(20, 240.0)))


def test_the_planner_prices_seconds_as_the_model_says_at_the_pace_that_was_learnt() -> None:
    snap = hot()
    problem = compile_problem(replace(assess(snap, Policy(), Holds()), paces=SLOW), Policy())
    one, *others = snap.hosts
    for number, other in enumerate(others, start=1):
        found = seconds(problem, [0], np.array([0]), np.array([number]))[0]
        model = vmotion_seconds(one, other, snap.vms[0].footprint_mib)
        assert found == pytest.approx(at_pace(model, SLOW.of(one.id, other.id)))


def test_expected_seconds_follow_what_was_learnt_and_the_move_says_by_how_much() -> None:
    before, after = planned(Past()), planned(slow_to_two())
    usual_s = {m.target: m.expected_seconds for m in before.moves}
    assert before.moves
    assert all(move.pace == 1.0 for move in before.moves)
    to_two = [move for move in after.moves if move.target == TWO]
    assert all(move.expected_seconds > 4 * usual_s[THREE] for move in to_two)
    assert all(move.pace > 5.0 for move in to_two)


def test_a_vm_goes_where_it_is_sooner_if_either_host_would_do() -> None:
    on = [1] * 8 + [2] * 4 + [3] * 4
    machines = [vm(n, on=h, cpu_demand_mhz=1500.0) for n, h in enumerate(on, start=1)]
    snap = snapshot([host(1), host(2), host(3)], machines)
    first = {}
    for slow, past in ((False, Past()), (True, slow_to_two())):
        plan = plan_snapshot(snap, Policy(), settings=PlanSettings(), past=past)
        first[slow] = plan.moves[0].target
    assert first == {False: TWO, True: THREE}


def test_the_same_past_gives_the_same_plan_and_another_pace_another_name() -> None:
    one, other = planned(slow_to_two()), planned(slow_to_two())
    assert one.moves == other.moves
    assert one.id == other.id
    assert one.id != planned(Past()).id
