"""The helper process by itself: what it says, when it ends, and that nothing keeps it alive."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace

from balancer.adapters.solver.worker import GRACE_S
from balancer.solver import Task
from balancer.solver.model import Model
from tests.support.solvers import largest, task_of

COMMAND = (sys.executable, "-m", "balancer.adapters.solver.worker")


def spoken(*tasks: Task) -> subprocess.CompletedProcess[bytes]:
    """Run a helper over the tasks and then let its input end."""
    lines = b"".join(json.dumps(asdict(task)).encode() + b"\n" for task in tasks)
    return subprocess.run(COMMAND, input=lines, capture_output=True, timeout=60, check=False)


def endless() -> Model:
    """Return a model that takes long: pigeons, one fewer holes, and no symmetry that is seen at once."""
    model = Model()
    seats = [[model.new_bool_var("") for _ in range(60)] for _ in range(61)]
    for row, pigeon in enumerate(seats):
        model.add(sum((row + hole) % 7 * seat for hole, seat in enumerate(pigeon)) >= 3)
        model.add_exactly_one(pigeon)
    for hole in zip(*seats, strict=True):
        model.add(sum(seat * (3 + row % 5) for row, seat in enumerate(hole)) <= 7)
    return model


def test_it_says_when_it_is_ready_answers_each_task_and_ends_with_its_input() -> None:
    done = spoken(task_of(largest(3)), task_of(largest(4)))
    ready, *answers = done.stdout.splitlines()

    assert (done.returncode, ready) == (0, b"ready")
    assert [json.loads(answer)["values"] for answer in answers] == [[3], [4]]


def test_what_the_solver_prints_is_no_answer() -> None:
    loud = task_of(largest(3))
    loud = replace(loud, parameters=f"{loud.parameters} log_search_progress: true")

    assert len(spoken(loud).stdout.splitlines()) == 2


def test_where_nobody_stops_a_task_that_takes_too_long_the_kernel_does() -> None:
    done = spoken(task_of(endless(), patience_s=0.2 - GRACE_S))

    assert done.returncode == -signal.SIGALRM
