"""The same input gives the same plan: again, in helper processes, and in a cycle that carries it out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.solver import SolverProcesses
from balancer.adapters.store.memory import MemoryStore
from balancer.cycle import run_cycle
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.in_force import InForce
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.site import Site
from tests.properties.test_plan_names import generic
from tests.support.every_placement import drawn
from tests.support.fakes import FakeClock, ScriptedVCenter
from tests.support.replay import replayed
from tests.support.tools import tools_over
from tests.support.verdicts import broken_laws

POLICY = Policy()
SETTINGS = PlanSettings(refine_rounds=100)
CLUSTERS = {
    "three large": lambda: drawn(4, 3, 8),
    "eight, one leaves": lambda: generic(8, 100, 2, entering_maintenance=1),
    "sixteen": lambda: generate(InventorySpec.sized(16, 400), 3),
}

pytestmark = pytest.mark.parametrize("name", CLUSTERS)


def plan_of(snap: Snapshot, **settings: Any) -> Plan:
    return plan_snapshot(snap, POLICY, settings=replace(SETTINGS, **settings))


def timeless(plan: Plan) -> Plan:
    """Return a plan without what the clock says of its making."""
    return replace(plan, stage_seconds={}, created_at=plan.snapshot_taken_at)


def test_the_same_snapshot_gives_the_same_plan_to_the_byte(name: str) -> None:
    snap = CLUSTERS[name]()
    first = timeless(plan_of(snap))
    assert first.moves
    for _ in range(2):
        assert repr(timeless(plan_of(snap))) == repr(first)


def test_plans_made_in_two_threads_at_once_are_the_plan_made_alone(name: str) -> None:
    snap = CLUSTERS[name]()
    alone = timeless(plan_of(snap))
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(plan_of, [snap, snap]))
    assert [repr(timeless(plan)) for plan in both] == [repr(alone)] * 2


def test_helper_processes_give_the_plan_of_the_process_itself(name: str) -> None:
    snap = CLUSTERS[name]()
    here = timeless(plan_of(snap))
    beside = timeless(plan_of(snap, open_solver=SolverProcesses))
    assert repr(beside) == repr(here)


def test_a_dry_run_says_what_a_run_does(name: str) -> None:
    snap = CLUSTERS[name]()
    vcenter = ScriptedVCenter(snap, FakeClock())
    tools = tools_over(vcenter, MemoryStore())
    site = Site(
        cluster=vcenter.clusters()[0],
        policy=POLICY,
        in_force=lambda _: InForce(mode=Mode.AUTOMATIC),
        settings=SETTINGS,
        tools=tools,
    )

    report = run_cycle(site, cycle_id="c1")
    dry = plan_snapshot(report.seen.snapshot, POLICY, settings=SETTINGS, past=Past())

    assert repr(timeless(report.plan)) == repr(timeless(dry))
    sent = {(outcome.move.vm, outcome.move.target) for outcome in report.outcomes}
    assert sent <= {(move.vm, move.target) for move in dry.admitted}
    assert sent


def test_a_plan_is_lawful_and_its_result_calls_for_nothing(name: str) -> None:
    snap = CLUSTERS[name]()
    plan = plan_of(snap)
    assert list(broken_laws(snap, POLICY, plan)) == []
    assert plan_of(replayed(snap, plan.moves)).moves == ()
