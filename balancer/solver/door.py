"""The one door to CP-SAT: one worker, deterministic limits, no answer believed unchecked.

Owns what an answer is worth: a solution counts if it satisfies the model, an INFEASIBLE if a second solve
without presolve repeats it, and a solver that fails costs an `Incident`, never the plan. Does no input
or output: `Runner` says where the solver runs. Callers build their models with `solver.model` and confirm
what they make of a solution by exact figures.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from balancer.model.plan import Incident, IncidentKind
from balancer.model.units import Seconds
from balancer.solver.runner import Failure, Reply, Runner, Task

if TYPE_CHECKING:
    from ortools.sat.python import cp_model_helper as cpsat

    from balancer.solver.model import Var

MOST_FAILURES = 2
"""A solver that failed so often in one draft is not asked again: each failure may cost its whole patience."""

PATIENCE_PER_LIMIT = 20.0
"""Wall seconds that a solve may take per second of its deterministic limit. Measured on a quiet machine: 420
units on 14 hosts, the largest window there is, took 0.5 s for a limit of 0.1; the rest is for a busy one."""

LEAST_PATIENCE_S = 5.0
DENIED = "it denied that there is a solution"

GRACE_S = 1.0
"""A solve that is still not back this long after its deadline ignores its limits."""


class Solvable(Protocol):
    """A model: its protocol buffer, and a check of solutions that takes no word of the solver's."""

    @property
    def proto(self) -> "cpsat.CpModelProto":
        """What is handed to the solver."""

    def accepts(self, values: Sequence[int]) -> bool:
        """Whether values, one per variable, are a solution."""


class Answer(Enum):
    """What a solve came to."""

    FOUND = "found"  # a solution, optimal or not
    NONE = "none"  # proved that there is none, without presolve
    UNKNOWN = "unknown"  # the limit was reached first, or the solver failed


