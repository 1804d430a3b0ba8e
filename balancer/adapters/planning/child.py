"""One process that plans, seen from the daemon: started, asked, killed.

Owns its life and what its end means. A child that fails in any way but a clean answer is of no use afterwards.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from balancer.adapters.planning.letters import READY, Answer, Ending, Question, packed
from balancer.model.errors import PlanInvalid, PlanningFailed, PlanningTimedOut
from balancer.model.plan import Plan
from balancer.model.units import Seconds

START_PATIENCE_S: Seconds = 60.0
"""How long a process may take to be ready: 1 s on a quiet machine, on a starved one many times that."""

MOST_LAST_WORDS_BYTES = 2_000

Reader = Callable[[IO[bytes]], object]
_DEAD = ("a bug, or a broken installation", "the machine or its container ran out of memory")


class Child:
    """One process. In a group of its own with its solvers, so that all of them can be ended at once."""

    def __init__(self, command: Sequence[str], *, memory_mib: int) -> None:
        self._memory_mib = memory_mib
        self._last_words = os.memfd_create("last words")
        try:
            self._popen = _started((*command, str(memory_mib)), self._last_words)
        except OSError:
            os.close(self._last_words)
            raise
        self._is_ready = False
        self._was_given_up = False

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._popen.poll() is None

    def ask(self, question: Question) -> Plan:
        """Return the plan.

        Raises:
            PlanInvalid: the plan did not pass the independent check.
            PlanningTimedOut: there was no plan within the patience.
            PlanningFailed: the process crashed, ran out of memory or met a bug.
        """
        if not self._is_ready:
            self._is_ready = self._exchange(b"", START_PATIENCE_S, _ready_line) == READY
        if not self._is_ready:
            raise self._why_not(START_PATIENCE_S, "getting ready to plan")
        answer = self._exchange(packed(question), question.patience_s, _letter)
        if not isinstance(answer, Answer):
            raise self._why_not(question.patience_s, "planning")
        return self._plan_of(answer)

    def _plan_of(self, answer: Answer) -> Plan:
        if answer.plan is not None:
            return answer.plan
        if answer.ending is Ending.UNSOUND:
            raise PlanInvalid(answer.detail)
        if answer.ending is Ending.OUT_OF_MEMORY:
            raise PlanningFailed(
                f"planning needed more than {self._memory_mib} MiB of memory; "
                "raise planning.memory_mib if the machine has more"
            )
        raise PlanningFailed(
            f"planning met a bug of ours: {answer.detail}", traceback=answer.traceback
        )

    def kill(self) -> None:
        """End the process and its solvers now; may be called from any thread, and while it is asked."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill, wait for the end, and hold nothing more."""
        self.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(OSError):  # its other end may be gone with something still unsent
                if pipe is not None:
                    pipe.close()
        os.close(self._last_words)

    def _exchange(self, letter: bytes, patience_s: Seconds, read: Reader) -> object:
        """Write, and read; None where the process ends or is stopped meanwhile."""
        alarm = threading.Timer(patience_s, self._give_up)
        alarm.daemon = True
        alarm.start()
        try:
            return self._written_and_read(letter, read)
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        finally:
            alarm.cancel()
            alarm.join()

    def _written_and_read(self, letter: bytes, read: Reader) -> object:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(letter)
        self._popen.stdin.flush()
        return read(self._popen.stdout)

    def _give_up(self) -> None:
        self._was_given_up = True
        self.kill()

    def _why_not(self, patience_s: Seconds, doing: str) -> PlanningFailed:
        if self._was_given_up:
            return PlanningTimedOut(
                f"{doing} took more than {patience_s:g} s, and its process was ended; raise "
                "planning.patience_s if the machine is slow, else report it"
            )
        try:
            code = self._popen.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return PlanningFailed(f"{doing}: its process stopped answering")
        words = self._words()
        if code < 0:
            why = _DEAD[1] if -code == signal.SIGKILL else _DEAD[0]
            name = signal.strsignal(-code)
            return PlanningFailed(
                f"{doing}: its process was ended by signal {-code} ({name}): {why}",
                signal=-code,
                last_words=words,
            )
        return PlanningFailed(
            f"{doing}: its process ended with exit code {code}: {_DEAD[0]}",
            exit_code=code,
            last_words=words,
        )

    def _words(self) -> str:
        """Return the end of what the process wrote to its standard error."""
        size = os.fstat(self._last_words).st_size
        begin = max(0, size - MOST_LAST_WORDS_BYTES)
        return os.pread(self._last_words, MOST_LAST_WORDS_BYTES, begin).decode("utf-8", "replace")


def _started(command: Sequence[str], last_words: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=last_words,
        env=_environment(),
        process_group=0,
    )


def _ready_line(pipe: IO[bytes]) -> object:
    return pipe.readline()


def _letter(pipe: IO[bytes]) -> object:
    return pickle.load(pipe)


def _environment() -> dict[str, str]:
    """Return our environment: the same modules, and no threads for the algebra of small arrays.

    OpenBLAS starts a thread per core and keeps address space for each, which counts against the cap.
    """
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
