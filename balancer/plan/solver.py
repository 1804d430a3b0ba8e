"""The one door to CP-SAT: one worker, deterministic limits, and no belief in a single INFEASIBLE.

Imported by the modules that need a solver at the moment they need it: loading the solver takes most of a
second, and a cluster in which greedy search finds everything never pays for it.
"""

import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ortools.sat.python import cp_model


class Answer(Enum):
    """What a solve came to."""

    FOUND = "found"  # a solution, optimal or not
    NONE = "none"  # proved that there is none, twice
    UNKNOWN = "unknown"  # the limit was reached first


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """The answer, and the solver to read values from where one was found."""

    answer: Answer
    solver: "cp_model.CpSolver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What one solve may cost: seed, deterministic time, the gap at which a solution is good enough.

    `deadline` (of `time.perf_counter`) ends it in any case; only then does the answer depend on speed.
    """

    seed: int
    limit: float
    deadline: float
    gap: float = 0.0


def solve(model: "cp_model.CpModel", effort: Effort) -> Solved:
    """Solve a model.

    A first INFEASIBLE is checked by a second solve without presolve, and signals stay with the program:
    the solver would put the default action of SIGINT in the place of ours and so kill the process.
    Source: google/or-tools issues 5274 and 5141 (wrong INFEASIBLE with presolve on, 9.15); the signal
    was seen in tests/simulation/test_demo.py and is kept by tests/unit/plan/test_solver.py.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415

    for presolve in (True, False):
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.catch_sigint_signal = False
        solver.parameters.random_seed = effort.seed
        solver.parameters.max_deterministic_time = effort.limit
        solver.parameters.relative_gap_limit = effort.gap
        solver.parameters.cp_model_presolve = presolve
        solver.parameters.max_time_in_seconds = max(effort.deadline - time.perf_counter(), 0.01)
        status = solver.solve(model)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Solved(answer=Answer.FOUND, solver=solver)
        if status != cp_model.INFEASIBLE:
            return Solved(answer=Answer.UNKNOWN, solver=solver)
    return Solved(answer=Answer.NONE, solver=solver)
