"""The figures of one placement."""

import pytest

from balancer.assess.state import measure
from balancer.model.host import HostState
from balancer.model.rule import RuleType
from balancer.policy.types import Policy
from tests.support.builders import host, placement, rule, snapshot, vm


def test_spread_is_over_the_serving_hosts_as_ratios_of_usable_capacity() -> None:
    hosts = [host(1), host(2), host(3, state=HostState.MAINTENANCE)]
    vms = [vm(1, on=1, cpu_demand_mhz=10_000.0), vm(2, on=2, cpu_demand_mhz=5000.0)]
    cpu = measure(placement(snapshot(hosts, vms))).cpu
    assert (cpu.max, cpu.min, cpu.mean, cpu.stddev) == (0.5, 0.25, 0.375, 0.125)


def test_every_host_is_listed_with_its_load_and_number_of_vms() -> None:
    hosts = [host(1), host(2, state=HostState.ENTERING_MAINTENANCE)]
    loads = measure(placement(snapshot(hosts, [vm(1, on=2), vm(2, on=2)]))).hosts
    assert [(load.id, load.cpu_ratio, load.vms) for load in loads] == [
        ("host-1", 0.0, 0),
        ("host-2", 0.1, 2),
    ]


def test_unmet_demand_is_what_exceeds_capacity_host_by_host() -> None:
    vms = [vm(1, on=1, cpu_demand_mhz=23_000.0), vm(2, on=2, cpu_demand_mhz=100.0)]
    assert measure(placement(snapshot([host(1), host(2)], vms))).unmet_cpu_mhz == 3000.0


def test_a_broken_should_rule_costs_its_price_and_is_listed() -> None:
    apart = rule("web apart", RuleType.ANTI_AFFINITY, [1, 2], mandatory=False)
    vms = [vm(1, on=1), vm(2, on=1)]
    with_rule = measure(placement(snapshot([host(1), host(2)], vms, [apart])))
    without = measure(placement(snapshot([host(1), host(2)], vms)))
    assert with_rule.cost - without.cost == pytest.approx(Policy().prices.soft_rule)
    assert [v.rule for v in with_rule.violations] == ["web apart"]
    assert with_rule.broken_must_rules == 0


def test_an_empty_cluster_measures_as_zero() -> None:
    state = measure(placement(snapshot([], [])))
    assert (state.cost, state.imbalance, state.cpu.max, state.hosts) == (0.0, 0.0, 0.0, ())
