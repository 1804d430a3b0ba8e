"""The executor under every fault of the catalogue that a vCenter in memory can express: S2 to S8 hold."""

import logging
from collections.abc import Iterator

import pytest

from tests.proof import machine
from tests.proof.planted import PLANTS, found_after
from tests.proof.sim_exec import play_steps

STEPS = 4_000
PLANT_STEPS = 20_000
QUICKLY_FOUND = (
    "the look before a move is skipped",
    "slots are not counted",
    "a pause is looked at only at the begin of a cycle",
    "the intent is written after the call",
)
"""Some of the planted bugs; `python -m tests.proof.planted` plants all."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_s2_to_s8_hold_after_every_step_whatever_goes_wrong() -> None:
    machine.SEEN.clear()
    play_steps(STEPS, seed=1)

    assert machine.SEEN["steps"] >= STEPS
    assert machine.SEEN["row done"] > 50


@pytest.mark.parametrize("name", QUICKLY_FOUND)
def test_a_planted_bug_is_found(name: str) -> None:
    assert name in PLANTS
    assert found_after(name, PLANT_STEPS) is not None
