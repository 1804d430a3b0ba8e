"""Which figures stand for the demand of a VM."""

from dataclasses import replace

import pytest

from balancer.assess.demand import demand_of
from balancer.model.need import Demand
from balancer.model.units import VmId
from balancer.model.vm import PowerState, Profile
from balancer.policy.types import DemandReading, MemoryMetric, Policy, Statistic
from tests.support.builders import host, snapshot, vm

ACTIVE = Policy(idle_memory_share=0.25)
CONSUMED = Policy(memory_metric=MemoryMetric.CONSUMED)
GRANTED = Policy(memory_metric=MemoryMetric.GRANTED)


def demand_of_vm(policy: Policy = ACTIVE, **facts: object) -> Demand:
    snap = snapshot([host(1)], [vm(1, on=1, **facts)])
    return demand_of(snap, policy)[VmId("vm-1")]


@pytest.mark.parametrize(
    ("facts", "cpu_mhz", "is_measured"),
    [
        pytest.param(
            {"cpu_demand_mhz": 700.0, "cpu_usage_mhz": 500.0}, 700.0, True, id="demand wins"
        ),
        pytest.param(
            {"cpu_demand_mhz": 0.0, "cpu_usage_mhz": 5.0}, 0.0, True, id="zero is a figure"
        ),
        pytest.param(
            {"cpu_demand_mhz": None, "cpu_usage_mhz": 500.0}, 500.0, True, id="else usage"
        ),
        pytest.param({"cpu_demand_mhz": None}, 0.0, False, id="else nothing, and says so"),
        pytest.param(
            {"cpu_demand_mhz": 700.0, "profile": Profile(cpu_demand_mhz=(100.0, 300.0))},
            200.0,
            True,
            id="the mean of a profile wins over all",
        ),
    ],
)
def test_cpu_demand_falls_back_in_order(
    facts: dict[str, object], cpu_mhz: float, is_measured: bool
) -> None:
    demand = demand_of_vm(**facts)
    assert (demand.cpu_mhz, demand.is_measured) == (cpu_mhz, is_measured)


@pytest.mark.parametrize(
    ("policy", "facts", "memory_mib", "is_measured"),
    [
        pytest.param(ACTIVE, {}, 2048.0 + 0.25 * 2048.0, True, id="active and a share of the idle"),
        pytest.param(
            ACTIVE, {"memory_consumed_mib": 1000.0}, 2048.0, True, id="idle is never negative"
        ),
        pytest.param(ACTIVE, {"memory_active_mib": None}, 4096.0, True, id="no active: consumed"),
        pytest.param(ACTIVE, {"memory_consumed_mib": None}, 2048.0, True, id="no consumed: active"),
        pytest.param(CONSUMED, {"memory_consumed_mib": 3000.0}, 3000.0, True, id="consumed"),
        pytest.param(
            CONSUMED,
            {"memory_consumed_mib": None},
            4096.0,
            False,
            id="nothing known: configured size",
        ),
        pytest.param(GRANTED, {"memory_granted_mib": 3500.0}, 3500.0, True, id="granted"),
        pytest.param(
            GRANTED, {"memory_consumed_mib": 3000.0}, 3000.0, True, id="no granted: consumed"
        ),
        pytest.param(
            ACTIVE,
            {"profile": Profile(memory_demand_mib=(1000.0, 2000.0))},
            1500.0,
            True,
            id="the mean of a profile wins",
        ),
    ],
)
def test_memory_demand_follows_the_metric_of_the_policy(
    policy: Policy, facts: dict[str, object], memory_mib: float, is_measured: bool
) -> None:
    demand = demand_of_vm(policy, **facts)
    assert (demand.memory_mib, demand.is_measured) == (memory_mib, is_measured)


def test_the_footprint_is_what_the_host_holds_whatever_the_metric() -> None:
    facts = {"memory_consumed_mib": 3000.0, "memory_reservation_mib": 3500.0}
    assert demand_of_vm(ACTIVE, **facts).footprint_mib == 3500.0


def test_only_running_vms_have_demand() -> None:
    vms = [vm(1, on=1), replace(vm(2, on=1), power=PowerState.OFF)]
    assert list(demand_of(snapshot([host(1)], vms), ACTIVE)) == ["vm-1"]


@pytest.mark.parametrize(
    ("statistic", "cpu_mhz"),
    [
        (Statistic.MEAN, 1000.0),
        (Statistic.P75, 1000.0 + 0.6745 * 200.0),
        (Statistic.P90, 1000.0 + 1.2816 * 200.0),
        (Statistic.P95, 1000.0 + 1.6449 * 200.0),
    ],
)
def test_a_percentile_is_the_normal_quantile_of_mean_and_deviation(
    statistic: Statistic, cpu_mhz: float
) -> None:
    policy = Policy(demand=DemandReading(statistic=statistic))
    facts = {"cpu_demand_mhz": 1000.0, "cpu_demand_stddev_mhz": 200.0}
    assert demand_of_vm(policy, **facts).cpu_mhz == pytest.approx(cpu_mhz)


def test_a_percentile_of_a_demand_of_unknown_deviation_is_its_mean() -> None:
    policy = Policy(demand=DemandReading(statistic=Statistic.P95))
    assert demand_of_vm(policy, cpu_demand_mhz=1000.0).cpu_mhz == 1000.0


def test_a_percentile_is_never_above_the_limit_of_the_vm() -> None:
    policy = Policy(demand=DemandReading(statistic=Statistic.P95))
    facts = {"cpu_demand_mhz": 1000.0, "cpu_demand_stddev_mhz": 200.0, "cpu_limit_mhz": 1100.0}
    assert demand_of_vm(policy, **facts).cpu_mhz == 1100.0


def test_a_percentile_lifts_every_slot_of_a_profile() -> None:
    policy = Policy(demand=DemandReading(statistic=Statistic.P90))
    profile = Profile(cpu_demand_mhz=(100.0, 300.0))
    demand = demand_of_vm(policy, profile=profile, cpu_demand_stddev_mhz=10.0)
    assert demand.cpu_slots_mhz == pytest.approx((112.816, 312.816))
    assert demand.cpu_mhz == pytest.approx(212.816)


@pytest.mark.parametrize(
    ("horizon_s", "slots"),
    [(None, 4), (1.0, 1), (300.0, 1), (301.0, 2), (900.0, 3), (1e6, 4)],
    ids=["no horizon", "a part of a slot", "one", "more than one", "three", "beyond the end"],
)
def test_only_the_slots_that_begin_within_the_horizon_count(
    horizon_s: float | None, slots: int
) -> None:
    policy = Policy(demand=DemandReading(horizon_s=horizon_s))
    profile = Profile(cpu_demand_mhz=(100.0, 200.0, 600.0, 900.0), memory_demand_mib=(8.0,) * 4)
    snap = snapshot([host(1)], [vm(1, on=1, profile=profile)], profile_slot_seconds=300.0)
    demand = demand_of(snap, policy)[VmId("vm-1")]
    counted = profile.cpu_demand_mhz[:slots]
    assert demand.cpu_slots_mhz == counted
    assert demand.memory_slots_mib == (8.0,) * slots
    assert demand.cpu_mhz == sum(counted) / slots


def test_the_whole_profile_counts_where_the_length_of_its_slots_is_not_known() -> None:
    policy = Policy(demand=DemandReading(horizon_s=1.0))
    demand = demand_of_vm(policy, profile=Profile(cpu_demand_mhz=(100.0, 300.0)))
    assert demand.cpu_slots_mhz == (100.0, 300.0)
