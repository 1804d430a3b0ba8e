"""A CP-SAT model without the Python layer of the solver: its compiled expressions, and the protocol buffer.

Has the names of `cp_model.CpModel` for what the models of this program need, and makes the same protocol
buffer from the same calls. Why not `cp_model` itself: it loads pandas, which takes most of a second of
every plan (measured in docs/decisions/0007). Import this module where a model is built, not before:
it loads the solver's library.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model_helper as cpsat

Var = cpsat.IntVar
Constraint = cpsat.BoundedLinearExpression | bool
"""A comparison of linear expressions; a bool where Python could decide it, as of two empty sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One constraint as plain numbers: a linear sum, and the intervals, bound after bound, that it lies in."""

    variables: Sequence[int]
    coefficients: Sequence[int]
    domain: Sequence[int]

    def holds(self, values: Sequence[int]) -> bool:
        """Whether the sum lies in one of the intervals."""
        total = sum(
            factor * values[index]
            for index, factor in zip(self.variables, self.coefficients, strict=True)
        )
        ends = zip(self.domain[::2], self.domain[1::2], strict=True)
        return any(lowest <= total <= highest for lowest, highest in ends)


class Model:
    """Variables, constraints, a hint and an objective. Nothing in it can be taken back.

    Keeps what it was told beside the protocol buffer, so that `accepts` counts through a solution without
    any word of the solver, and several times as fast as by reading the buffer.
    """

    def __init__(self) -> None:
        self.proto = cpsat.CpModelProto()
        self._bounds: list[tuple[int, int]] = []
        self._rows: list[_Row] = []

    def accepts(self, values: Sequence[int]) -> bool:
        """Whether there is one value per variable, each within its bounds, and every constraint holds."""
        if len(values) != len(self._bounds):
            return False
        bounded = zip(values, self._bounds, strict=True)
        is_within = all(lowest <= value <= highest for value, (lowest, highest) in bounded)
        return is_within and all(row.holds(values) for row in self._rows)

    def new_int_var(self, lowest: int, highest: int, name: str) -> Var:
        """Add a whole number within bounds, both included."""
        variable = Var(self.proto).with_name(name)
        self.proto.variables[variable.index].domain.extend([lowest, highest])
        self._bounds.append((lowest, highest))
        return variable

    def new_bool_var(self, name: str) -> Var:
        """Add a truth value."""
        return self.new_int_var(0, 1, name)

    def add(self, constraint: Constraint) -> None:
        """Add a linear constraint."""
        if isinstance(constraint, bool):
            self._add_constant(holds=constraint)
            return
        bounds = constraint.bounds.flattened_intervals()
        row = _Row(
            variables=[variable.index for variable in constraint.vars],
            coefficients=constraint.coeffs,
            domain=[_shifted(bound, -constraint.offset) for bound in bounds],
        )
        linear = self.proto.constraints.add().linear
        linear.vars.extend(row.variables)
        linear.coeffs.extend(row.coefficients)
        linear.domain.extend(row.domain)
        self._rows.append(row)

    def add_exactly_one(self, literals: Iterable[Var]) -> None:
        """Let one of the truth values hold and no other."""
        members = self._counted(literals, [1, 1])
        self.proto.constraints.add().exactly_one.literals.extend(members)

    def add_at_most_one(self, literals: Iterable[Var]) -> None:
        """Let none or one of the truth values hold."""
        members = self._counted(literals, [0, 1])
        self.proto.constraints.add().at_most_one.literals.extend(members)

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

    def _counted(self, literals: Iterable[Var], domain: Sequence[int]) -> list[int]:
        """Keep a row that counts truth values; return their indexes."""
        members = [literal.index for literal in literals]
        self._rows.append(_Row(variables=members, coefficients=[1] * len(members), domain=domain))
        return members

    def _add_constant(self, *, holds: bool) -> None:
        """Add what needs no variable: nothing, or a contradiction."""
        if not holds:
            self._counted([], [1, 1])
            self.proto.constraints.add().bool_or.literals.extend([])


def _shifted(bound: int, by: int) -> int:
    """Return a bound of an expression without its constant; the two infinities stay where they are."""
    is_infinite = abs(bound) >= 2**63 - 1
    return bound if is_infinite else bound + by
