"""A CP-SAT model without the Python layer of the solver: its compiled expressions, and the protocol buffer.

Has the names of `cp_model.CpModel` for what the models of this program need, and makes the same protocol
buffer from the same calls. Why not `cp_model` itself: it loads pandas, which takes most of a second of
every plan (measured in docs/decisions/0007). Import this module where a model is built, not before:
it loads the solver's library.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ortools.sat.python import cp_model_helper as cpsat

from balancer.solver.rows import Affine, Clause, Level, Row, Sum, is_true

Var = cpsat.IntVar
Expression = cpsat.LinearExpr
Literal = cpsat.Literal
"""A truth value or its negation (`~`)."""

Constraint = cpsat.BoundedLinearExpression | bool
"""A comparison of linear expressions; a bool where Python could decide it, as of two empty sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time of fixed length: where it begins, and its place among the constraints of the model."""

    index: int
    start: Affine
    size: int


class Model:
    """Variables, constraints, a hint, an objective, assumptions. Only assumptions can be taken back.

    Keeps what it was told beside the protocol buffer, so that `accepts` counts through a solution without
    any word of the solver, and several times as fast as by reading the buffer.
    """

    def __init__(self) -> None:
        self.proto = cpsat.CpModelProto()
        self._bounds: list[tuple[int, int]] = []
        self._rows: list[Row] = []

    def accepts(self, values: Sequence[int]) -> bool:
        """Whether there is one value per variable, within its bounds, and all that was told or assumed holds."""
        if len(values) != len(self._bounds):
            return False
        bounded = zip(values, self._bounds, strict=True)
        is_within = all(lowest <= value <= highest for value, (lowest, highest) in bounded)
        is_as_assumed = all(is_true(values, literal) for literal in self.proto.assumptions)
        return is_within and is_as_assumed and all(row.holds(values) for row in self._rows)

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
        row = Sum(
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

    def add_bool_or(self, literals: Iterable[Literal]) -> None:
        """Let one of the literals hold at least."""
        members = [literal.index for literal in literals]
        self._rows.append(Clause(literals=members))
        self.proto.constraints.add().bool_or.literals.extend(members)

    def add_implication(self, first: Literal, then: Literal) -> None:
        """Let a literal hold wherever another does."""
        self._rows.append(Clause(literals=[(~first).index, then.index]))
        constraint = self.proto.constraints.add()
        constraint.enforcement_literal.append(first.index)
        constraint.bool_and.literals.append(then.index)

    def new_fixed_size_interval_var(
        self, start: Expression | int, size: int, name: str
    ) -> Interval:
        """Add a time of fixed length; `start` is a variable, or a multiple of one, and a constant."""
        begin, index = _affine(start), len(self.proto.constraints)
        constraint = self.proto.constraints.add()
        if name:
            constraint.name = name
        interval = constraint.interval
        _write(interval.start, begin)
        _write(interval.end, _later(begin, size))
        _write(interval.size, _affine(size))
        return Interval(index=index, start=begin, size=size)

    def add_cumulative(
        self, intervals: Sequence[Interval], demands: Sequence[int], capacity: int
    ) -> None:
        """Let no instant lie in intervals whose demands are more than a capacity together."""
        begins = [interval.start for interval in intervals]
        ends = [_later(interval.start, interval.size) for interval in intervals]
        changes = [*demands, *(-demand for demand in demands)]
        row = Level(times=begins + ends, changes=changes, lowest=0, highest=capacity)
        self._rows.append(row)
        cumulative = self.proto.constraints.add().cumulative
        _write(cumulative.capacity, _affine(capacity))
        for interval, demand in zip(intervals, demands, strict=True):
            cumulative.intervals.append(interval.index)
            _write(cumulative.demands.add(), _affine(demand))

    def add_reservoir_constraint(
        self,
        times: Sequence[Expression | int],
        level_changes: Sequence[int],
        min_level: int,
        max_level: int,
    ) -> None:
        """Let a level that starts at 0 and changes at the given times stay within its bounds."""
        told = [_affine(time) for time in times]
        row = Level(times=told, changes=level_changes, lowest=min_level, highest=max_level)
        self._rows.append(row)
        reservoir = self.proto.constraints.add().reservoir
        reservoir.min_level, reservoir.max_level = min_level, max_level
        for time, change in zip(told, level_changes, strict=True):
            _write(reservoir.time_exprs.add(), time)
            _write(reservoir.level_changes.add(), _affine(change))

    def add_assumptions(self, literals: Iterable[Literal]) -> None:
        """Solve for the case that the literals hold; where they cannot, the core names some of them."""
        self.proto.assumptions.extend([literal.index for literal in literals])

    def clear_assumptions(self) -> None:
        """Assume nothing any more."""
        self.proto.assumptions.clear()

    def add_hint(self, variable: Var, value: int) -> None:
        """Suggest a value as a start."""
        self.proto.solution_hint.vars.append(variable.index)
        self.proto.solution_hint.values.append(value)

    def minimize(self, expression: Expression | int) -> None:
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
        self._rows.append(Sum(variables=members, coefficients=[1] * len(members), domain=domain))
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


def _affine(expression: Expression | int) -> Affine:
    if isinstance(expression, int):
        return Affine(variable=None, coefficient=0, offset=expression)
    flat = cpsat.FlatIntExpr(expression)
    (variable,), (coefficient,) = flat.vars, flat.coeffs
    return Affine(variable=variable.index, coefficient=coefficient, offset=flat.offset)


def _later(time: Affine, by: int) -> Affine:
    return replace(time, offset=time.offset + by)


def _write(proto: cpsat.LinearExpressionProto, told: Affine) -> None:
    """Write an expression into the protocol buffer; a constant of 0 is left out there."""
    if told.variable is not None:
        proto.vars.append(told.variable)
        proto.coeffs.append(told.coefficient)
    proto.offset = told.offset
