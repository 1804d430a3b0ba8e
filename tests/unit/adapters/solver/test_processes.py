"""The solver in helper processes: it answers as the one here does, and dies without taking anything along."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from balancer.adapters.solver import SolverProcesses
from balancer.model.plan import IncidentKind
from balancer.solver import Failure, InProcess, Reply
from tests.support.leftovers import children, nothing_left
from tests.support.solvers import (
    ABORT,
    EXIT,
    GARBLE,
    HANG,
    SEGFAULT,
    child,
    contradiction,
    largest,
    task_of,
)

ROOT = Path(__file__).resolve().parents[4]


def answer_of(command: tuple[str, ...], *, patience_s: float = 30.0) -> Reply | Failure:
    with closing(SolverProcesses(command)) as runner:
        return runner.run_all([task_of(largest(3), patience_s=patience_s)])[0]


def test_answers_are_those_of_the_solver_in_this_process() -> None:
    tasks = [task_of(largest(n)) for n in range(5)] + [task_of(contradiction())]
    with nothing_left(), closing(SolverProcesses()) as runner:
        assert runner.run_all(tasks) == InProcess().run_all(tasks)
        assert runner.run_all(tasks[:1]) == InProcess().run_all(tasks[:1])


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        pytest.param(SEGFAULT, "signal 11", id="segmentation fault"),
        pytest.param(ABORT, "signal 6", id="abort"),
        pytest.param(EXIT, "exit code 3", id="exit"),
    ],
)
def test_a_crash_is_a_failure_that_says_how_the_process_ended(
    command: tuple[str, ...], detail: str
) -> None:
    with nothing_left():
        answer = answer_of(command)

    assert isinstance(answer, Failure)
    assert answer.kind is IncidentKind.CRASHED
    assert detail in answer.detail


def test_a_hang_ends_with_the_patience() -> None:
    started = time.perf_counter()
    with nothing_left():
        answer = answer_of(HANG, patience_s=0.3)

    assert isinstance(answer, Failure)
    assert answer.kind is IncidentKind.HUNG
    assert time.perf_counter() - started < 60.0  # it would hang for ever


def test_a_process_that_never_reads_does_not_block_the_sender() -> None:
    deaf = (sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)")
    huge = replace(task_of(largest(3), patience_s=0.3), model=" " * 10**6)
    with nothing_left(), closing(SolverProcesses(deaf)) as runner:
        (answer,) = runner.run_all([huge])

    assert isinstance(answer, Failure)
    assert answer.kind is IncidentKind.HUNG


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(GARBLE, id="no JSON"),
        pytest.param(child("print('{}', flush=True)"), id="nothing in it"),
        pytest.param(child("print('3', flush=True)"), id="a number"),
        pytest.param(
            child(
                'print(\'{"status": "OPTIMAL", "values": [0.5], "core": [], "bound": 0}\', flush=True)'
            ),
            id="broken numbers",
        ),
    ],
)
def test_a_garbled_answer_is_a_wrong_one(command: tuple[str, ...]) -> None:
    with nothing_left():
        answer = answer_of(command)

    assert isinstance(answer, Failure)
    assert answer.kind is IncidentKind.WRONG_ANSWER


@pytest.mark.parametrize(
    ("patience_s", "script", "detail"),
    [
        pytest.param(0.5, "import time; time.sleep(600)", "did not get ready in time", id="hangs"),
        pytest.param(60.0, "raise SystemExit(1)", "ended with exit code 1", id="it ends"),
    ],
)
def test_a_process_that_never_gets_ready_is_no_solver(
    patience_s: float, script: str, detail: str
) -> None:
    command = (sys.executable, "-c", script)
    with nothing_left(), closing(SolverProcesses(command, start_patience_s=patience_s)) as runner:
        (answer,) = runner.run_all([task_of(largest(3))])

    assert answer == Failure(kind=IncidentKind.UNAVAILABLE, detail=f"its process {detail}")


def test_where_no_process_can_be_started_the_failure_says_so() -> None:
    with nothing_left():
        answer = answer_of(("/nowhere/at/all",))

    assert isinstance(answer, Failure)
    assert answer.kind is IncidentKind.UNAVAILABLE


def test_after_a_crash_the_next_task_gets_a_fresh_process(tmp_path: Path) -> None:
    mark = tmp_path / "crashed"
    script = (
        f"import os, pathlib; mark = pathlib.Path({str(mark)!r})\n"
        "if not mark.exists():\n    mark.touch()\n    os.abort()\n"
        'print(\'{"status": "UNKNOWN", "values": [], "core": [], "bound": 0}\', flush=True); sys.stdin.readline()'
    )
    with nothing_left(), closing(SolverProcesses(child(script))) as runner:
        first, second = runner.run_all([task_of(largest(1))]), runner.run_all([task_of(largest(1))])

    assert isinstance(first[0], Failure)
    assert second == [Reply(status="UNKNOWN")]


def test_a_process_is_prepared_once_and_ended_unused() -> None:
    with nothing_left(), closing(SolverProcesses()) as runner:
        before = children()
        runner.prepare()
        runner.prepare()
        assert len(children() - before) == 1


USE = """
import os, sys, time
from contextlib import closing
from balancer.adapters.solver import SolverProcesses
from tests.support.solvers import largest, task_of
runner = SolverProcesses()
print(runner.run_all([task_of(largest(3))]), flush=True)
"""


def test_it_works_with_standard_input_and_output_closed() -> None:
    script = USE.replace("print(", "result = (").replace(", flush=True", "")
    script = (
        f"import os; os.close(0); os.close(1)\n{script}\nassert result[0].values == (3,), result"
    )
    script += "\nrunner.close()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupt_ends_the_program_and_the_helper_with_it() -> None:
    script = USE + "print(runner._idle[0]._popen.pid, flush=True)\ntime.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        helper = int(program.stdout.readline())
        life = os.pidfd_open(helper)
        os.kill(helper, signal.SIGINT)
        assert not has_ended(life, within_s=0.2)
        program.send_signal(signal.SIGINT)
        program.wait(timeout=60)
    assert has_ended(life, within_s=30.0)
    os.close(life)


def has_ended(life: int, *, within_s: float) -> bool:
    """Whether the process of a descriptor ends within some seconds."""
    return bool(select.select([life], [], [], within_s)[0])
