"""The check of solutions: it agrees with the solver on every assignment of small models of each kind."""

from collections.abc import Callable
from itertools import product

import pytest
from ortools.sat.python import cp_model

from balancer.solver.check import satisfies

Build = Callable[[cp_model.CpModel, list[cp_model.IntVar]], object]

KINDS: dict[str, Build] = {
    "linear with bounds": lambda m, x: m.add_linear_constraint(2 * x[0] - x[1] + x[2], 0, 1),
    "linear with gaps": lambda m, x: m.add(x[0] + x[1] + x[2] != 1),
    "an integer variable": lambda m, x: m.add(m.new_int_var(1, 2, "n") == x[0] + x[1] + x[2]),
    "exactly one": lambda m, x: m.add_exactly_one(x),
    "at most one": lambda m, x: m.add_at_most_one(x),
    "or with a negation": lambda m, x: m.add_bool_or([x[0], ~x[1], x[2]]),
    "and": lambda m, x: m.add_bool_and([x[0], ~x[1]]),
    "enforced": lambda m, x: m.add_bool_and([x[1], x[2]]).only_enforce_if(x[0]),
    "enforced by a negation": lambda m, x: m.add(x[1] + x[2] <= 1).only_enforce_if(~x[0]),
}


def has_solution(model: cp_model.CpModel, values: tuple[int, ...]) -> bool:
    """Ask the solver itself whether the values are a solution."""
    fixed = model.clone()
    for index, value in enumerate(values):
        fixed.add(fixed.get_int_var_from_proto_index(index) == value)
    return cp_model.CpSolver().solve(fixed) == cp_model.OPTIMAL


@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_with_the_solver_on_every_assignment(kind: str) -> None:
    model = cp_model.CpModel()
    seats = [model.new_bool_var(f"x{n}") for n in range(3)]
    KINDS[kind](model, seats)
    others = len(model.proto.variables) - len(seats)
    found = {
        values: satisfies(model.proto, values)
        for values in product(*[range(2)] * 3, *[range(4)] * others)
    }

    assert found == {values: has_solution(model, values) for values in found}
    assert set(found.values()) == {True, False}
