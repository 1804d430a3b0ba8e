"""Snapshots, fingerprints and durations: what holds of the values themselves."""

import re
from collections.abc import Callable

import pytest

from balancer.model.duration import SETUP_SECONDS, copy_mbps, vmotion_seconds
from balancer.model.host import Host, HostState, VmotionLink
from balancer.model.snapshot import Drs, Ha
from balancer.model.units import HostId
from balancer.model.vm import Automation, Profile, Vm
from tests.support.builders import host, snapshot, vm


def test_a_snapshot_sorts_its_hosts_and_vms() -> None:
    snap = snapshot([host(2), host(1)], [vm(9, 1), vm(3, 2)])

    assert [h.id for h in snap.hosts] == ["host-1", "host-2"]
    assert [v.id for v in snap.vms] == ["vm-3", "vm-9"]


def test_a_vm_on_a_host_that_is_not_there_is_no_snapshot() -> None:
    with pytest.raises(ValueError, match="host-7"):
        snapshot([host(1)], [vm(1, 7)])


@pytest.mark.parametrize(("hosts", "vms"), [([1, 1], []), ([1], [4, 4])], ids=["host", "vm"])
def test_ids_are_unique(hosts: list[int], vms: list[int]) -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        snapshot([host(n) for n in hosts], [vm(n, 1) for n in vms])


def test_serving_hosts_take_vms_and_are_not_kept_for_ha() -> None:
    hosts = [
        host(1),
        host(2, state=HostState.MAINTENANCE),
        host(3),
        host(4, state=HostState.QUARANTINE),
    ]
    snap = snapshot(hosts, [], cluster={"ha": Ha(failover_hosts=frozenset({HostId("host-3")}))})

    assert [h.id for h in snap.serving_hosts] == ["host-1", "host-4"]


@pytest.mark.parametrize(
    ("drs", "alone"),
    [
        (Drs(enabled=False, automation=Automation.FULLY_AUTOMATED), False),
        (Drs(enabled=True, automation=Automation.MANUAL), False),
        (Drs(enabled=True, automation=Automation.FULLY_AUTOMATED), True),
        (Drs(enabled=True), True),
        (Drs(enabled=True, automation=Automation.FULLY_AUTOMATED, vmotion_rate=4), True),
        (Drs(enabled=True, automation=Automation.FULLY_AUTOMATED, vmotion_rate=5), False),
        (Drs(enabled=True, vmotion_rate=5), False),
    ],
    ids=[
        "off",
        "manual",
        "fully automated",
        "on and not known",
        "fully automated, for large gains",
        "fully automated, mandatory moves only",
        "on and not known, mandatory moves only",
    ],
)
def test_when_drs_acts_alone(drs: Drs, alone: bool) -> None:
    assert drs.acts_alone is alone


def test_copying_takes_longer_over_a_shared_slow_or_busy_link() -> None:
    fast, slow = host(1), host(2, vmotion=VmotionLink(link_mbps=1000.0))
    plain = vmotion_seconds(fast, fast, 16_384.0)

    assert plain == pytest.approx(SETUP_SECONDS + 16_384 * 8 * 2**20 / 7.5e9)
    assert vmotion_seconds(fast, slow, 16_384.0) > plain
    assert vmotion_seconds(fast, fast, 16_384.0, sharing=2) > plain
    assert vmotion_seconds(fast, fast, 16_384.0, dirty_rate_mbps=2000.0) > plain
    assert vmotion_seconds(fast, fast, 16_384.0, dirty_rate_mbps=1e9) < 6 * plain


@pytest.mark.parametrize(
    ("source", "target", "bits_per_s"),
    [
        pytest.param({}, {}, 7.5e9, id="a single copy has the whole link"),
        pytest.param({"sharing": 3}, {}, 2.5e9, id="the share of the busier end decides: source"),
        pytest.param({"sharing": 1}, {"sharing_target": 2}, 3.75e9, id="target"),
    ],
)
def test_copies_share_the_links_of_each_end(
    source: dict[str, int], target: dict[str, int], bits_per_s: float
) -> None:
    expected = SETUP_SECONDS + 10_000 * 8 * 2**20 / bits_per_s
    seconds = vmotion_seconds(host(1), host(2), 10_000.0, **source, **target)
    assert seconds == pytest.approx(expected)


@pytest.mark.parametrize(
    ("streams", "sharing", "mbps"),
    [
        pytest.param(None, 1, 75_000.0, id="streams that follow the link fill it"),
        pytest.param(1, 1, 15_000.0, id="one stream is one core's worth"),
        pytest.param(2, 1, 30_000.0, id="two are twice as much"),
        pytest.param(1, 8, 9375.0, id="eight copies fill the link with one stream each"),
    ],
)
def test_a_fixed_number_of_streams_bounds_a_single_copy(
    streams: int | None, sharing: int, mbps: float
) -> None:
    fast = host(1, vmotion=VmotionLink(link_mbps=100_000.0, streams=streams))
    assert copy_mbps(fast, sharing) == pytest.approx(mbps)


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), -float("inf"), -1.0], ids=str)
@pytest.mark.parametrize(
    "make",
    [
        lambda figure: host(1, cpu_capacity_mhz=figure),
        lambda figure: host(1, memory_usage_mib=figure),
        lambda figure: host(1, vmotion=VmotionLink(link_mbps=figure)),
        lambda figure: vm(1, 1, cpu_demand_mhz=figure),
        lambda figure: vm(1, 1, memory_consumed_mib=figure),
        lambda figure: vm(1, 1, memory_limit_mib=figure),
        lambda figure: vm(1, 1, profile=Profile(cpu_demand_mhz=(1.0, figure))),
    ],
    ids=["capacity", "usage", "link", "demand", "consumed", "limit", "profile"],
)
def test_a_figure_that_is_none_is_refused(
    make: Callable[[float], Host | Vm], figure: float
) -> None:
    with pytest.raises(ValueError, match=re.escape(str(figure))):
        make(figure)


def test_nothing_is_a_figure_too() -> None:
    assert host(1, cpu_capacity_mhz=0.0, memory_capacity_mib=0.0).usable_cpu_mhz == 1.0
    assert vm(1, 1, cpu_demand_mhz=None, memory_consumed_mib=0.0).footprint_mib == 0.0
