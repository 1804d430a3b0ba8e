"""Commands of the program as people type them, beside a daemon that is a process of its own.

They run in the process of the test: an interpreter that starts and imports everything for each of them costs more
than what they do. The guides (`test_guides_wire`) run them as processes.
"""

import io
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from balancer.cli.app import Session, run_command_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command said, how it ended, and when (seconds since the epoch)."""

    code: int
    out: str
    err: str
    ended_at: float


def balancer(*words: str | Path, config: Path | None = None) -> Ran:
    """Run one command to its end; `config` is given as --config behind the words."""
    given = [*words, "--config", config] if config else list(words)
    out, err = _page(), _page()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_command_line([str(word) for word in given], Session())
    ended_at = time.time()
    return Ran(code=code, out=_text(out), err=_text(err), ended_at=ended_at)


def _page() -> io.TextIOWrapper:
    """Return a stream in memory that takes text and, as a real one, bytes below it."""
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


def _text(page: io.TextIOWrapper) -> str:
    page.flush()
    page.seek(0)
    return page.read()
