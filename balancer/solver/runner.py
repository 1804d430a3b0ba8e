"""What runs CP-SAT: the port, and what goes through it: texts in, plain values out.

A model crosses as the text form of its protocol buffer, so that it can be solved in another process.
A runner answers each task or says what became of it; it judges no answer (that is `solver.door`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from balancer.model.plan import IncidentKind
from balancer.model.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A model and the solver's parameters, both in text form, and when to give up waiting."""

    model: str
    parameters: str
    patience_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the solver said: the name of its status, and a value per variable where it has a solution.

    `bound` is what no solution can do better than, `core` the literals assumed that cannot hold together.
    """

    status: str
    values: tuple[int, ...] = ()
    bound: float = 0.0
    core: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """There is no answer: why, and what is known of it."""

    kind: IncidentKind
    detail: str


class Runner(Protocol):
    """Solves tasks somewhere. Never raises for what a solver does."""

    def prepare(self) -> None:
        """Get ready, without waiting for it: a task is likely to come soon."""

    def run_all(self, tasks: Sequence[Task]) -> list[Reply | Failure]:
        """Solve independent tasks; one answer each, in their order, the same as if one by one."""

    def close(self) -> None:
        """Give back what it holds. Called once, after the last task."""
