"""Length and cost of schedules on generated clusters. Prints a table, judges nothing.

Run: python -m tests.bench.schedule_bench [HOSTSxVMS ...]
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.assess.need import assess
from balancer.model.need import Holds, Need
from balancer.model.plan import Draft, Schedule
from balancer.plan import PlanSettings, make_draft
from balancer.policy.types import Limits, Policy
from balancer.sequence import make_schedule
from balancer.solver import InProcess, Runner

SIZES = ("16x400", "32x1000", "64x4000", "96x10000")
NO_LIMIT = 10**6
SLOTS = ((2, 4), (4, 16), (8, 32), (8, NO_LIMIT))
"""Migrations of a host and of the cluster: the default, two between, and vCenter's own limit."""


def main(sizes: Sequence[str]) -> None:
    """Print one row per size and pair of limits."""
    say("size      moves  slots      waves  makespan s  over bound  over ideal  cpu s  certified")
    for size in sizes or SIZES:
        hosts, vms = (int(part) for part in size.split("x"))
        need = assess(generate(InventorySpec(hosts=hosts, vms=vms), 1), Policy(), Holds())
        draft = make_draft(need, Policy(), PlanSettings())
        for slots in SLOTS:
            print_row(size, need, draft, slots)


def print_row(size: str, need: Need, draft: Draft, slots: tuple[int, int]) -> None:
    """Schedule a draft under one pair of limits, once plainly and once with the certificate."""
    schedule, seconds = timed(need, draft, slots)
    certified, more = timed(need, draft, slots, certify=InProcess)
    name = f"{slots[0]}/{'-' if slots[1] == NO_LIMIT else slots[1]}"
    waves = max((move.wave for move in schedule.moves), default=0)
    ideal = schedule.makespan_seconds / max(schedule.makespan_ideal_seconds, 1.0)
    proof = "proven" if certified.is_proven else f"{certified.makespan_ratio:.3f}"
    say(
        f"{size:9} {len(schedule.moves):5}  {name:9} {waves:6} {schedule.makespan_seconds:11.0f}"
        f" {schedule.makespan_ratio:11.3f} {ideal:11.3f} {seconds:6.2f}  {proof} in {more:.2f} s"
    )


def timed(
    need: Need, draft: Draft, slots: tuple[int, int], *, certify: Callable[[], Runner] | None = None
) -> tuple[Schedule, float]:
    """Return the schedule and the seconds of process time that it took."""
    limits = replace(
        Limits(),
        migrations_per_host=slots[0],
        migrations_per_cluster=slots[1],
        migrations_per_vcenter=slots[1],
    )
    start = time.process_time()
    schedule = make_schedule(need, Policy(limits=limits), draft, certify=certify)
    return schedule, time.process_time() - start


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
