"""The one door to CP-SAT, for every stage that needs it. Where the solver runs is for the caller to say."""

from balancer.solver.door import DENIED, Answer, Effort, Job, Solvable, Solved, Solver
from balancer.solver.here import InProcess
from balancer.solver.runner import Failure, Reply, Runner, Task

__all__ = [
    "DENIED",
    "Answer",
    "Effort",
    "Failure",
    "InProcess",
    "Job",
    "Reply",
    "Runner",
    "Solvable",
    "Solved",
    "Solver",
    "Task",
]
