"""Small CP-SAT models and solvers that behave as told, for the tests of whatever asks a solver."""

import sys
from collections.abc import Callable, Sequence
from time import perf_counter

from balancer.solver import Effort, Failure, Reply, Task
from balancer.solver.model import Model

PARAMETERS = "num_workers: 1 catch_sigint_signal: false"

READS_A_TASK = "import sys; print('ready', flush=True); sys.stdin.readline(); "


LIE = """
import dataclasses, json, sys
from balancer.solver.here import run
from balancer.solver.runner import Task
{script}
print("ready", flush=True)
for line in sys.stdin:
    reply = run(Task(**json.loads(line)))
    print(json.dumps(answer(dataclasses.asdict(reply))), flush=True)
"""


def child(script: str) -> tuple[str, ...]:
    """Return the command of a helper process that reads a task and then runs a script instead."""
    return (sys.executable, "-c", READS_A_TASK + script)


SEGFAULT = child("import ctypes; ctypes.string_at(0)")
ABORT = child("import os; os.abort()")
EXIT = child("sys.exit(3)")
HANG = child("import time; time.sleep(600)")
GARBLE = child("print('no answer', flush=True); sys.stdin.readline()")


def liar(script: str) -> tuple[str, ...]:
    """Return the command of a helper process that answers every task with `answer(values)`.

    `values` are those of the true solution, `script` defines `answer`.
    """
    return (sys.executable, "-c", LIE.format(script=script))


ALL_ONES = liar("def answer(reply): return reply | {'values': [1] * len(reply['values'])}")
"""Answers that every variable is 1, also where the model knows better."""


class Scripted:
    """Runner that gives the answers it was made with, whatever it is asked; it keeps the tasks."""

    def __init__(self, answer: Callable[[Task], Reply | Failure]) -> None:
        self._answer = answer
        self.tasks: list[Task] = []

    def prepare(self) -> None:
        """Be ready as it is."""

    def run_all(self, tasks: Sequence[Task]) -> list[Reply | Failure]:
        """Return one scripted answer per task."""
        self.tasks += tasks
        return [self._answer(task) for task in tasks]

    def close(self) -> None:
        """Hold nothing."""


def effort(*, limit: float = 1.0, within_s: float = 30.0) -> Effort:
    """Return an effort that is ample for the models below."""
    return Effort(stage="test", seed=0, limit=limit, deadline=perf_counter() + within_s)


def largest(most: int) -> Model:
    """Return a model of one variable whose best value is `most`."""
    model = Model()
    model.minimize(-model.new_int_var(0, most, "x"))
    return model


def contradiction() -> Model:
    """Return a model without a solution."""
    model = Model()
    yes = model.new_bool_var("yes")
    model.add(yes == 1)
    model.add(yes == 0)
    return model


def task_of(model: Model, *, patience_s: float = 30.0) -> Task:
    """Return the task of a model, solved by one worker."""
    return Task(model=str(model.proto), parameters=PARAMETERS, patience_s=patience_s)
