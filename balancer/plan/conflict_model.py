"""A question as a CP-SAT model with one assumption literal per member: which of them cannot hold together?

Presolve is off throughout: with it on, a core may name literals that were not assumed, and INFEASIBLE
was seen to be wrong. Source: google/or-tools issues 5141 and 5274 (9.15). Integers as in `plan.window`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from balancer.plan.codes import Ints
from balancer.plan.conflict_member import Kind, Member
from balancer.plan.conflict_question import UNBOUNDED, Question, Team
from balancer.plan.conflict_search import obeys
from balancer.solver import DENIED, Answer, Effort, Solved, Solver

if TYPE_CHECKING:
    from balancer.solver.model import Var

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


class QuestionModel:
    """One question, built once and solved under different assumptions."""

    def __init__(self, question: Question, solver: Solver, *, seed: int, deadline: float) -> None:
        from balancer.solver.model import Model  # noqa: PLC0415

        self.question, self.solver = question, solver
        self.seed, self.deadline = seed, deadline
        self.model = Model()
        self._known = [question.start, question.draft]
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
        self.model.clear_assumptions()
        self.model.add_assumptions([self.literal[member] for member in active])
        solved = self.solver.solve(self.model, self._effort())
        if solved.answer is Answer.FOUND:
            return self._found(active, solved)
        return self._denied(active, solved) if solved.answer is Answer.NONE else Verdict()

    def _found(self, active: Sequence[Member], solved: Solved) -> Verdict:
        at = self._placement(solved)
        if not obeys(self.question, active, at):
            self.solver.disbelieve(self._effort(), "its answer breaks a law")
            return Verdict()
        self._known.append(at)
        return Verdict(at=at)

    def _denied(self, active: Sequence[Member], solved: Solved) -> Verdict:
        """Return the core, unless a placement that is known obeys it."""
        core = tuple(m for m in active if self.literal[m].index in solved.core)
        if any(obeys(self.question, core, at) for at in self._known):
            self.solver.disbelieve(self._effort(), DENIED)
            return Verdict()
        return Verdict(core=core)

    def _effort(self) -> Effort:
        return Effort(
            stage="draft",
            seed=self.seed,
            limit=LIMIT_PER_SOLVE,
            deadline=self.deadline,
            presolve=False,
            extra="linearization_level: 0",
        )

    def _placement(self, solved: Solved) -> Ints:
        at = [
            next(host for host, seat in enumerate(seats) if solved.holds(seat))
            for seats in self.seats
        ]
        return np.array(at, dtype=np.int64)

    def _seats(self) -> "list[list[Var]]":
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
        hosts: dict[int, list[int]] = {}
        for host, domain in enumerate(team.domain):
            hosts.setdefault(domain, []).append(host)
        for domain, most in enumerate(team.most):
            if most < len(team.rows):
                total = sum(self.seats[row][host] for row in team.rows for host in hosts[domain])
                slack = len(team.rows) - most
                self.model.add(total + slack * self.literal[member] <= len(team.rows))

    def _keep_together(self, member: Member, team: Team) -> None:
        literal, hosts = self.literal[member], range(len(self.question.room))
        if team.is_whole:
            first = self.seats[team.rows[0]]
            for row in team.rows[1:]:
                for host in hosts:
                    self.model.add_bool_or([~literal, ~first[host], self.seats[row][host]])
            return
        used = [self.model.new_bool_var("") for _ in hosts]
        for row in team.rows:
            for host in hosts:
                self.model.add_implication(self.seats[row][host], used[host])
        slack = max(len(used) - team.most[0], 0)
        self.model.add(sum(used) + slack * literal <= team.most[0] + slack)

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
