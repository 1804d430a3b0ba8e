"""Made-up traces: the same arguments give the same trace, and each kind is what it says."""

import numpy as np
import pytest

from balancer.adapters.simulated.trace import TraceKind, make_hosts, make_placement, make_trace


@pytest.mark.parametrize("kind", TraceKind)
def test_the_same_arguments_give_the_same_trace(kind: TraceKind) -> None:
    first, again = (make_trace(6, 40, seed=3, kind=kind) for _ in range(2))
    other = make_trace(6, 40, seed=4, kind=kind)

    assert np.array_equal(first.cpu_mhz, again.cpu_mhz)
    assert not np.array_equal(first.cpu_mhz, other.cpu_mhz)


@pytest.mark.parametrize("kind", TraceKind)
def test_no_vm_wants_more_than_its_size(kind: TraceKind) -> None:
    trace = make_trace(30, 288, kind=kind)

    most_mhz = [vm.vcpus * 2600.0 for vm in trace.vms]
    assert (trace.cpu_mhz <= most_mhz).all()
    assert (trace.memory_mib <= [vm.memory_mib for vm in trace.vms]).all()


def test_constant_load_is_constant_and_a_day_has_a_peak() -> None:
    constant = make_trace(5, 50, kind=TraceKind.CONSTANT).cpu_mhz
    day = make_trace(50, 288, kind=TraceKind.DAY).cpu_mhz.sum(axis=1)

    assert (constant == constant[0]).all()
    assert day[12 * 14] > 2.0 * day[12 * 2]


def test_a_placement_keeps_to_the_memory_of_the_hosts() -> None:
    trace, hosts = make_trace(24, 1), make_hosts(4, memory_mib=131_072.0)

    placement = make_placement(trace, hosts, seed=1)

    for host in hosts:
        held = sum(vm.memory_mib for vm in trace.vms if placement[vm.name] == host.id)
        assert held <= host.memory_capacity_mib


def test_a_vm_without_room_is_no_placement() -> None:
    with pytest.raises(ValueError, match="left for vm1"):
        make_placement(make_trace(1, 1), make_hosts(1, memory_mib=16.0))
