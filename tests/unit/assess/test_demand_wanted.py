"""What a VM wants that its host does not give it."""

import pytest

from balancer.assess.demand import demand_of
from balancer.assess.demand_wanted import as_wanted
from balancer.model.units import VmId
from balancer.model.vm import DemandBasis
from balancer.policy.types import MemoryMetric, Policy
from tests.support.builders import host, snapshot, vm

CORE_MHZ = 2_000.0
"""A host of the builders has 20,000 MHz; here of 10 cores. A VM has 2 vCPUs: it can want 4,000 MHz."""


def wanted(cores: int | None = 10, **facts: object) -> float:
    snap = snapshot([host(1, cpu_cores=cores)], [vm(1, on=1, **facts)])
    return demand_of(snap, Policy())[VmId("vm-1")].cpu_mhz


@pytest.mark.parametrize(
    ("demand", "usage", "ready", "mhz"),
    [
        pytest.param(None, 1000.0, 20.0, 1800.0, id="no demand: usage and what waited"),
        pytest.param(None, 1000.0, 1.0, 1040.0, id="no demand: a little that waited counts too"),
        pytest.param(None, 1000.0, None, 1000.0, id="no demand, ready time not known: usage"),
        pytest.param(None, 3000.0, 90.0, 4000.0, id="never more than its vCPUs can run"),
        pytest.param(None, 4400.0, 10.0, 4400.0, id="but what it used, where that is more"),
        pytest.param(1200.0, 1000.0, 20.0, 1800.0, id="starved: more than the demand that is told"),
        pytest.param(1200.0, 1000.0, 4.9, 1200.0, id="not starved: the demand"),
        pytest.param(1795.0, 1000.0, 20.0, 1795.0, id="rounding is no starvation"),
        pytest.param(2500.0, 1000.0, 20.0, 2500.0, id="a demand that has it all in it"),
    ],
)
def test_a_vm_that_waits_for_cpu_counts_with_what_it_wants(
    demand: float | None, usage: float, ready: float | None, mhz: float
) -> None:
    facts = {"cpu_demand_mhz": demand, "cpu_usage_mhz": usage, "cpu_ready_percent": ready}
    assert wanted(**facts) == pytest.approx(mhz)


def test_without_the_speed_of_a_core_usage_stands_alone() -> None:
    facts = {"cpu_demand_mhz": None, "cpu_usage_mhz": 1000.0, "cpu_ready_percent": 20.0}
    assert wanted(cores=None, **facts) == 1000.0


def test_a_limit_bounds_what_is_wanted() -> None:
    facts = {"cpu_demand_mhz": None, "cpu_usage_mhz": 1000.0, "cpu_ready_percent": 50.0}
    assert wanted(cpu_limit_mhz=1500.0, **facts) == 1500.0


def test_what_was_forecast_is_not_corrected_again() -> None:
    facts = {"cpu_usage_mhz": 3000.0, "cpu_ready_percent": 20.0}
    assert wanted(demand_basis=DemandBasis.EXPECTED, cpu_demand_mhz=700.0, **facts) == 700.0


@pytest.mark.parametrize("metric", MemoryMetric)
def test_memory_that_the_host_took_away_is_wanted(metric: MemoryMetric) -> None:
    held = dict.fromkeys(("memory_active_mib", "memory_consumed_mib", "memory_granted_mib"), 1000.0)
    one = vm(1, on=1, memory_swapped_mib=500.0, memory_ballooned_mib=300.0, **held)
    full = vm(2, on=1, memory_swapped_mib=9e3, **held)
    demand = demand_of(snapshot([host(1)], [one, full]), Policy(memory_metric=metric))
    assert [demand[each.id].memory_mib for each in (one, full)] == [1800.0, 4096.0]


def test_what_is_remembered_is_what_is_wanted() -> None:
    starved = vm(1, on=1, cpu_demand_mhz=None, cpu_usage_mhz=1000.0, cpu_ready_percent=20.0)
    fed, unknown = vm(2, on=1), vm(3, on=1, cpu_demand_mhz=None)
    shown = as_wanted(snapshot([host(1, cpu_cores=10)], [starved, fed, unknown])).vms
    assert [each.cpu_demand_mhz for each in shown] == [pytest.approx(1800.0), 1000.0, None]
    assert shown[1] is fed


def test_samples_that_a_vm_could_not_have_say_nothing_of_its_peaks() -> None:
    peaks = {"cpu_demand_p95_mhz": 1100.0, "cpu_demand_max_mhz": 1200.0}
    starved = vm(1, on=1, cpu_usage_mhz=1000.0, cpu_ready_percent=20.0, **peaks)
    fed = vm(2, on=1, **peaks)
    shown = as_wanted(snapshot([host(1, cpu_cores=10)], [starved, fed])).vms
    assert (shown[0].cpu_demand_p95_mhz, shown[0].cpu_demand_max_mhz) == (None, None)
    assert shown[1] is fed
