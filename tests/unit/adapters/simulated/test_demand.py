"""Demand follows seed, VM and time, and nothing else."""

from datetime import UTC, datetime

import pytest

from balancer.adapters.simulated.demand import STEADY, DayShape, DemandModel, Wants
from tests.support.builders import vm

MORNING = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
HOUR_S = 3600.0
VMS = [vm(number, 1) for number in range(200)]


def total_mhz(model: DemandModel, elapsed_s: float) -> float:
    return sum(model.at(one, elapsed_s)[0] for one in VMS)


def test_every_vm_starts_with_the_demand_of_its_snapshot() -> None:
    model = DemandModel(1, MORNING, DayShape())
    assert {model.at(one, 0.0) for one in VMS} == {Wants(1000.0, 2048.0)}


def test_the_order_of_calls_changes_nothing() -> None:
    forwards, backwards = (DemandModel(1, MORNING, DayShape()) for _ in range(2))
    moments = [600.0, 7200.0, 90_000.0]
    there = {(one.id, t): forwards.at(one, t) for t in moments for one in VMS}
    back = {(one.id, t): backwards.at(one, t) for t in reversed(moments) for one in reversed(VMS)}
    assert there == back


def test_another_seed_gives_other_demand() -> None:
    one, two = (DemandModel(seed, MORNING, DayShape()) for seed in (1, 2))
    assert one.at(VMS[0], HOUR_S) != two.at(VMS[0], HOUR_S)


def test_most_vms_want_more_at_noon_than_in_the_morning() -> None:
    model = DemandModel(1, MORNING, DayShape(noise=0.0, burst=0.0))
    assert total_mhz(model, 5 * HOUR_S) > 1.05 * total_mhz(model, 0.0)


def test_a_steady_load_never_changes() -> None:
    model = DemandModel(1, MORNING, STEADY)
    assert total_mhz(model, 9 * HOUR_S) == total_mhz(model, 0.0)


def test_a_burst_multiplies_demand_for_its_half_hour() -> None:
    model = DemandModel(1, MORNING, DayShape(amplitude=0.0, noise=0.0, burst=0.05))
    factors = {model.at(one, HOUR_S)[0] / 1000.0 for one in VMS}
    assert min(factors) == 1.0
    assert 1.5 <= max(factors) <= 2.5


def test_no_vm_wants_more_than_all_its_processors() -> None:
    busy = [vm(number, 1, vcpus=1, cpu_demand_mhz=2500.0) for number in range(200)]
    model = DemandModel(1, MORNING, DayShape(burst=0.5))
    assert max(model.at(one, HOUR_S)[0] for one in busy) == pytest.approx(2600.0)


def test_active_memory_never_exceeds_what_the_vm_holds() -> None:
    full = [vm(number, 1, memory_active_mib=4000.0) for number in range(100)]
    model = DemandModel(1, MORNING, DayShape(amplitude=0.9))
    assert max(model.at(one, 6 * HOUR_S)[1] for one in full) <= 4096.0
