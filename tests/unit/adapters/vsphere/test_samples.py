"""From the server's csv to figures: gaps, negatives, ages, units, sizes of batches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyVmomi import vim

from balancer.adapters.vsphere.batches import FIRST_SIZE, FORGIVEN_AFTER, LARGEST_SIZE, BatchSize
from balancer.adapters.vsphere.counters import (
    Counter,
    Meter,
    catalogue_from,
    scaling,
)
from balancer.adapters.vsphere.figures import (
    Freshness,
    freshness,
    host_with,
    p95_and_max,
    vm_with,
)
from balancer.adapters.vsphere.samples import Row, Samples, samples_from
from balancer.model.units import VmId
from tests.support import builders

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PERF: Any = vim.PerformanceManager
DEMAND = Meter(key=7, counter=Counter.CPU_DEMAND, factor=1.0)
CLOCK = "20,2026-11-22T11:59:20Z,20,2026-11-22T11:59:40Z,20,2026-11-22T12:00:00Z"


def answer(clock: str, *series: tuple[str, str, str]) -> Row:
    return Row(entity="vm-1", clock=clock, series=list(series))


@pytest.mark.parametrize(
    ("text", "values", "faults"),
    [
        pytest.param("1,2,3", (1, 2, 3), {}, id="all measured"),
        pytest.param("1,-1,3", (1, None, 3), {"negative": 1}, id="no sample"),
        pytest.param("1,,3", (1, None, 3), {"gap": 1}, id="a gap"),
        pytest.param("1,x,nan", (1, None, None), {"unreadable": 2}, id="no numbers"),
        pytest.param("1,nan,3", (1, None, 3), {"unreadable": 1}, id="one that is no number"),
        pytest.param("1,inf,3", (1, None, 3), {"unreadable": 1}, id="one without an end"),
        pytest.param("007,1.5,3", (7, 1.5, 3), {}, id="numbers in other forms"),
        pytest.param("1,2", (None,) * 3, {"gap": 3}, id="too short: which one is missing?"),
        pytest.param("1,2,3,4", (None,) * 3, {"gap": 3}, id="too long"),
        pytest.param("", (None,) * 3, {"gap": 3}, id="nothing"),
    ],
)
def test_values_are_read_or_counted(text: str, values: Any, faults: dict[str, int]) -> None:
    samples = samples_from(answer(CLOCK, ("7", "", text)), {"7": DEMAND})
    assert samples.series[Counter.CPU_DEMAND] == values
    assert samples.faults == faults


def test_only_the_aggregate_of_known_counters_counts() -> None:
    entity = answer(CLOCK, ("7", "0", "9,9,9"), ("8", "", "9,9,9"), ("7", "", "1,2,3"))
    assert samples_from(entity, {"7": DEMAND}).series == {Counter.CPU_DEMAND: (1, 2, 3)}


@pytest.mark.parametrize(
    "clock",
    ["", "20", "20,x", "x,2026-11-22T12:00:00Z", "20,2026-11-22T12:00:00Z,20", "0,2026-11-22"],
)
def test_a_clock_that_cannot_be_read_gives_no_samples(clock: str) -> None:
    samples = samples_from(answer(clock, ("7", "", "1")), {"7": DEMAND})
    assert samples.times == ()
    assert samples.newest_at is None
    assert freshness(samples, NOON) is Freshness.NONE


@given(clock=st.text(max_size=40), text=st.text("0123456789,-.xe \u0660", max_size=40))
def test_no_text_of_a_server_raises_or_makes_a_negative_figure(clock: str, text: str) -> None:
    for given_clock in (clock, CLOCK):
        samples = samples_from(answer(given_clock, ("7", "", text)), {"7": DEMAND})
        read = vm_with(builders.vm(1, on=1), samples, NOON)
        assert read.cpu_demand_mhz is None or read.cpu_demand_mhz >= 0


def samples(age_s: float = 0.0, **series: tuple[float | None, ...]) -> Samples:
    """Return samples of 20 s, the newest `age_s` old."""
    count = max(map(len, series.values()))
    times = tuple(NOON - timedelta(seconds=age_s + 20 * n) for n in reversed(range(count)))
    named = {Counter[name]: values for name, values in series.items()}
    return Samples(id="vm-1", times=times, intervals_s=(20.0,) * count, series=named)


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [(0, "fresh"), (120, "fresh"), (121, "stale"), (-60, "fresh"), (-61, "ahead")],
)
def test_the_newest_sample_tells_the_age(age_s: float, expected: str) -> None:
    assert freshness(samples(age_s, CPU_DEMAND=(1.0, 2.0, 3.0)), NOON) == expected


def test_a_sample_without_any_value_is_not_the_newest() -> None:
    assert samples(CPU_DEMAND=(1.0, 2.0, None)).newest_at == NOON - timedelta(seconds=20)


def test_means_and_newest_values_become_the_figures() -> None:
    found = samples(
        CPU_DEMAND=(1_000.0, 2_000.0, 3_000.0),
        CPU_READY=(400.0, 800.0, 1_200.0),
        MEM_ACTIVE=(100.0, None, 300.0),
        MEM_CONSUMED=(1_000.0, 2_000.0, None),
        MEM_OVERHEAD=(10.0, 20.0, 30.0),
        MEM_BALLOON=(1.0, 2.0, 3.0),
    )
    vm = vm_with(builders.vm(1, on=1, vcpus=2, memory_granted_mib=77.0), found, NOON)
    assert (vm.cpu_demand_mhz, vm.cpu_demand_stddev_mhz) == (2_000, 1_000)
    assert (vm.cpu_demand_p95_mhz, vm.cpu_demand_max_mhz) == (3_000, 3_000)
    assert vm.cpu_ready_percent == pytest.approx(2.0)  # 800 ms of 20 s on two vCPUs
    assert (vm.memory_active_mib, vm.memory_ballooned_mib) == (200, 3)
    assert vm.memory_consumed_mib == 2_020
    assert vm.memory_granted_mib == 77.0
    assert (vm.id, vm.sampled_at) == (VmId("vm-1"), NOON)


def test_what_no_counter_gives_stays_what_quick_stats_said() -> None:
    before = builders.vm(1, on=1, cpu_demand_mhz=5.0, memory_active_mib=6.0, cpu_ready_percent=7.0)
    after = vm_with(before, samples(MEM_CONSUMED=(1.0, 1.0, 1.0)), NOON)
    assert (after.cpu_demand_mhz, after.memory_active_mib) == (5.0, 6.0)
    assert (after.cpu_demand_p95_mhz, after.cpu_demand_max_mhz) == (None, None)
    assert after.cpu_ready_percent == 7.0
    assert after.memory_consumed_mib == before.memory_consumed_mib  # its overhead is not known


def test_percentile_and_maximum_are_those_of_the_samples_that_were_measured() -> None:
    bursts = (*(100.0,) * 12, None, 500.0, 900.0, 100.0)  # 15 of 16
    vm = vm_with(builders.vm(1, on=1), samples(CPU_DEMAND=bursts), NOON)
    assert vm.cpu_demand_p95_mhz == pytest.approx(500.0 + 0.75 * 400.0)
    assert vm.cpu_demand_max_mhz == 900.0


@given(values=st.lists(st.integers(0, 10**6).map(float), min_size=1, max_size=45))
@settings(max_examples=40)
def test_the_percentile_is_that_of_numpy(values: list[float]) -> None:
    p95, greatest = p95_and_max(values)
    assert p95 == pytest.approx(float(np.percentile(values, 95, method="hazen")))
    assert greatest == max(values)


def test_a_hosts_usage_is_the_mean_of_its_samples() -> None:
    found = samples(CPU_USAGE=(10.0, 20.0, 30.0), MEM_CONSUMED=(1.0, 2.0, 3.0))
    host = host_with(builders.host(1), found, NOON)
    assert (host.cpu_usage_mhz, host.memory_usage_mib) == (20.0, 2.0)
    assert (host.cpu_usage_p95_mhz, host.cpu_usage_max_mhz) == (30.0, 30.0)
    assert (host.memory_usage_p95_mib, host.memory_usage_max_mib) == (3.0, 3.0)
    assert host_with(builders.host(1), samples(600.0, CPU_USAGE=(1.0, 1.0, 1.0)), NOON) == (
        builders.host(1, sampled_at=NOON - timedelta(seconds=600))
    )


def info(key: int, name: str, unit: str) -> Any:
    group, counter, rollup = name.split(".")
    described = vim.ElementDescription
    return PERF.CounterInfo(
        key=key,
        nameInfo=described(key=counter),
        groupInfo=described(key=group),
        unitInfo=described(key=unit),
        rollupType=rollup,
        statsType="absolute",
    )


def test_counters_are_found_by_name_and_unit() -> None:
    table = [
        info(5, "cpu.demand.maximum", "megaHertz"),
        info(9, "cpu.demand.average", "megaHertz"),
        info(4, "cpu.demand.average", "megaHertz"),
        info(2, "mem.active.average", "joule"),
        info(3, "mem.consumed.average", "percent"),
        info(6, "mem.vmmemctl.average", "megaBytes"),
    ]
    meters = catalogue_from(table).meters
    assert {c: (m.key, m.factor) for c, m in meters.items()} == {
        Counter.CPU_DEMAND: (4, 1.0),
        Counter.MEM_BALLOON: (6, 1.0),
    }


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("percent", 0.01), ("kiloBytes", 1 / 1024), ("kiloBytesPerSecond", 0.008192), ("second", 1e3)],
)
def test_units_are_scaled_to_ours(unit: str, factor: float) -> None:
    known = scaling(unit)
    assert known is not None
    assert known[1] == pytest.approx(factor)


def test_batches_halve_and_settle_below_what_was_refused() -> None:
    size, refusals = BatchSize(), 0
    for _ in range(60):
        now = size.current()
        if now > 13:
            size.refused(now)
            refusals += 1
        else:
            size.worked(now)
    assert size.current() == 13
    assert refusals <= 6


def test_what_was_refused_is_tried_again_after_long() -> None:
    size = BatchSize()
    size.refused(FIRST_SIZE)
    for _ in range(FORGIVEN_AFTER - 1):
        size.worked(size.current())
    assert size.current() == FIRST_SIZE - 1
    for _ in range(10):
        size.worked(size.current())
    assert size.current() == LARGEST_SIZE


def test_the_servers_limit_is_a_ceiling() -> None:
    size = BatchSize()
    size.limit(7)
    for _ in range(20):
        size.worked(size.current())
    assert size.current() == 7
    size.limit(0)
    assert size.current() == 1
