"""A load that turns against every batch is stopped within five of them; one that is only lively is not (S9)."""

import pytest

from balancer.model.past import VerdictResult
from tests.simulation.verdicts import (
    Load,
    World,
    adverse,
    batches_until_stopped,
    honest_days,
    useless,
)

MOST_BATCHES = 5


@pytest.mark.timeout(300)
@pytest.mark.parametrize("interval_s", [120.0, 300.0])
@pytest.mark.parametrize("seed", range(2))
def test_s9_a_load_that_turns_against_us_is_stopped_within_five_batches(
    seed: int, interval_s: float
) -> None:
    count = batches_until_stopped(adverse, seed, interval_s)
    assert count is not None
    assert count <= MOST_BATCHES


@pytest.mark.parametrize("seed", range(2))
def test_s9_moves_that_bring_nothing_of_what_they_promised_are_stopped(seed: int) -> None:
    assert batches_until_stopped(useless, seed, 300.0) is not None


@pytest.mark.parametrize("load", [adverse(7)], ids=["adverse"])
def test_s9_once_stopped_nothing_is_sent_until_somebody_acknowledges(load: Load) -> None:
    world = World(seed=7, load=load)
    while not world.is_observed():
        world.cycle()
    sent = len(world.past.rows)
    for _ in range(12):
        world.cycle()
    assert len(world.past.rows) == sent
    cluster = world.start.cluster.id
    assert world.store.acknowledge_verdicts("vc1", cluster, by="ana", at=world.clock.now()) >= 3
    assert not world.is_observed()


def test_a_day_of_lively_load_is_judged_batch_by_batch_and_stops_nothing() -> None:
    day = honest_days(1, 1.0)
    assert day.batches > 0
    assert sum(day.results.values()) == day.batches
    assert day.results[VerdictResult.BETTER] > 0
    assert not day.is_observed
