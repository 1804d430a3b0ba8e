"""What resource pools guarantee to their VMs, and what their limits leave of the VMs' demand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.assess.demand import demand_of
from balancer.assess.guarantees import Ask, shares
from balancer.assess.pools import pool_tree
from balancer.model.need import Demand
from balancer.model.snapshot import ResourcePool
from balancer.model.vm import PowerState, Profile, Vm
from balancer.policy.types import MemoryMetric, Policy
from tests.support.builders import host, snapshot, vm

POLICY = Policy(memory_metric=MemoryMetric.CONSUMED)


def pool(name: str, parent: str | None = None, **facts: float) -> ResourcePool:
    return ResourcePool(id=name, name=name, parent=parent, **facts)


def in_pool(number: int, name: str, **facts: object) -> Vm:
    """Return a VM of 4,000 MiB that holds and wants 1,000 MiB and 1,000 MHz."""
    defaults: dict[str, object] = {"memory_mib": 4000.0, "memory_consumed_mib": 1000.0}
    return vm(number, on=1, resource_pool=name, **(defaults | facts))


def demands(pools: list[ResourcePool], vms: list[Vm]) -> dict[str, Demand]:
    snap = snapshot([host(1, cpu_cores=10)], vms, resource_pools=tuple(pools))
    return {str(key): value for key, value in demand_of(snap, POLICY).items()}


def memory(pools: list[ResourcePool], vms: list[Vm]) -> list[float]:
    return [demand.memory_reserved_mib for demand in demands(pools, vms).values()]


def test_a_reservation_beyond_demand_is_divided_up_to_the_size() -> None:
    pools = [pool("p", memory_reservation_mib=10_000.0)]
    assert memory(pools, [in_pool(n, "p") for n in range(1, 5)]) == [2500.0] * 4


def test_a_reservation_below_demand_is_divided_by_demand() -> None:
    pools = [pool("p", memory_reservation_mib=2000.0)]
    vms = [in_pool(1, "p"), in_pool(2, "p", memory_consumed_mib=3000.0)]
    assert memory(pools, vms) == [500.0, 1500.0]


def test_nobody_is_guaranteed_more_than_its_size() -> None:
    pools = [pool("p", memory_reservation_mib=50_000.0)]
    assert memory(pools, [in_pool(1, "p"), in_pool(2, "p")]) == [4000.0, 4000.0]


def test_what_vms_reserve_themselves_comes_out_of_the_reservation_of_their_pool() -> None:
    pools = [pool("p", memory_reservation_mib=3000.0)]
    vms = [in_pool(1, "p", memory_reservation_mib=2000.0), in_pool(2, "p")]
    assert memory(pools, vms) == [2000.0, 1000.0]


def test_a_pool_that_reserves_less_than_its_vms_takes_nothing_from_them() -> None:
    pools = [pool("p", memory_reservation_mib=500.0)]
    assert memory(pools, [in_pool(1, "p", memory_reservation_mib=2000.0)]) == [2000.0]


def test_a_child_pool_has_its_own_reservation_and_its_part_of_the_rest() -> None:
    pools = [
        pool("outer", memory_reservation_mib=4000.0),
        pool("inner", "outer", memory_reservation_mib=2000.0),
    ]
    vms = [in_pool(1, "outer"), in_pool(2, "inner")]
    # 2,000 are the child's; 1,000 cover the demand of vm-1, 1,000 are by size: 3,000 to 2,000 open.
    assert memory(pools, vms) == [pytest.approx(1600.0), pytest.approx(2400.0)]


def test_an_empty_child_pool_keeps_what_it_has_reserved() -> None:
    pools = [
        pool("outer", memory_reservation_mib=3000.0),
        pool("inner", "outer", memory_reservation_mib=2000.0),
    ]
    assert memory(pools, [in_pool(1, "outer")]) == [1000.0]


def test_cpu_is_guaranteed_up_to_the_vcpus() -> None:
    pools = [pool("p", cpu_reservation_mhz=20_000.0)]
    found = demands(pools, [in_pool(1, "p", vcpus=1), in_pool(2, "p", vcpus=4)])
    assert [d.cpu_reserved_mhz for d in found.values()] == [2000.0, 8000.0]


def test_no_move_changes_what_a_vm_is_guaranteed() -> None:
    hosts = [host(1, cpu_cores=10), host(2, cpu_capacity_mhz=30_000.0, cpu_cores=10)]
    pools = (pool("p", cpu_reservation_mhz=9000.0),)
    here, there = (
        snapshot(
            hosts, [replace(in_pool(1, "p"), host=h.id), in_pool(2, "p")], resource_pools=pools
        )
        for h in hosts
    )
    assert demand_of(here, POLICY) == demand_of(there, POLICY)


def test_vms_elsewhere_and_vms_that_do_not_run_have_no_part() -> None:
    pools = [pool("p", memory_reservation_mib=2000.0), pool("q")]
    vms = [in_pool(1, "p"), in_pool(2, "q"), in_pool(3, "gone")]
    off = in_pool(4, "p", power=PowerState.OFF)
    assert memory(pools, [*vms, off]) == [2000.0, 0.0, 0.0]


def test_pools_in_a_ring_guarantee_nothing_and_hang_nothing() -> None:
    ring = [pool("a", "b", memory_reservation_mib=1000.0), pool("b", "a")]
    assert pool_tree(ring, [in_pool(1, "a")]).order == ()
    assert memory(ring, [in_pool(1, "a")]) == [0.0]


def test_what_a_vm_holds_follows_its_own_reservation_only() -> None:
    pools = [pool("p", memory_reservation_mib=4000.0)]
    assert demands(pools, [in_pool(1, "p")])["vm-1"].footprint_mib == 1000.0


def test_a_limit_scales_the_demand_of_all_vms_of_the_pool() -> None:
    pools = [pool("p", cpu_limit_mhz=2000.0, memory_limit_mib=1000.0)]
    vms = [in_pool(1, "p", cpu_demand_stddev_mhz=100.0), in_pool(2, "p", cpu_demand_mhz=3000.0)]
    found = demands(pools, vms)
    assert [d.cpu_mhz for d in found.values()] == [500.0, 1500.0]
    assert [d.memory_mib for d in found.values()] == [500.0, 500.0]
    assert found["vm-1"].cpu_variance_mhz2 == pytest.approx(50.0**2)
    assert found["vm-1"].footprint_mib == 1000.0


def test_a_limit_holds_in_each_slot_of_a_profile_by_itself() -> None:
    pools = [pool("p", cpu_limit_mhz=1000.0)]
    profile = Profile(cpu_demand_mhz=(500.0, 2000.0))
    found = demands(pools, [in_pool(1, "p", profile=profile)])
    assert found["vm-1"].cpu_slots_mhz == (500.0, 1000.0)
    assert found["vm-1"].cpu_mhz == 1000.0


def test_limits_of_nested_pools_both_hold() -> None:
    pools = [pool("outer", cpu_limit_mhz=3000.0), pool("inner", "outer", cpu_limit_mhz=2000.0)]
    vms = [in_pool(1, "outer", cpu_demand_mhz=4000.0), in_pool(2, "inner", cpu_demand_mhz=4000.0)]
    found = demands(pools, vms)
    assert [d.cpu_mhz for d in found.values()] == [pytest.approx(2000.0), pytest.approx(1000.0)]


def test_pools_without_settings_change_nothing() -> None:
    vms = [in_pool(1, "p"), in_pool(2, "p")]
    assert demands([pool("p")], vms) == demands([], vms)


ASKS = st.builds(
    lambda floor, want, most: Ask(floor=floor, want=floor + want, most=floor + want + most),
    *[st.integers(0, 1000).map(float)] * 3,
)


@given(amount=st.integers(0, 10_000).map(float), asks=st.lists(ASKS, min_size=1, max_size=8))
def test_shares_use_up_the_amount_and_stay_between_reservation_and_size(
    amount: float, asks: list[Ask]
) -> None:
    given_out = shares(amount, asks)
    least, most = sum(ask.floor for ask in asks), sum(ask.most for ask in asks)
    assert sum(given_out) == pytest.approx(min(max(amount, least), most))
    for part, ask in zip(given_out, asks, strict=True):
        assert ask.floor - 1e-9 <= part <= ask.most + 1e-6


def test_the_order_of_pools_and_vms_does_not_matter() -> None:
    pools = [pool("a", memory_reservation_mib=2500.0), pool("b", "a", memory_reservation_mib=900.0)]
    vms = [in_pool(1, "a"), in_pool(2, "b"), in_pool(3, "a", memory_consumed_mib=3000.0)]
    assert demands(pools, vms) == demands(pools[::-1], vms[::-1])
