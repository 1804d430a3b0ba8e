"""The runner over helper processes: starts them when first needed, waits only so long, cleans up.

Owns life and death of the processes. A crash, a hang or a garbled answer ends the process concerned and
comes back as a `Failure`; the next task gets a fresh one. Judges no answer, and starts nothing before
it is asked for something.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import IO

from balancer.model.plan import IncidentKind
from balancer.model.units import Seconds
from balancer.solver.runner import Failure, Reply, Task

COMMAND = (sys.executable or "python3", "-P", "-m", "balancer.adapters.solver.worker")

MOST_PROCESSES = 2
"""Windows solved side by side. Each is solved by one thread, so that the answers are those of one by one."""

START_PATIENCE_S = 10.0
"""How long a process may take to be ready: 0.3 s on a quiet machine, on a starved one many times that."""


class SolverProcesses:
    """Runner of `balancer.solver`. Each thread needs its own; close it after use.

    `has_own_group` keeps an interrupt from the terminal away from its processes. Without it they are in the
    group of this process, for who ends them with it.
    """

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        *,
        start_patience_s: Seconds = START_PATIENCE_S,
        has_own_group: bool = True,
    ) -> None:
        self._command = tuple(command)
        self._has_own_group = has_own_group
        self._start_patience_s = start_patience_s
        self._idle: list[_Process] = []

    def prepare(self) -> None:
        """Start a process, so that it loads the solver while something else is done here."""
        if self._idle:
            return
        started = self._started()
        if isinstance(started, _Process):
            self._idle.append(started)

    def run_all(self, tasks: Sequence[Task]) -> list[Reply | Failure]:
        """Solve the tasks, two at a time."""
        if len(tasks) < 2:
            return [self._run(task) for task in tasks]
        with ThreadPoolExecutor(MOST_PROCESSES) as pool:
            return list(pool.map(self._run, tasks))

    def close(self) -> None:
        """End the processes and wait for their end."""
        while self._idle:
            self._idle.pop().end()

    def _run(self, task: Task) -> Reply | Failure:
        process = self._taken()
        if isinstance(process, Failure):
            return process
        answer: Reply | Failure | None = None
        try:
            answer = process.ask(task)
            return answer
        finally:
            if isinstance(answer, Reply):
                self._idle.append(process)
            else:
                process.end()

    def _taken(self) -> "_Process | Failure":
        try:
            return self._idle.pop()
        except IndexError:
            return self._started()

    def _started(self) -> "_Process | Failure":
        try:
            return _Process(
                self._command, self._start_patience_s, has_own_group=self._has_own_group
            )
        except OSError as error:
            detail = f"its process could not be started: {error.strerror or error}"
            return Failure(kind=IncidentKind.UNAVAILABLE, detail=detail)


class _Process:
    """One helper process."""

    def __init__(
        self, command: Sequence[str], start_patience_s: Seconds, *, has_own_group: bool
    ) -> None:
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            process_group=0 if has_own_group else None,
        )
        self._start_patience_s = start_patience_s
        self._is_ready = False
        self._was_given_up = False

    def ask(self, task: Task) -> Reply | Failure:
        """Send a task and wait for the answer. A process that fails is of no use afterwards."""
        if not self._is_ready:
            self._is_ready = self._exchange(b"", self._start_patience_s).endswith(b"\n")
        if not self._is_ready:
            why = "did not get ready in time" if self._was_given_up else self._end_in_words()
            return Failure(kind=IncidentKind.UNAVAILABLE, detail=f"its process {why}")
        line = self._exchange(json.dumps(asdict(task)).encode() + b"\n", task.patience_s)
        if self._was_given_up:
            detail = f"it did not answer within {task.patience_s:.0f} s and was stopped"
            return Failure(kind=IncidentKind.HUNG, detail=detail)
        if not line.endswith(b"\n"):
            detail = f"its process {self._end_in_words()}"
            return Failure(kind=IncidentKind.CRASHED, detail=detail)
        return _read(line)

    def end(self) -> None:
        """Kill the process, which has nothing to lose, and wait for its end."""
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            _close(pipe)

    def _exchange(self, line: bytes, patience_s: Seconds) -> bytes:
        """Write, and read a line; less than a line where the process ends or is stopped meanwhile."""
        alarm = threading.Timer(patience_s, self._give_up)
        alarm.daemon = True
        alarm.start()
        try:
            return self._written_and_read(line)
        except OSError:
            return b""
        finally:
            alarm.cancel()
            alarm.join()

    def _written_and_read(self, line: bytes) -> bytes:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(line)
        self._popen.stdin.flush()
        return self._popen.stdout.readline()

    def _give_up(self) -> None:
        self._was_given_up = True
        self._popen.kill()

    def _end_in_words(self) -> str:
        try:
            code = self._popen.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        if code < 0:
            return f"was ended by signal {-code} ({signal.strsignal(-code)})"
        return f"ended with exit code {code}"


def _read(line: bytes) -> Reply | Failure:
    """Return the answer of a line; whatever is not of its form is a wrong answer."""
    try:
        answer = json.loads(line)
        if "kind" in answer:
            return Failure(kind=IncidentKind(answer["kind"]), detail=str(answer["detail"]))
        values, core = tuple(answer["values"]), tuple(answer["core"])
        if all(type(number) is int for number in (*values, *core)):
            bound = float(answer["bound"])
            return Reply(status=str(answer["status"]), values=values, bound=bound, core=core)
    except (ValueError, TypeError, KeyError):
        pass
    return Failure(kind=IncidentKind.WRONG_ANSWER, detail="its answer cannot be read")


def _close(pipe: IO[bytes] | None) -> None:
    """Close a pipe whose other end may be gone with something still unsent."""
    with suppress(OSError):
        if pipe is not None:
            pipe.close()
