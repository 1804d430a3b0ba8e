"""When contention and imbalance call for action: above the trigger, for long enough, or gravely."""

from dataclasses import replace

import pytest

from balancer.assess.need import assess
from balancer.model.decision import Answer
from balancer.model.goal import Goal
from balancer.model.need import Holds, Need
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.model.vm import Profile
from balancer.policy.types import (
    DemandReading,
    MemoryMetric,
    Policy,
    Statistic,
    Thresholds,
    TriggerRules,
)
from tests.support.builders import host, snapshot, vm

STEP_S = 300.0


def two_hosts(*first: float, now: float = 18_000.0, other: float = 1000.0) -> Snapshot:
    """Return two hosts of 20,000 MHz; the first wanted `first` over the last steps and wants `now`."""
    hosts = [
        host(1, recent_cpu_mhz=first, recent_memory_mib=(2048.0,) * len(first)),
        host(2, recent_cpu_mhz=(other,) * len(first), recent_memory_mib=(2048.0,) * len(first)),
    ]
    vms = [vm(1, on=1, cpu_demand_mhz=now), vm(2, on=2, cpu_demand_mhz=other)]
    return replace(snapshot(hosts, vms), recent_step_seconds=STEP_S)


def need_of(snap: Snapshot, **trigger: object) -> Need:
    return assess(snap, Policy(trigger=TriggerRules(**trigger)), Holds())


@pytest.mark.parametrize(
    ("past", "answer"),
    [
        ((), Answer.ACTS),
        ((18e3, 18e3), Answer.ACTS),
        ((1e3, 18e3, 18e3), Answer.ACTS),
        ((18e3, 1e3, 18e3), Answer.NOT_SUSTAINED),
        ((1e3, 18e3), Answer.NOT_SUSTAINED),
        ((18e3,), Answer.NOT_SUSTAINED),
    ],
    ids=["nothing remembered", "twice", "both that count", "a dip", "a peak", "one look so far"],
)
def test_a_host_is_relieved_when_it_was_short_in_most_of_the_last_looks(
    past: tuple[float, ...], answer: Answer
) -> None:
    need = need_of(two_hosts(*past))
    assert need.contention.answer is answer
    assert need.wants_relief is (answer is Answer.ACTS)


def test_a_grave_overload_needs_one_look() -> None:
    need = need_of(two_hosts(1e3, 1e3, now=20_100.0))
    assert (need.contention.answer, need.wants_relief) == (Answer.GRAVE, True)
    assert need_of(two_hosts(1e3, 1e3, now=20_100.0), grave=1.1).wants_relief is False


def test_a_reading_tells_its_figures() -> None:
    reading = need_of(two_hosts(10e3, 18e3)).contention
    assert (reading.host, reading.resource, reading.now) == ("host-1", "cpu", 0.9)
    assert (reading.looks_over, reading.looks, reading.looks_needed) == (1, 2, 2)
    assert (reading.recent, reading.span_s, reading.sustained) == (pytest.approx(0.7), 600.0, 0.5)


def test_waiting_for_nothing_looks_at_no_past() -> None:
    need = need_of(two_hosts(1e3, 1e3), contention_sustained_s=0.0, balance_sustained_s=0.0)
    assert (need.wants_relief, need.wants_balance) == (True, True)
    assert (need.contention.looks, need.balance.looks) == (0, 0)


def test_a_longer_time_asks_for_more_looks() -> None:
    past = (18e3,) * 4
    assert need_of(two_hosts(*past), contention_sustained_s=1500.0).contention.looks_needed == 3
    assert need_of(two_hosts(*past), contention_sustained_s=1500.0).wants_relief
    assert not need_of(two_hosts(*past), contention_sustained_s=3000.0).wants_relief


def test_vms_of_a_host_that_waits_are_left_alone_and_told_why() -> None:
    need = need_of(two_hosts(1e3, 18e3))
    refusal = need.holds.excludes(VmId("vm-1"), Goal.CONTENTION)
    assert refusal is not None
    assert refusal.reason is Reason.NOT_SUSTAINED
    assert refusal.detail == (
        "esx1 at 90 % of its CPU, relieved above 85 %: so in 1 of 2 looks, 2 needed"
    )
    assert need.holds.excludes(VmId("vm-2"), Goal.CONTENTION) is None


