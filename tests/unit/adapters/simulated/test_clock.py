"""Virtual time moves only while somebody sleeps."""

import pytest

from balancer.adapters.simulated.clock import VirtualClock
from tests.support.builders import NOON


def test_a_sleep_moves_virtual_time_at_once() -> None:
    clock = VirtualClock(NOON)
    clock.sleep(90.0)
    assert clock.monotonic() == pytest.approx(90.0)
    assert (clock.now() - NOON).total_seconds() == pytest.approx(90.0)


def test_a_paced_sleep_waits_its_fraction_in_small_steps() -> None:
    pauses: list[float] = []
    clock = VirtualClock(NOON, speed=60.0, pause=pauses.append)
    clock.sleep(30.0)
    assert sum(pauses) == pytest.approx(0.5)
    assert max(pauses) <= 0.1
    assert clock.monotonic() == pytest.approx(30.0)


def test_time_never_goes_back() -> None:
    clock = VirtualClock(NOON)
    clock.sleep(-5.0)
    assert clock.monotonic() == 0.0


def test_a_speed_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        VirtualClock(NOON, speed=0.0)
