"""What an answer of the solver is worth: checked solutions, doubted proofs, failures that are kept account of."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from ortools.sat.python import cp_model

from balancer.model.plan import Incident, IncidentKind
from balancer.solver import Answer, Failure, InProcess, Job, Reply, Solved, Solver, Task
from balancer.solver.door import MOST_FAILURES
from tests.support.solvers import Scripted, contradiction, effort, largest

CRASH = Failure(kind=IncidentKind.CRASHED, detail="gone")


class Foreign:
    """A model of the solver's own Python layer; its check says what it was made to say."""

    def __init__(self, model: cp_model.CpModel, *, accepted: bool = True) -> None:
        self.proto = model.proto
        self._accepted = accepted

    def accepts(self, values: Sequence[int]) -> bool:
        return self._accepted


def with_presolve(task: Task) -> bool:
    return "cp_model_presolve: true" in task.parameters


def test_a_solution_is_found_and_carries_its_values() -> None:
    solver = Solver(InProcess())

    assert solver.solve(largest(7), effort()) == Solved(
        answer=Answer.FOUND, values=(7,), bound=-7.0
    )
    assert solver.incidents == ()


def test_none_is_said_only_after_two_proofs() -> None:
    runner = Scripted(lambda task: InProcess().run_all([task])[0])
    solver = Solver(runner)

    assert solver.solve(contradiction(), effort()).answer is Answer.NONE
    assert [with_presolve(task) for task in runner.tasks] == [True, False]
    assert solver.incidents == ()


def test_without_presolve_one_proof_is_enough_and_names_the_assumptions_that_clash() -> None:
    model = cp_model.CpModel()
    first, second, third = (model.new_bool_var(name) for name in ("first", "second", "third"))
    model.add_at_most_one(first, third)
    model.add_assumptions([first, second, third])
    runner = Scripted(lambda task: InProcess().run_all([task])[0])
    asked = replace(effort(), presolve=False, extra="linearization_level: 0")
    solved = Solver(runner).solve(Foreign(model), asked)

    assert (solved.answer, set(solved.core)) == (Answer.NONE, {first.index, third.index})
    assert [with_presolve(task) for task in runner.tasks] == [False]
    assert "linearization_level: 0" in runner.tasks[0].parameters


def test_a_model_of_another_kind_is_checked_by_its_own_check() -> None:
    model = cp_model.CpModel()
    model.minimize(model.new_int_var(2, 5, "x"))
    sound, unsound = Foreign(model), Foreign(model, accepted=False)

    assert Solver(InProcess()).solve(sound, effort()).values == (2,)
    assert Solver(InProcess()).solve(unsound, effort()).answer is Answer.UNKNOWN


def test_a_denial_that_the_second_solve_contradicts_is_an_incident_and_the_solution_counts() -> (
    None
):
    def deny_first(task: Task) -> Reply | Failure:
        return Reply(status="INFEASIBLE") if with_presolve(task) else InProcess().run_all([task])[0]

    solver = Solver(Scripted(deny_first))

    assert solver.solve(largest(7), effort()).values == (7,)
    assert [incident.kind for incident in solver.incidents] == [IncidentKind.WRONG_ANSWER]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(CRASH, IncidentKind.CRASHED, id="a failure of the runner"),
        pytest.param(
            Reply(status="OPTIMAL", values=(8,)), IncidentKind.WRONG_ANSWER, id="a broken model"
        ),
        pytest.param(Reply(status="FEASIBLE"), IncidentKind.WRONG_ANSWER, id="values missing"),
        pytest.param(Reply(status="FINE"), IncidentKind.WRONG_ANSWER, id="an unknown status"),
        pytest.param(
            Reply(status="MODEL_INVALID"), IncidentKind.MODEL_REFUSED, id="the model refused"
        ),
    ],
)
def test_a_failure_leaves_the_answer_unknown_and_is_an_incident(
    answer: Reply | Failure, kind: IncidentKind
) -> None:
    solver = Solver(Scripted(lambda _: answer))

    assert solver.solve(largest(7), effort()) == Solved(answer=Answer.UNKNOWN)
    assert [(incident.stage, incident.kind) for incident in solver.incidents] == [("test", kind)]


def test_reaching_the_limit_is_no_incident() -> None:
    solver = Solver(Scripted(lambda _: Reply(status="UNKNOWN")))

    assert solver.solve(largest(7), effort()).answer is Answer.UNKNOWN
    assert solver.incidents == ()


def test_a_solver_that_keeps_failing_is_not_asked_again() -> None:
    runner = Scripted(lambda _: CRASH)
    solver = Solver(runner)
    answers = [solver.solve(largest(7), effort()).answer for _ in range(MOST_FAILURES + 2)]

    assert answers == [Answer.UNKNOWN] * (MOST_FAILURES + 2)
    assert len(runner.tasks) == MOST_FAILURES
    assert solver.incidents[-1] == Incident(
        stage="test",
        kind=IncidentKind.CRASHED,
        detail="gone; it is not asked again for this plan",
    )


def test_answers_come_in_the_order_of_the_jobs() -> None:
    models = [largest(3), contradiction(), largest(5)]
    together = Solver(InProcess()).solve_all([Job(model=m, effort=effort()) for m in models])
    alone = [Solver(InProcess()).solve(model, effort()) for model in models]

    assert together == alone
    assert [one.values for one in together] == [(3,), (), (5,)]


@pytest.mark.parametrize(
    ("limit", "within_s", "patience_s"),
    [
        pytest.param(0.1, 60.0, 5.0, id="a short solve"),
        pytest.param(1.0, 60.0, 20.0, id="a long solve"),
        pytest.param(1.0, 2.0, 3.0, id="shortly before the deadline"),
        pytest.param(1.0, -5.0, 1.0, id="after the deadline"),
    ],
)
def test_patience_follows_the_limit_and_ends_soon_after_the_deadline(
    limit: float, within_s: float, patience_s: float
) -> None:
    runner = Scripted(lambda _: Reply(status="UNKNOWN"))
    Solver(runner).solve(largest(3), effort(limit=limit, within_s=within_s))

    assert runner.tasks[0].patience_s == pytest.approx(patience_s, abs=0.9)


def solved_values(values: Sequence[int]) -> Answer:
    return (
        Solver(Scripted(lambda _: Reply(status="OPTIMAL", values=tuple(values))))
        .solve(largest(3), effort())
        .answer
    )


def test_values_outside_of_their_domain_are_not_believed() -> None:
    assert solved_values([3]) is Answer.FOUND
    assert solved_values([-1]) is Answer.UNKNOWN
    assert solved_values([3, 3]) is Answer.UNKNOWN
