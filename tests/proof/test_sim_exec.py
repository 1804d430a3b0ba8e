"""The executor under every fault of the catalogue that a vCenter in memory can express: S2 to S8 hold."""

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.machine import ExecutorMachine

EXAMPLES, STEPS = 60, 50


def test_s2_to_s8_hold_after_every_step_whatever_goes_wrong() -> None:
    law = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    run_state_machine_as_test(ExecutorMachine, settings=law)
