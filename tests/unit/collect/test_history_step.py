"""What a step of five minutes keeps as percentile and maximum: the samples' own, or what a deviation tells."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from balancer.collect.history import DemandHistory
from balancer.collect.history_step import MAX_SIGMAS, P95_SIGMAS
from balancer.collect.rollups import hour_of
from balancer.model.rollup import Block, Kind, Measure, Series, Statistic
from balancer.model.snapshot import Snapshot
from tests.support.builders import NOON, host, snapshot, vm

Figures = Mapping[str, float | None]


def facts(
    mean: float, deviation: float | None = None, p95: float | None = None, top: float | None = None
) -> Figures:
    return {
        "cpu_demand_mhz": mean,
        "cpu_demand_stddev_mhz": deviation,
        "cpu_demand_p95_mhz": p95,
        "cpu_demand_max_mhz": top,
    }


def kept(kind: Kind, looks: Sequence[Snapshot]) -> Block:
    """Return the step in which all snapshots were taken."""
    history = DemandHistory(steps=40)
    for look in looks:
        history.take(look)
    assert history.last is not None
    blocks = history.blocks(history.last, history.last)
    return next(block for block in blocks if block.kind is kind)


def of_vm(*readings: Figures) -> list[float]:
    """Return mean, percentile and maximum of a step that was seen so often."""
    looks = [
        snapshot([host(1)], [vm(1, 1, **each)], taken_at=NOON + timedelta(seconds=60 * at))
        for at, each in enumerate(readings)
    ]
    figures = kept(Kind.VM, looks).figures
    return [figures[Series(Measure.CPU, each)].item() for each in Statistic]


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        pytest.param([facts(100, 50, 300, 400)], [100, 300, 400], id="one, with samples"),
        pytest.param([facts(100, None, 100, 120)], [100, 100, 120], id="too few for a deviation"),
        pytest.param(
            [facts(100, 50, 300, 400), facts(200, 50, 250, 260)],
            [150, 300, 400],
            id="two: the greater",
        ),
        pytest.param([facts(0, 0, 0, 0)], [0, 0, 0], id="idle"),
        pytest.param([facts(100, 10)], [100, 116.45, 117.36], id="no samples: from the deviation"),
        pytest.param([facts(100)], [100, 100, 100], id="neither"),
        pytest.param(
            [facts(100, 10, 100, 103), facts(100, 10)],
            [100, 100 + P95_SIGMAS * 10, 100 + MAX_SIGMAS * 10],
            id="samples in one of two: the deviation says more",
        ),
        pytest.param(
            [facts(100, 10, 300, 400), facts(100, 10)], [100, 300, 400], id="the samples say more"
        ),
        pytest.param([facts(100, 10, 20, 30)], [100, 100, 100], id="never below the mean"),
        pytest.param([facts(100, 10, 500, 300)], [100, 300, 300], id="never above the maximum"),
    ],
)
def test_a_step_keeps_the_samples_own_figures(
    readings: list[Figures], expected: list[float]
) -> None:
    assert of_vm(*readings) == pytest.approx(expected)


def test_a_host_keeps_the_samples_own_figures() -> None:
    peaks = {"cpu_usage_p95_mhz": 7.0, "cpu_usage_max_mhz": 9.0, "memory_usage_max_mib": 8.0}
    hosts = [host(1, cpu_usage_mhz=5.0, memory_usage_mib=6.0, **peaks), host(2, cpu_usage_mhz=4.0)]
    figures = kept(Kind.HOST, [snapshot(hosts, [])]).figures
    cpu = [figures[Series(Measure.CPU, each)][0].tolist() for each in Statistic]
    memory = [figures[Series(Measure.CONSUMED, each)][0].tolist() for each in Statistic]
    assert cpu == [[5.0, 4.0], [7.0, 4.0], [9.0, 4.0]]
    np.testing.assert_array_equal(memory, [[6.0, np.nan], [6.0, np.nan], [8.0, np.nan]])


def test_a_vm_that_comes_or_goes_leaves_the_others_figures_as_they_are() -> None:
    one, two = vm(1, 1, **facts(100, 10, 300, 400)), vm(2, 1, **facts(50, 5, 60, 70))
    first = snapshot([host(1)], [one])
    looks = [first, replace(first, vms=(one, two), taken_at=NOON + timedelta(seconds=60))]
    figures = kept(Kind.VM, looks).figures
    assert figures[Series(Measure.CPU, Statistic.P95)].tolist() == [[300.0, 60.0]]
    assert figures[Series(Measure.CPU, Statistic.MAX)].tolist() == [[400.0, 70.0]]


def test_an_hours_maximum_is_a_sample_and_its_percentile_lies_below() -> None:
    history = DemandHistory(steps=40)
    for step in range(12):
        burst = facts(300, 500, 1500, 2000) if step == 5 else facts(100, 0, 100, 100)
        taken_at = NOON + timedelta(seconds=300 * step)
        history.take(snapshot([host(1)], [vm(1, 1, **burst)], taken_at=taken_at))
    assert history.last is not None
    of_vms, _ = history.blocks(history.last - 11, history.last)
    hour = hour_of(of_vms).figures
    mean, p95, top = (hour[Series(Measure.CPU, each)].item() for each in Statistic)
    assert (mean, top) == (pytest.approx((11 * 100 + 300) / 12), 2000.0)
    assert mean < p95 < top
