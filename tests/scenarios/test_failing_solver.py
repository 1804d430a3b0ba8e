"""A solver that crashes, hangs or lies, whole plans over: made, verified, and saying what happened."""

from dataclasses import replace

import pytest

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.solver import SolverProcesses
from balancer.model.plan import IncidentKind, Plan, PlanStatus
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from balancer.solver.door import MOST_FAILURES
from tests.support.solvers import ABORT, ALL_ONES, GARBLE, HANG, SEGFAULT
from tests.support.stairs import stairs

MISBEHAVIOURS = [
    pytest.param(SEGFAULT, IncidentKind.CRASHED, id="segmentation fault"),
    pytest.param(ABORT, IncidentKind.CRASHED, id="abort"),
    pytest.param(HANG, IncidentKind.HUNG, id="hang"),
    pytest.param(ALL_ONES, IncidentKind.WRONG_ANSWER, id="solution that breaks the model"),
    pytest.param(GARBLE, IncidentKind.WRONG_ANSWER, id="answer that is none"),
    pytest.param(("/nowhere",), IncidentKind.UNAVAILABLE, id="no process"),
]

SKEWED = generate(InventorySpec.sized(8, 100), 1)


def needs_solver() -> Snapshot:
    """One host to be emptied; its VM fits nowhere unless four others make way, one for the other."""
    return stairs(4)


def plan_of(snap: Snapshot, settings: PlanSettings) -> Plan:
    return plan_snapshot(snap, Policy(), settings=settings)


def with_solver(command: tuple[str, ...]) -> PlanSettings:
    def opened() -> SolverProcesses:
        return SolverProcesses(command)

    # One that hangs is waited for; the others end by themselves, however long that takes on a busy machine.
    time_limit_s = 3.0 if command is HANG else 60.0
    return PlanSettings(time_limit_s=time_limit_s, refine_rounds=0, open_solver=opened)


@pytest.mark.parametrize(("command", "kind"), MISBEHAVIOURS)
def test_levelling_goes_on_without_the_solver(command: tuple[str, ...], kind: IncidentKind) -> None:
    plan = plan_of(SKEWED, with_solver(command))
    unpolished = plan_of(SKEWED, PlanSettings(polish_windows=0, refine_rounds=0))

    assert {(i.stage, i.kind) for i in plan.incidents} == {("polish", kind)}
    assert len(plan.incidents) <= MOST_FAILURES
    assert plan.status is PlanStatus.PLANNED
    assert [(m.vm, m.target) for m in plan.moves] == [(m.vm, m.target) for m in unpolished.moves]


@pytest.mark.parametrize(("command", "kind"), MISBEHAVIOURS)
def test_what_only_the_solver_could_mend_is_named(
    command: tuple[str, ...], kind: IncidentKind
) -> None:
    snap = needs_solver()
    plan = plan_of(snap, with_solver(command))

    assert {(i.stage, i.kind) for i in plan.incidents} == {("repair", kind)}
    assert plan.status is PlanStatus.DEGRADED
    assert [conflict.kind for conflict in plan.conflicts] == ["evacuation"]
    assert plan_of(snap, PlanSettings()).status is PlanStatus.PLANNED


@pytest.mark.parametrize("snap", [SKEWED, needs_solver()], ids=["levelling", "making room"])
def test_a_solver_in_a_process_gives_the_plan_of_the_solver_in_this_one(snap: Snapshot) -> None:
    beside = plan_of(snap, PlanSettings(open_solver=SolverProcesses))
    here = plan_of(snap, PlanSettings())

    assert beside.incidents == ()
    assert replace(beside, stage_seconds={}) == replace(here, stage_seconds={})


def unproven() -> Snapshot:
    """Return a cluster whose moves, two at a time, are not over as soon as counting alone allows."""
    return generate(InventorySpec(hosts=16, vms=400), 1)


@pytest.mark.parametrize(("command", "kind"), MISBEHAVIOURS)
def test_a_schedule_that_could_not_be_proven_is_the_one_that_nobody_asked_to_prove(
    command: tuple[str, ...], kind: IncidentKind
) -> None:
    snap = unproven()
    settings = replace(with_solver(command), polish_windows=0)
    certified = plan_of(snap, replace(settings, certify=True))
    plain = plan_of(snap, settings)

    assert {(i.stage, i.kind) for i in certified.incidents} == {("sequence", kind)}
    assert certified.moves == plain.moves
    assert certified.makespan_bound_seconds == plain.makespan_bound_seconds
    assert not certified.is_proven
