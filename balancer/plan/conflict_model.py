"""A question as a CP-SAT model with one assumption literal per member: which of them cannot hold together?

Presolve is off throughout: with it on, a core may name literals that were not assumed, and INFEASIBLE
was seen to be wrong. Source: google/or-tools issues 5141 and 5274 (9.15). Integers as in `plan.window`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from balancer.plan.codes import Ints
from balancer.plan.conflict_member import Kind, Member
from balancer.plan.conflict_question import UNBOUNDED, Question, Team

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

MOST_PAIRS = 50_000
"""Pairs of VM and host that a model may have; with ten times as many nothing is found in useful time."""

LIMIT_PER_SOLVE = 0.2
"""In the solver's deterministic time, about seconds.

The linear relaxation is off: eight VMs for seven hosts beside 35 tied ones were refuted in 0.01 s and 8
conflicts without it, in 1.3 s and 7,000 conflicts with it. What it is good at, `conflict_board` counts.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one solve came to: a placement (V,), or the members that cannot hold together, or neither."""

    at: Ints | None = None
    core: tuple[Member, ...] | None = None


class Model:
    """One question, built once and solved under different assumptions."""

    def __init__(self, question: Question, *, seed: int, deadline: float) -> None:
        from ortools.sat.python import cp_model  # noqa: PLC0415

        self.question, self.seed, self.deadline = question, seed, deadline
        self.model = cp_model.CpModel()
        self.seats = self._seats()
        self.literal = {m: self.model.new_bool_var("") for m in question.members}
        self._add_bans()
        for member, team in question.apart.items():
            self._keep_apart(member, team)
        for member, team in question.together.items():
            self._keep_together(member, team)
        for member in question.members:
            if member.kind is Kind.ROOM:
                self._limit(member)

    def solve(self, active: Sequence[Member]) -> Verdict:
        """Solve with the active members assumed and all others lifted."""
        from ortools.sat.python import cp_model  # noqa: PLC0415

        self.model.clear_assumptions()
        self.model.add_assumptions([self.literal[member] for member in active])
        solver = self._solver()
        status = solver.solve(self.model)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Verdict(at=self._placement(solver))
        if status != cp_model.INFEASIBLE:
            return Verdict()
        named = set(solver.sufficient_assumptions_for_infeasibility())
        core = tuple(member for member in active if self.literal[member].index in named)
        return Verdict(core=core)

    def _solver(self) -> "cp_model.CpSolver":
        from ortools.sat.python import cp_model  # noqa: PLC0415

        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.catch_sigint_signal = False
        solver.parameters.random_seed = self.seed
        solver.parameters.cp_model_presolve = False
        solver.parameters.linearization_level = 0
        solver.parameters.max_deterministic_time = LIMIT_PER_SOLVE
        solver.parameters.max_time_in_seconds = max(self.deadline - time.perf_counter(), 0.01)
        return solver

    def _placement(self, solver: "cp_model.CpSolver") -> Ints:
        at = [
            next(host for host, seat in enumerate(seats) if solver.boolean_value(seat))
            for seats in self.seats
        ]
        return np.array(at, dtype=np.int64)

    def _seats(self) -> "list[list[cp_model.IntVar]]":
        hosts = range(len(self.question.room))
        seats = [[self.model.new_bool_var("") for _ in hosts] for _ in self.question.vms]
        for row in seats:
            self.model.add_exactly_one(row)
        for row, home in zip(seats, self.question.draft.tolist(), strict=True):
            for host, seat in enumerate(row):
                self.model.add_hint(seat, int(host == home))
        return seats

    def _add_bans(self) -> None:
        hosts = len(self.question.room)
        for member, ban in self.question.bans.items():
            literal = self.literal[member]
            of: dict[int, list[int]] = {}
            for row, host in zip(ban.rows.tolist(), ban.hosts.tolist(), strict=True):
                of.setdefault(row, []).append(host)
            for row, closed in of.items():
                open_to = set(range(hosts)) - set(closed)
                if len(open_to) < len(closed):
                    self.model.add_bool_or(
                        [~literal, *(self.seats[row][host] for host in sorted(open_to))]
                    )
                    continue
                for host in closed:
                    self.model.add_implication(literal, ~self.seats[row][host])

    def _keep_apart(self, member: Member, team: Team) -> None:
        for host, most in enumerate(team.most):
            if most < len(team.rows):
                total = sum(self.seats[row][host] for row in team.rows)
                slack = len(team.rows) - most
                self.model.add(total + slack * self.literal[member] <= len(team.rows))

    def _keep_together(self, member: Member, team: Team) -> None:
        literal, hosts = self.literal[member], range(len(self.question.room))
        if team.is_strict:
            first = self.seats[team.rows[0]]
            for row in team.rows[1:]:
                for host in hosts:
                    self.model.add_bool_or([~literal, ~first[host], self.seats[row][host]])
            return
        used = [self.model.new_bool_var("") for _ in hosts]
        for row in team.rows:
            for host in hosts:
                self.model.add_implication(self.seats[row][host], used[host])
        self.model.add(sum(used) <= team.most[0]).only_enforce_if(literal)

    def _limit(self, member: Member) -> None:
        """Limit one column of a host; a host that is above it may keep what it has and take no more."""
        question, host, room = self.question, member.at, member.what
        size = question.size[:, room]
        left = int(question.room[host, room] - question.fixed[host, room])
        here = question.start == host
        is_over = int(size[here].sum()) > left and not question.is_entered[host]
        conditions = [self.literal[member]]
        if is_over:
            enters = self.model.new_bool_var("")
            for row in np.flatnonzero(~here & question.arrives(room)).tolist():
                self.model.add_implication(self.seats[row][host], enters)
            conditions.append(enters)
        whole = int(size.sum())
        excess = min(max(whole - left, 0), UNBOUNDED)
        load = sum(int(size[row]) * self.seats[row][host] for row in range(len(size)) if size[row])
        self.model.add(load + excess * sum(conditions) <= left + excess * len(conditions))
