"""A process that has imported everything and forks one child per case: a life takes a tenth of a second.

Reads requests and writes answers as JSON lines: `start` gives a process id, `wait` how it ended or that it
has stopped. Has no threads of its own, so that forking is sound. Run as `python -m tests.proof.fork_server`.
"""

import gc
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from tests.proof.life import Case, Stock

STOCK = Stock()


def start(case: dict[str, Any]) -> dict[str, object]:
    """Fork a child that lives its case, and return its process id."""
    pid = os.fork()
    if pid:
        return {"pid": pid}
    status = 1
    try:
        gc.disable()
        STOCK.live(Case(**case))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def wait(pid: int) -> dict[str, object]:
    """Wait until a child has ended or stopped."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return {"stopped": True}
    return {"exit": os.waitstatus_to_exitcode(status)}


def warm(case: dict[str, Any]) -> dict[str, object]:
    """Live once, so that what all lives need is ready, and put it out of the collector's sight."""
    STOCK.live(Case(**case))
    gc.collect()
    gc.freeze()
    return {"threads": threading.active_count()}


_DO: dict[str, Callable[[dict[str, Any]], dict[str, object]]] = {
    "warm": lambda ask: warm(ask["case"]),
    "start": lambda ask: start(ask["case"]),
    "wait": lambda ask: wait(ask["pid"]),
}


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        ask = json.loads(line)
        answer = _DO[ask["do"]](ask)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
