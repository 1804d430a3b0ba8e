"""Predicted durations are corrected by the migrations that finished, and chance alone changes nothing."""

import pytest

from balancer.model.pace import MODEL
from tests.simulation.durations import SCENES, error_after, learnt_after, trips

FEW = range(8)
SLOW = [name for name in SCENES if "3 times" in name or "same" in name]
CHANCE = [name for name in SCENES if "model says" in name]


@pytest.mark.parametrize("name", SLOW)
def test_after_twenty_migrations_predictions_are_within_a_tenth(name: str) -> None:
    truth, pair = SCENES[name]
    assert error_after(truth, 0, pair=pair, seeds=FEW) > 1.0
    assert error_after(truth, 20, pair=pair, seeds=FEW) < 0.10


@pytest.mark.parametrize("name", CHANCE)
def test_what_is_learnt_of_chance_makes_predictions_no_worse(name: str) -> None:
    truth, pair = SCENES[name]
    before = error_after(truth, 0, pair=pair, seeds=FEW)
    assert error_after(truth, 20, pair=pair, seeds=FEW) < before * 1.05


def test_the_other_pairs_keep_their_predictions() -> None:
    truth, _ = SCENES["pair 1-2 takes 3 times as long, chance 10 %"]
    before = error_after(truth, 0, pair=(3, 4), seeds=FEW)
    assert error_after(truth, 20, pair=(3, 4), seeds=FEW) < before * 1.05


def test_what_was_learnt_does_not_add_up_as_it_is_learnt_again() -> None:
    truth, _ = SCENES["pair 1-2 takes 3 times as long, chance 5 %"]
    trip = next(trips(truth, 1, pair=(1, 2)))
    late = learnt_after(truth, 1, 60)
    assert late.of(trip.source, trip.target) == pytest.approx(3.0, rel=0.1)
    assert MODEL.of(trip.source, trip.target) == 1.0
