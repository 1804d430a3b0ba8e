"""Processes that plan as they are told, for the tests of whatever asks one."""

import sys

from balancer.adapters.planning import Caps

CAPS = Caps(memory_mib=2_048, patience_s=60.0, processes=2)

SCRIPTED = """
import balancer.adapters.planning.worker as worker
def planned(snapshot, policy, **more):
    {script}
worker.plan_snapshot = planned
worker.main()
"""


def child(script: str) -> tuple[str, ...]:
    """Return the command of a process that runs some statements where a plan is asked for."""
    return (sys.executable, "-c", SCRIPTED.format(script=script.replace("\n", "\n    ")))


SEGFAULT = child("import ctypes; ctypes.string_at(0)")
EXIT = child("import os; os._exit(3)")
KILLED = child("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
HANG = child("while True: pass")
HUNGRY = child("return bytearray(10**12)")
BUG = child("return snapshot.no_such_thing")
UNSOUND = child(
    "from balancer.model.errors import PlanInvalid\nraise PlanInvalid('it breaks a law')"
)
GARBLE = (
    sys.executable,
    "-c",
    "import sys, pickle; print('ready', flush=True); pickle.load(sys.stdin.buffer); print('no')",
)
UNREADY = (sys.executable, "-c", "raise SystemExit(4)")
MISSING = ("/no/such/program",)
