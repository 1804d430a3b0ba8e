"""What planning in a process costs: `python -m tests.bench.planning [HOSTS VMS]`, else both sizes of the page.

For each size: a plan by `plan_snapshot` in this process, by a process that has to be started, and by a warm one;
and what the warm one held and had addressed at its peak.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from balancer.adapters.clock import SystemClock
from balancer.adapters.planning import Caps, PlanningProcesses
from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.adapters.solver import SolverProcesses
from balancer.model.plan import Plan
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.leftovers import children
from tests.support.process_tree import taken_by

SIZES = ((32, 1_000), (100, 5_000))
CAPS = Caps(memory_mib=2_048, patience_s=600.0, processes=1)


def main(hosts: int, vms: int) -> None:
    """Measure one size and print it."""
    snapshot = generate(InventorySpec(hosts=hosts, vms=vms), 3)
    settings = PlanSettings(open_solver=SolverProcesses)
    write(f"{hosts} hosts, {vms} VMs")
    timed("in this process", lambda: plan_snapshot(snapshot, Policy(), settings=settings))
    with closing(PlanningProcesses(CAPS, SystemClock())) as planning:
        for which in ("in a new process", "in a warm process"):
            timed(which, lambda: planning.plan(snapshot, Policy(), settings=settings))
        for child in children():
            write(f"  the process: {peaks(child)}")


def timed(what: str, plan: Callable[[], Plan]) -> None:
    """Make a plan, and print how long it took."""
    begun, used_s = time.perf_counter(), taken_by(os.getpid()).cpu_s
    moves = len(plan().moves)
    passed_s, used_s = time.perf_counter() - begun, taken_by(os.getpid()).cpu_s - used_s
    write(f"  {what:18} {passed_s:6.2f} s, {used_s:5.2f} s of a core, {moves} moves")


def peaks(process: str) -> str:
    """Return what a process has taken at most and takes now."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    known = {line.partition(":")[0]: line.split()[1] for line in status if line.endswith(" kB")}
    wanted = {"VmHWM": "resident at most", "VmPeak": "addressed at most", "VmRSS": "resident now"}
    return ", ".join(f"{words} {int(known[key]) // 1024} MiB" for key, words in wanted.items())


def write(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    for size in [(given[0], given[1])] if given else SIZES:
        main(*size)
