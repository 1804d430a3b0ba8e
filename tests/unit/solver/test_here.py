"""The solver in this process: it answers, and leaves the program's signals alone."""

import subprocess
import sys

from balancer.solver import Failure, InProcess, Reply
from balancer.solver.runner import Task
from tests.support.solvers import contradiction, largest, task_of

SCRIPT = """
import os, signal, sys, time
from balancer.solver import InProcess, Solver
from tests.support.solvers import effort, largest
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
Solver(InProcess()).solve(largest(3), effort())
os.kill(os.getpid(), signal.SIGINT)
time.sleep(5)
"""


def test_an_interrupt_after_a_solve_still_reaches_the_program() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], timeout=60, check=False)

    assert result.returncode == 130


def test_each_task_has_its_own_answer() -> None:
    answers = InProcess().run_all([task_of(largest(3)), task_of(contradiction())])

    assert answers == [Reply(status="OPTIMAL", values=(3,), bound=-3.0), Reply(status="INFEASIBLE")]


def test_what_is_no_model_is_a_failure() -> None:
    (answer,) = InProcess().run_all([Task(model="no model", parameters="", patience_s=1.0)])

    assert isinstance(answer, Failure)


def test_the_solver_loads_without_the_libraries_that_its_python_layer_wants() -> None:
    script = (
        "import sys; from balancer.solver.here import load; load(); "
        "print(sorted({'pandas', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], timeout=60, check=True, capture_output=True, text=True
    )

    assert result.stdout.strip() == "[]"
