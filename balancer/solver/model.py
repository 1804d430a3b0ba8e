"""A CP-SAT model without the Python layer of the solver: its compiled expressions, and the protocol buffer.

Has the names of `cp_model.CpModel` for what the models of this program need, and makes the same protocol
buffer from the same calls. Why not `cp_model` itself: it loads pandas, which takes most of a second of
every plan (measured in docs/decisions/0007). Import this module where a model is built, not before:
it loads the solver's library.
"""

from collections.abc import Iterable

from ortools.sat.python import cp_model_helper as cpsat

Var = cpsat.IntVar
Constraint = cpsat.BoundedLinearExpression | bool
"""A comparison of linear expressions; a bool where Python could decide it, as of two empty sums."""


class Model:
    """Variables, constraints, a hint and an objective. Nothing in it can be taken back."""

    def __init__(self) -> None:
        self.proto = cpsat.CpModelProto()

    def new_int_var(self, lowest: int, highest: int, name: str) -> Var:
        """Add a whole number within bounds, both included."""
        variable = Var(self.proto).with_name(name)
        self.proto.variables[variable.index].domain.extend([lowest, highest])
        return variable

    def new_bool_var(self, name: str) -> Var:
        """Add a truth value."""
        return self.new_int_var(0, 1, name)

    def add(self, constraint: Constraint) -> None:
        """Add a linear constraint."""
        if isinstance(constraint, bool):
            self._add_constant(holds=constraint)
            return
        linear = self.proto.constraints.add().linear
        linear.vars.extend([variable.index for variable in constraint.vars])
        linear.coeffs.extend(constraint.coeffs)
        bounds = constraint.bounds.flattened_intervals()
        linear.domain.extend([_shifted(bound, -constraint.offset) for bound in bounds])

    def add_exactly_one(self, literals: Iterable[Var]) -> None:
        """Let one of the truth values hold and no other."""
        self.proto.constraints.add().exactly_one.literals.extend([x.index for x in literals])

    def add_at_most_one(self, literals: Iterable[Var]) -> None:
        """Let none or one of the truth values hold."""
        self.proto.constraints.add().at_most_one.literals.extend([x.index for x in literals])

    def add_hint(self, variable: Var, value: int) -> None:
        """Suggest a value as a start."""
        self.proto.solution_hint.vars.append(variable.index)
        self.proto.solution_hint.values.append(value)

    def minimize(self, expression: cpsat.LinearExpr | int) -> None:
        """Ask for the least value of a linear expression with whole coefficients."""
        objective = self.proto.objective
        objective.scaling_factor = 1.0
        if isinstance(expression, int):
            objective.offset = expression
            return
        flat = cpsat.FlatIntExpr(expression)
        objective.vars.extend([variable.index for variable in flat.vars])
        objective.coeffs.extend(flat.coeffs)
        objective.offset = flat.offset

    def _add_constant(self, *, holds: bool) -> None:
        """Add what needs no variable: nothing, or a contradiction."""
        if not holds:
            self.proto.constraints.add().bool_or.literals.extend([])


def _shifted(bound: int, by: int) -> int:
    """Return a bound of an expression without its constant; the two infinities stay where they are."""
    is_infinite = abs(bound) >= 2**63 - 1
    return bound if is_infinite else bound + by
