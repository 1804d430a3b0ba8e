"""Runs the executor's state machine for so many steps, and says what it has seen.

`python -m tests.proof.sim_exec [STEPS [SEED]]` (200,000) prints how often each rule was applied and each fault
struck; exit code 1 where a promise was broken, with the steps that broke it.
"""

import logging
import sys
import time

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.machine import SEEN, ExecutorMachine

STEPS_IN_A_RUN = 60


def play_steps(steps: int, *, seed: int, shrink: bool = False) -> None:
    """Run the machine until so many steps are done, in rounds with seeds that follow each other."""
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    while SEEN["steps"] < steps:
        seed += 1
        machine = seeded(seed)(type("ExecutorMachine", (ExecutorMachine,), {}))
        law = settings(
            max_examples=min(200, 1 + (steps - SEEN["steps"]) // STEPS_IN_A_RUN),
            stateful_step_count=STEPS_IN_A_RUN,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=phases,
        )
        run_state_machine_as_test(machine, settings=law)


def coverage() -> str:
    """Return how often each rule was applied and each fault struck, as a table in Markdown."""
    lines = ["| what happened | times |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {SEEN[name]:,} |" for name in sorted(SEEN))])


def main(words: list[str]) -> int:
    """Run, and print the coverage."""
    logging.disable(logging.CRITICAL)
    steps = int(words[0]) if words else 200_000
    begun_s = time.monotonic()
    play_steps(steps, seed=int(words[1]) if len(words) > 1 else 0)
    took_s = time.monotonic() - begun_s
    sys.stdout.write(f"{coverage()}\n\n{SEEN['steps']:,} steps in {took_s:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
