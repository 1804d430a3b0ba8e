"""Commands of the program as people run them: processes of their own, beside a daemon on the same configuration."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.stage import BALANCER, SOURCES


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command said, how it ended, and when (seconds since the epoch)."""

    code: int
    out: str
    err: str
    ended_at: float


def balancer(*words: str | Path, config: Path | None = None, within_s: float = 60.0) -> Ran:
    """Run one command to its end; `config` is given as --config behind the words."""
    given = [*words, "--config", config] if config else list(words)
    done = subprocess.run(
        [str(BALANCER), *map(str, given)],
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCES), "NO_COLOR": "1"},
    )
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr, ended_at=time.time())