def test_a_host_that_calls_is_named_before_a_fuller_one_that_waits() -> None:
    hosts = [
        host(1, recent_cpu_mhz=(1e3, 1e3)),
        host(2, recent_cpu_mhz=(17.5e3, 17.5e3)),
        host(3, recent_cpu_mhz=(0.0, 0.0)),
    ]
    vms = [vm(1, on=1, cpu_demand_mhz=19e3), vm(2, on=2, cpu_demand_mhz=17.5e3)]
    need = need_of(replace(snapshot(hosts, vms), recent_step_seconds=STEP_S))
    assert (need.contention.host, need.contention.answer) == ("host-2", Answer.ACTS)
    assert need.holds.excludes(VmId("vm-1"), Goal.CONTENTION) is not None
    assert need.holds.excludes(VmId("vm-2"), Goal.CONTENTION) is None


def test_memory_counts_by_how_much_more_was_active() -> None:
    """The host holds 93,000 MiB of demand; 2,000 MiB less were active before: below the 92 %."""
    facts = {"memory_mib": 93e3, "memory_consumed_mib": 93e3, "memory_active_mib": 93e3}
    for less, wants in ((0.0, True), (2e3, False)):
        past = {"recent_cpu_mhz": (1e3, 1e3), "recent_memory_mib": (93e3 - less,) * 2}
        snap = snapshot([host(1, **past), host(2, **past)], [vm(1, on=1, **facts)])
        need = need_of(replace(snap, recent_step_seconds=STEP_S))
        assert (need.contention.resource, need.wants_relief) == ("memory", wants)


def test_the_past_is_read_by_the_policys_statistic() -> None:
    snap = two_hosts(15e3, 15e3, now=15e3)
    vms = tuple(replace(one, cpu_demand_stddev_mhz=1500.0) for one in snap.vms)
    policy = Policy(
        demand=DemandReading(statistic=Statistic.P95), memory_metric=MemoryMetric.ACTIVE
    )
    need = assess(replace(snap, vms=vms), policy, Holds())
    assert need.contention.looks_over == 2
    assert need.contention.recent == pytest.approx((15e3 + 1.6449 * 1500 + 2 * 1500) / 20e3)


def forecast(**trigger: object) -> Need:
    snap = two_hosts(1e3, 1e3, now=1e3)
    peak = Profile(cpu_demand_mhz=(1e3, 18e3, 18e3, 18e3))
    vms = tuple(replace(one, profile=peak) if one.id == "vm-1" else one for one in snap.vms)
    return need_of(replace(snap, vms=vms, profile_slot_seconds=900.0), **trigger)


def test_what_a_forecast_expects_to_last_needs_no_past() -> None:
    assert (forecast().contention.answer, forecast().wants_relief) == (Answer.FORESEEN, True)
    assert forecast(foreseen=False).contention.answer is Answer.NOT_SUSTAINED


@pytest.mark.parametrize(
    ("past", "now", "answer"),
    [
        ((12e3, 12e3), 12e3, Answer.ACTS),
        ((1e3, 12e3), 12e3, Answer.NOT_SUSTAINED),
        ((12e3, 12e3), 2.5e3, Answer.IN_BAND),
        ((12e3, 12e3), 1e3, Answer.BELOW_TRIGGER),
    ],
    ids=["lasting", "a moment", "between target and trigger", "level"],
)
def test_balance_is_sought_when_the_imbalance_lasts(
    past: tuple[float, ...], now: float, answer: Answer
) -> None:
    need = need_of(two_hosts(*past, now=now))
    assert need.balance.answer is answer
    assert need.wants_balance is (answer is Answer.ACTS)


@pytest.mark.parametrize(
    ("floor", "answer"), [(0.6, Answer.CALM), (0.59, Answer.ACTS)], ids=["at it", "above it"]
)
def test_an_imbalance_of_hosts_that_are_all_calm_is_left_alone(
    floor: float, answer: Answer
) -> None:
    policy = Policy(thresholds=Thresholds(balance_floor=floor))
    need = assess(two_hosts(now=12e3), policy, Holds())
    assert (need.balance.answer, need.wants_balance) == (answer, answer is Answer.ACTS)


def test_a_host_of_which_nothing_is_remembered_was_as_it_is() -> None:
    hosts = [host(1), host(2, recent_cpu_mhz=(0.0, 0.0), recent_memory_mib=(0.0, 0.0))]
    snap = snapshot(hosts, [vm(1, on=1, cpu_demand_mhz=18e3)])
    assert need_of(replace(snap, recent_step_seconds=STEP_S)).contention.looks_over == 2
