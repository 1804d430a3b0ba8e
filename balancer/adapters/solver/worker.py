"""The helper process: says when it is ready, then answers one task a line, standard input to output.

Owns nothing but its own manners: it belongs to its parent, ends with it, and holds no state from one
task to the next. Run by `adapters.solver.processes` as `python -m balancer.adapters.solver.worker`.
"""

import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from typing import BinaryIO

from balancer.solver.here import load, run
from balancer.solver.runner import Task

MOST_ADDRESS_SPACE_BYTES = 2 * 2**30
"""A solver that wants more fails by itself, before the machine does. 420 units on 14 hosts took 0.12 GiB."""

READY = b"ready\n"
"""The first line: from here on the time that passes is the solver's."""

GRACE_S = 2.0
"""The parent ends a task that takes too long; this long after, where the parent is gone, the kernel does."""


def main() -> None:
    """Answer tasks until the input ends."""
    answers = settle_in(MOST_ADDRESS_SPACE_BYTES)
    load()
    answers.write(READY)
    answers.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, request["patience_s"] + GRACE_S)
        answer = run(Task(**request))
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        answers.write(json.dumps(asdict(answer)).encode() + b"\n")
        answers.flush()


def settle_in(most_bytes: int) -> BinaryIO:
    """Leave signals to the parent, dump no core, and keep standard output for answers alone.

    More address space than `most_bytes` is refused, to this process and to those that it starts.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, most_bytes)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return answers


def _limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
