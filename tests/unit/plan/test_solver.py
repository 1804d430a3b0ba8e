"""The solver's manners: it answers, and leaves the program's signals alone."""

import subprocess
import sys

SCRIPT = """
import os, signal, sys, time
from ortools.sat.python import cp_model
from balancer.plan.solver import Effort, solve
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
model = cp_model.CpModel()
model.maximize(model.new_int_var(0, 3, "x"))
solve(model, Effort(seed=0, limit=1.0, deadline=time.perf_counter() + 60))
os.kill(os.getpid(), signal.SIGINT)
time.sleep(5)
"""


def test_an_interrupt_after_a_solve_still_reaches_the_program() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], timeout=60, check=False)

    assert result.returncode == 130