_WITHOUT_SOLUTION = {"INFEASIBLE": Answer.NONE, "UNKNOWN": Answer.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """The answer, and the values of the variables where one was found.

    `bound` is what the solver proved of the objective; where it is the solution's own value, that is optimal.
    `core` are indexes of literals, of those assumed, that cannot hold together; only where there is none.
    """

    answer: Answer
    values: tuple[int, ...] = ()
    bound: float = 0.0
    core: tuple[int, ...] = ()

    def holds(self, seat: "Var") -> bool:
        """Whether a boolean variable is true in the solution."""
        return bool(self.values[seat.index])


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What one solve may cost: seed, deterministic time, the gap at which a solution is good enough.

    `deadline` (of `time.perf_counter`) ends it in any case; only then does the answer depend on speed.
    `stage` is the stage of planning that asks, for the record of what went wrong. Without `presolve` one proof
    is enough, and cores can be relied on. `extra` are further parameters of the solver in text form.
    """

    stage: str
    seed: int
    limit: float
    deadline: float
    gap: float = 0.0
    presolve: bool = True
    extra: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A model and what solving it may cost."""

    model: Solvable
    effort: Effort


class Solver:
    """What one draft asks, and the record of what went wrong meanwhile. Does not close its runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._incidents: list[Incident] = []
        self._failures = 0

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Return what went wrong, in the order in which it did."""
        return tuple(self._incidents)

    def prepare(self) -> None:
        """Let the solver be loaded beside what else is done; it is likely to be asked soon."""
        self._runner.prepare()

    def solve(self, model: Solvable, effort: Effort) -> Solved:
        """Solve a model."""
        return self.solve_all([Job(model=model, effort=effort)])[0]

    def solve_all(self, jobs: Sequence[Job]) -> list[Solved]:
        """Solve models that do not depend on each other, side by side where the runner can.

        Answers come in the order of the jobs and are the same as if each was solved by itself. A first
        INFEASIBLE is checked by a second solve without presolve.
        Source: google/or-tools issues 5274 and 5141 (wrong INFEASIBLE with presolve on, 9.15).
        """
        solved = self._ask(jobs)
        doubted = [
            row
            for row, (job, one) in enumerate(zip(jobs, solved, strict=True))
            if one.answer is Answer.NONE and job.effort.presolve
        ]
        again = self._ask([_without_presolve(jobs[row]) for row in doubted])
        for row, second in zip(doubted, again, strict=True):
            solved[row] = second
            if second.answer is Answer.FOUND:
                self._note(jobs[row].effort, IncidentKind.WRONG_ANSWER, DENIED)
        return solved

    def disbelieve(self, effort: Effort, detail: str) -> None:
        """Keep account of an answer that the asker found to be wrong by what it knows itself."""
        self._fail(effort, IncidentKind.WRONG_ANSWER, detail)

    def _ask(self, jobs: Sequence[Job]) -> list[Solved]:
        if not jobs or self._failures >= MOST_FAILURES:
            return [Solved(answer=Answer.UNKNOWN) for _ in jobs]
        answers = self._runner.run_all([_task(job) for job in jobs])
        return [self._judged(job, answer) for job, answer in zip(jobs, answers, strict=True)]

    def _judged(self, job: Job, answer: Reply | Failure) -> Solved:
        if isinstance(answer, Failure):
            return self._failed(job, answer.kind, answer.detail)
        if answer.status in ("OPTIMAL", "FEASIBLE"):
            if job.model.accepts(answer.values):
                return Solved(answer=Answer.FOUND, values=answer.values, bound=answer.bound)
            return self._failed(job, IncidentKind.WRONG_ANSWER, "its answer breaks the model")
        if answer.status in _WITHOUT_SOLUTION:
            found = _WITHOUT_SOLUTION[answer.status]
            return Solved(answer=found, bound=answer.bound, core=answer.core)
        if answer.status == "MODEL_INVALID":
            return self._failed(job, IncidentKind.MODEL_REFUSED, "it called the model invalid")
        detail = f"it answered with an unknown status, '{answer.status[:40]}'"
        return self._failed(job, IncidentKind.WRONG_ANSWER, detail)

    def _failed(self, job: Job, kind: IncidentKind, detail: str) -> Solved:
        self._fail(job.effort, kind, detail)
        return Solved(answer=Answer.UNKNOWN)

    def _fail(self, effort: Effort, kind: IncidentKind, detail: str) -> None:
        self._failures += 1
        if self._failures == MOST_FAILURES:
            detail = f"{detail}; it is not asked again for this plan"
        self._note(effort, kind, detail)

    def _note(self, effort: Effort, kind: IncidentKind, detail: str) -> None:
        self._incidents.append(Incident(stage=effort.stage, kind=kind, detail=detail))


def _without_presolve(job: Job) -> Job:
    return replace(job, effort=replace(job.effort, presolve=False))


def _task(job: Job) -> Task:
    """Return the task: one worker, and signals stay with the program.

    The solver would put the default action of SIGINT in the place of ours and so kill the process: seen in
    tests/simulation/test_demo.py, kept by tests/unit/solver/test_here.py.
    """
    effort, left_s = job.effort, max(job.effort.deadline - time.perf_counter(), 0.01)
    parameters = (
        "num_workers: 1 catch_sigint_signal: false "
        f"cp_model_presolve: {'true' if effort.presolve else 'false'} "
        f"random_seed: {effort.seed} max_deterministic_time: {effort.limit!r} "
        f"relative_gap_limit: {effort.gap!r} max_time_in_seconds: {left_s!r} "
        f"{effort.extra}"
    )
    return Task(
        model=str(job.model.proto), parameters=parameters, patience_s=_patience(effort, left_s)
    )


def _patience(effort: Effort, left_s: Seconds) -> Seconds:
    """Return how long to wait for an answer."""
    return min(max(effort.limit * PATIENCE_PER_LIMIT, LEAST_PATIENCE_S), left_s + GRACE_S)
