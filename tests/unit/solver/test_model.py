"""Our models against those of the solver's own Python layer: the same calls, the same protocol buffer."""

import subprocess
import sys
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from ortools.sat.python import cp_model

from balancer.solver import Answer, InProcess, Solver
from balancer.solver.model import Model
from tests.support.solvers import effort

Seats = list[Any]

CALLS: dict[str, Callable[[Any, Seats, Any], object]] = {
    "at most, with a constant": lambda m, x, n: m.add(sum(x) * 3 - 2 <= 9),
    "at least": lambda m, x, n: m.add(n >= 2 * x[0] - 5),
    "equal to a sum": lambda m, x, n: m.add(n == sum(s * k for k, s in enumerate(x)) + 4),
    "a variable twice": lambda m, x, n: m.add(x[0] + x[1] + x[0] <= 2),
    "forbidden": lambda m, x, n: m.add(x[1] == 0),
    "strictly less": lambda m, x, n: m.add(n < x[0] + 7),
    "unequal": lambda m, x, n: m.add(n != 3),
    "exactly one": lambda m, x, n: m.add_exactly_one(s for s in x),
    "at most one": lambda m, x, n: m.add_at_most_one(x[1:]),
    "hint": lambda m, x, n: m.add_hint(x[0], 1),
    "objective": lambda m, x, n: m.minimize(sum(s * k for k, s in enumerate(x)) + n + 3),
    "objective without a variable": lambda m, x, n: m.minimize(sum([])),
    "a contradiction of constants": lambda m, x, n: m.add(sum([]) <= -1),
    "one at least, one of them negated": lambda m, x, n: m.add_bool_or([~x[0], x[2], x[3]]),
    "implication": lambda m, x, n: m.add_implication(x[0], ~x[1]),
    "slots in time": lambda m, x, n: m.add_cumulative(
        [*(m.new_fixed_size_interval_var(t, 2, "") for t in (x[0], n + 1, n)), fixed(m)],
        [1, 2, 1, 1],
        3,
    ),
    "a level": lambda m, x, n: m.add_reservoir_constraint(
        [x[0], n, x[1] * 2 + 1, 0], [2, -1, -2, 1], -1, 2
    ),
    "assumptions": lambda m, x, n: m.add_assumptions([x[0], ~x[2]]),
}


def fixed(model: Any) -> Any:
    return model.new_fixed_size_interval_var(0, 3, "fixed")


def text_of(model: Any, call: Callable[[Any, Seats, Any], object]) -> str:
    seats = [model.new_bool_var(f"x{number}") for number in range(4)]
    call(model, seats, model.new_int_var(-3, 7, "n"))
    return str(model.proto)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_the_same_call_gives_the_same_model(call: Callable[[Any, Seats, Any], object]) -> None:
    assert text_of(Model(), call) == text_of(cp_model.CpModel(), call)


def is_solvable(model: Model) -> bool:
    return Solver(InProcess()).solve(model, effort()).answer is Answer.FOUND


CONSTRAINTS = [name for name in CALLS if name != "hint" and not name.startswith("objective")]


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_check_of_solutions_agrees_with_the_solver_on_every_assignment(name: str) -> None:
    bounds = [range(2)] * 4 + [range(-3, 8)]
    found: dict[tuple[int, ...], tuple[bool, bool]] = {}
    for values in product(*bounds):
        model = Model()
        seats = [model.new_bool_var(f"x{number}") for number in range(4)]
        CALLS[name](model, seats, number := model.new_int_var(-3, 7, "n"))
        accepted = model.accepts(values)
        for variable, value in zip([*seats, number], values, strict=True):
            model.add(variable == value)
        found[values] = (accepted, is_solvable(model))

    assert [values for values, (ours, theirs) in found.items() if ours != theirs] == []


def test_assumptions_can_be_taken_back() -> None:
    model = Model()
    yes = model.new_bool_var("yes")
    model.add(yes == 0)
    model.add_assumptions([yes])

    assert (model.accepts([0]), is_solvable(model)) == (False, False)
    model.clear_assumptions()
    assert (model.accepts([0]), is_solvable(model)) == (True, True)


def test_what_holds_anyway_constrains_nothing() -> None:
    model = Model()
    model.add(sum([]) <= 5)

    assert len(model.proto.constraints) == 0


def test_a_model_is_solved_and_read_by_its_variables() -> None:
    model = Model()
    first, second = model.new_bool_var("first"), model.new_bool_var("second")
    model.add_exactly_one([first, second])
    model.minimize(first * 2 + second)
    solved = Solver(InProcess()).solve(model, effort())

    assert solved.answer is Answer.FOUND
    assert (solved.holds(first), solved.holds(second)) == (False, True)


def test_a_model_can_be_built_without_the_solvers_python_layer() -> None:
    script = (
        "import sys; from balancer.solver.model import Model; Model().new_bool_var('x'); "
        "print(sorted({'pandas', 'ortools.sat.python.cp_model'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], timeout=60, check=True, capture_output=True, text=True
    )

    assert result.stdout.strip() == "[]"
