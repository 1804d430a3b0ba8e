"""Whatever the solver answers, nonsense or solutions that nobody asked for, plans stay sound."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from ortools.sat.python import cp_model_helper as cpsat

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.model.plan import IncidentKind, PlanStatus
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from balancer.solver import Failure, InProcess, Reply, Task
from tests.support.searching import examples
from tests.support.solvers import Scripted
from tests.support.stairs import stairs
from tests.support.verdicts import broken_laws

POLICY = Policy()
SKEWED = generate(InventorySpec.sized(8, 100), 1)
STATUSES = ("OPTIMAL", "FEASIBLE", "INFEASIBLE", "UNKNOWN", "MODEL_INVALID", "odd")


@st.composite
def lacking_room(draw: st.DrawFn) -> Snapshot:
    """Return a host to be emptied of one VM that finds room in no other way than with the solver."""
    rise = draw(st.sampled_from([300.0, 450.0, 500.0]))
    first = draw(st.sampled_from([4700.0, 5200.0, 5900.0]))
    return stairs(draw(st.integers(4, 6)), rise_mib=rise, first_mib=first)


def nonsense(dice: Random, task: Task) -> Reply | Failure:
    """Return any status with any values, as many as there are variables or not."""
    if dice.random() < 0.1:
        return Failure(kind=dice.choice(list(IncidentKind)), detail="so it is")
    count = max(task.model.count("variables {") + dice.choice((0, 0, 0, 1, -1)), 0)
    values = tuple(dice.randint(-1, 2) for _ in range(count))
    return Reply(status=dice.choice(STATUSES), values=values)


def unasked(dice: Random, task: Task) -> Reply | Failure:
    """Return a solution of the model that is best for another aim, or a false denial."""
    if dice.random() < 0.1:
        return Reply(status="INFEASIBLE")
    model = cpsat.CpModelProto()
    model.parse_text_format(task.model)
    model.clear_objective()
    model.objective.vars.extend(range(len(model.variables)))
    model.objective.coeffs.extend([dice.randint(-9, 9) for _ in model.variables])
    model.objective.scaling_factor = 1.0
    other = Task(model=str(model), parameters=task.parameters, patience_s=task.patience_s)
    return InProcess().run_all([other])[0]


def check(snap: Snapshot, answer, seed: int) -> None:
    dice = Random(seed)
    runner = Scripted(lambda task: answer(dice, task))
    plan = plan_snapshot(snap, POLICY, settings=PlanSettings(open_solver=lambda: runner))

    assert runner.tasks
    assert list(broken_laws(snap, POLICY, plan)) == []
    assert plan.status in (PlanStatus.BALANCED, PlanStatus.PLANNED, PlanStatus.DEGRADED)


@given(snap=lacking_room(), answer=st.sampled_from([nonsense, unasked]), seed=st.integers(0, 99))
@examples(40)
def test_making_room_with_any_answer(snap: Snapshot, answer, seed: int) -> None:
    check(snap, answer, seed)


@given(answer=st.sampled_from([nonsense, unasked]), seed=st.integers(0, 99))
@examples(4)
def test_saving_moves_with_any_answer(answer, seed: int) -> None:
    check(SKEWED, answer, seed)
