"""What a replay scores, on two hosts of 10 GHz and a handful of figures that can be added up by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from balancer.lab.result import MoveMark
from balancer.lab.scene import Scene
from balancer.lab.score import bound_of, score_of
from balancer.model.host import Host
from balancer.model.trace import Resize, Trace, TraceVm
from balancer.model.units import HostId

NAN = float("nan")
A, B = HostId("a"), HostId("b")


def scene(*cpu_by_slot: Sequence[float], resizes: tuple[Resize, ...] = ()) -> Scene:
    """Return a scene of VMs that all stand on host a, with 1 GiB of active memory of 4."""
    cpu = np.array(cpu_by_slot, dtype=np.float32)
    memory = np.where(np.isfinite(cpu), 1024.0, np.nan).astype(np.float32)
    vms = tuple(
        TraceVm(name=f"vm{n}", vcpus=2, memory_mib=4096.0, uuid=f"uuid-{n}")
        for n in range(cpu.shape[1])
    )
    hosts = tuple(
        Host(id=key, name=key, cpu_capacity_mhz=1e4, memory_capacity_mib=65_536.0, cpu_cores=4)
        for key in (A, B)
    )
    trace = Trace(
        name="made up",
        start=datetime(2026, 1, 1, tzinfo=UTC),
        step_s=3600.0,
        vms=vms,
        cpu_mhz=cpu,
        memory_mib=memory,
        resizes=resizes,
    )
    return Scene(trace=trace, hosts=hosts, placement={vm.name: A for vm in vms})


def move(vm: str, begun_s: float, ended_s: float, *, to: HostId = B, fault: str = "") -> MoveMark:
    source = A if to == B else B
    return MoveMark(
        vm=vm,
        source=source,
        target=to,
        begun_s=begun_s,
        ended_s=ended_s,
        memory_mib=2048.0,
        reason="contention",
        fault=fault,
    )


def test_demand_above_a_host_is_unmet_and_counted_by_host_and_slot() -> None:
    score, curves = score_of(scene((8e3, 7e3), (4e3, 4.5e3)), ())
    assert (score.demand_ghz_h, score.unmet_ghz_h) == (23.5, 5.0)
    assert (score.host_slots, score.slots_over_80, score.slots_over_100) == (4, 2, 1)
    assert score.unmet_ratio == pytest.approx(5.0 / 23.5)
    assert curves.host_load.tolist() == [[1.5, 0.0], [pytest.approx(0.85), 0.0]]
    assert curves.unmet_ghz_h.tolist() == [5.0, 5.0]


def test_a_move_counts_from_the_second_of_its_end_and_a_copy_takes_a_core_of_both_hosts() -> None:
    score, curves = score_of(scene((8e3, 7e3)), (move("vm0", 900.0, 1800.0),))
    # A quarter of an hour 5 GHz short, another one with 2.5 GHz of copying on top, and half an hour apart.
    assert score.unmet_ghz_h == pytest.approx(0.25 * 5.0 + 0.25 * 7.5)
    assert curves.host_load[0, 1] == pytest.approx((0.25 * 2.5e3 + 0.5 * 8e3) / 1e4)
    assert (score.moves, score.moved_gib, score.copy_hours) == (1, 2.0, 0.25)


def test_a_copy_over_several_slots_is_felt_in_each() -> None:
    _, curves = score_of(scene((1e3,), (1e3,), (1e3,)), (move("vm0", 1800.0, 9000.0),))
    assert curves.host_load[:, 1].tolist() == pytest.approx([0.125, 0.25, 0.175])


def test_a_failed_move_leaves_the_vm_where_it_was() -> None:
    score, curves = score_of(scene((1e3,), (1e3,)), (move("vm0", 0.0, 0.0, fault="Timedout"),))
    assert (score.moves, score.failed_moves, score.moved_gib) == (0, 1, 0.0)
    assert curves.host_load[1].tolist() == pytest.approx([0.1, 0.0])


def test_repeats_and_returns_are_counted() -> None:
    there, back = move("vm0", 0.0, 60.0), move("vm0", 3000.0, 3060.0, to=A)
    late = move("vm0", 3060.0 + 3600.0, 6720.0)
    score, _ = score_of(scene((1e3,), (1e3,), (1e3,)), (there, back, late))
    assert (score.repeats, score.undone) == (1, 2)


def test_consumed_memory_follows_active_memory_size_and_power() -> None:
    grown = Resize(slot=1, vm=0, vcpus=2, memory_mib=400 * 1024.0)
    score, _ = score_of(scene((1e3,), (1e3,), (NAN,), resizes=(grown,)), ())
    # 1 GiB and a quarter of 399 GiB in the second slot, nothing in the third: 36.75 GiB above 64.
    assert score.memory_over_gib_h == pytest.approx(1.0 + 399.0 / 4 - 64.0)
    assert score.memory_slots_full == 1


def test_the_bound_takes_all_hosts_as_one() -> None:
    bound = bound_of(scene((15e3, 9e3), (8e3, 1e3)))
    assert (bound.unmet_ghz_h, bound.slots_over_100, bound.moves) == (4.0, 2, 0)
