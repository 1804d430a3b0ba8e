"""Time and quality of the planner on generated clusters. Prints a table, judges nothing.

Run: python -m tests.bench.plan_bench [HOSTSxVMS ...]
"""

import sys
import time
from collections.abc import Sequence

from balancer.adapters.simulated.inventory import InventorySpec, generate
from balancer.assess.need import assess
from balancer.assess.state import measure
from balancer.model.need import Holds, Need
from balancer.model.plan import Draft, State
from balancer.model.snapshot import Snapshot
from balancer.plan import PlanSettings, make_draft
from balancer.policy.types import Policy
from balancer.rules.placement import Ground, Placement
from tests.support.replay import replayed

SIZES = ("8x100", "16x400", "32x1000", "64x4000", "96x10000")
POLICY = Policy()


def main(sizes: Sequence[str]) -> None:
    """Print one row per size."""
    say("size      seed  moves  seconds  again  cpu std        mem std        broken  stages")
    for size in sizes or SIZES:
        hosts, vms = (int(part) for part in size.split("x"))
        for seed in (1, 2, 3):
            print_row(size, seed, generate(InventorySpec(hosts=hosts, vms=vms), seed))


def print_row(size: str, seed: int, snapshot: Snapshot) -> None:
    """Plan, replay, plan again, and print what came of it."""
    need = assess(snapshot, POLICY, Holds())
    draft, seconds = timed(need)
    after = replayed(snapshot, draft.moves)
    again, _ = timed(assess(after, POLICY, Holds()))
    old, new = state_of(snapshot), state_of(after)
    stages = " ".join(f"{name} {lap:.2f}" for name, lap in draft.stage_seconds.items())
    say(
        f"{size:9} {seed:4} {len(draft.moves):6} {seconds:8.2f} {len(again.moves):6}"
        f"  {old.cpu.stddev:.3f} -> {new.cpu.stddev:.3f}"
        f"  {old.memory.stddev:.3f} -> {new.memory.stddev:.3f}"
        f"  {old.broken_must_rules} -> {new.broken_must_rules}  {stages}"
    )


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def timed(need: Need) -> tuple[Draft, float]:
    """Return the draft and the seconds it took."""
    start = time.perf_counter()
    draft = make_draft(need, POLICY, PlanSettings())
    return draft, time.perf_counter() - start


def state_of(snapshot: Snapshot) -> State:
    """Return the measured state of a snapshot."""
    need = assess(snapshot, POLICY, Holds())
    return measure(Placement(Ground(snapshot, POLICY, need.demand)))


if __name__ == "__main__":
    main(sys.argv[1:])
