"""The other end of the fork server: starts lives, waits for their ends, lets frozen ones go on."""

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.proof.life import Case

ROOT = Path(__file__).resolve().parents[2]
END_WITHIN_S = 60.0


class Forks:
    """A fork server, started when it is first asked; leaving the context ends it."""

    def __init__(self, errors: Path) -> None:
        self._errors = errors
        self._process: subprocess.Popen[str] | None = None

    def warm(self, case: Case) -> None:
        """Let the server do once what all lives would do: read what seldom changes."""
        answer = self._ask({"do": "warm", "case": asdict(case)})
        assert answer["threads"] == 1, "the fork server must not have threads"

    def start(self, case: Case) -> int:
        """Start a life; return its process id."""
        return int(self._ask({"do": "start", "case": asdict(case)})["pid"])

    def wait(self, pid: int) -> str:
        """Wait until a life has ended or stopped; return `stopped`, `killed`, or `exit N`."""
        answer = self._ask({"do": "wait", "pid": pid})
        if "stopped" in answer:
            return "stopped"
        code = int(answer["exit"])
        return "killed" if code == -signal.SIGKILL else f"exit {code}"

    def go_on(self, pid: int) -> None:
        """Let a stopped life go on."""
        os.kill(pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            _pipe(self._process.stdin).close()
            self._process.wait(END_WITHIN_S)
            _pipe(self._process.stdout).close()

    def _started(self) -> "subprocess.Popen[str]":
        with self._errors.open("w", encoding="utf-8") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.proof.fork_server"],
                cwd=ROOT,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def _ask(self, ask: dict[str, Any]) -> dict[str, Any]:
        self._process = self._process or self._started()
        stdin, stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        stdin.write(json.dumps(ask) + "\n")
        stdin.flush()
        ready, _, _ = select.select([stdout], [], [], END_WITHIN_S)
        if not ready:
            self._process.kill()
            raise TimeoutError(f"no answer within {END_WITHIN_S:.0f} s to {ask}")
        answer: dict[str, Any] = json.loads(stdout.readline())
        return answer


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None, "the process was started with pipes"
    return stream
