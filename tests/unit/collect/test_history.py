"""The memory of demand: which snapshot counts, what a step keeps, who is forgotten, and in what room."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from balancer.collect.history import BELIEVED_AFTER, DemandHistory
from balancer.collect.history_columns import SPARE, SPARE_RATIO
from balancer.collect.history_ledger import EXACT_STEPS, WIDTHS
from balancer.model.host import HostState
from balancer.model.rollup import Block, Kind, Measure, Member, Series, Statistic
from balancer.model.scale import worst_error_ratio
from balancer.model.snapshot import Snapshot
from balancer.model.units import HostId
from balancer.model.vm import PowerState, Vm
from tests.support.builders import NOON, host, snapshot, vm

STEPS = 40
CPU = Series(Measure.CPU, Statistic.MEAN)


def seen(step: float, *vms: Vm) -> Snapshot:
    """Return a snapshot of two hosts, so many steps of five minutes after noon."""
    at = NOON + timedelta(seconds=300 * step)
    return snapshot([host(1), host(2)], vms, taken_at=at)


def cpu_of(history: DemandHistory, name: str, steps: int) -> list[float]:
    view = history.view(steps)
    figures: list[float] = view.cpu_mhz[:, view.vms.index(name)].tolist()
    return figures


def taken(*snapshots: Snapshot, steps: int = STEPS) -> DemandHistory:
    history = DemandHistory(steps=steps)
    for each in snapshots:
        history.take(each)
    return history


def test_the_readings_of_one_step_come_to_their_mean() -> None:
    history = taken(
        seen(0, vm(1, 1, cpu_demand_mhz=100.0)),
        seen(0.5, vm(1, 1, cpu_demand_mhz=200.0)),
        seen(1, vm(1, 1, cpu_demand_mhz=700.0)),
    )
    assert cpu_of(history, "vm-1", 2) == [150.0, 700.0]


def test_a_step_without_a_figure_is_not_known() -> None:
    history = taken(seen(0, vm(1, 1)), seen(1, vm(1, 1, cpu_demand_mhz=None)), seen(3, vm(1, 1)))
    np.testing.assert_array_equal(cpu_of(history, "vm-1", 4), [1000.0, np.nan, np.nan, 1000.0])


def test_percentile_and_maximum_come_from_the_deviation_of_the_samples() -> None:
    history = taken(seen(0, vm(1, 1, cpu_demand_mhz=100.0, cpu_demand_stddev_mhz=10.0)))
    assert history.last is not None
    block, _ = history.blocks(history.last, history.last)
    found = [block.figures[Series(Measure.CPU, each)].item() for each in Statistic]
    assert found == pytest.approx([100.0, 116.45, 117.36])


def test_old_steps_are_as_exact_as_a_byte_allows() -> None:
    wanted = [37.0 * 1.3**step for step in range(STEPS)]
    history = taken(*(seen(at, vm(1, 1, cpu_demand_mhz=mhz)) for at, mhz in enumerate(wanted)))
    found = cpu_of(history, "vm-1", STEPS)
    assert found[-EXACT_STEPS:] == pytest.approx(wanted[-EXACT_STEPS:], rel=1e-6)
    assert found == pytest.approx(wanted, rel=worst_error_ratio(Measure.CPU) * 1.001)


@pytest.mark.parametrize("late", [0.0, -0.5, -3.0])
def test_a_snapshot_that_is_not_newer_changes_nothing(late: float) -> None:
    history = taken(seen(5, vm(1, 1)))
    history.take(seen(5 + late, vm(1, 1, cpu_demand_mhz=9.0), vm(2, 1)))
    assert cpu_of(history, "vm-1", 5)[-1] == 1000.0
    assert len(history) == 1


def test_a_clock_that_was_set_back_is_believed_in_the_end() -> None:
    history = taken(seen(0, vm(1, 1)), seen(100, vm(1, 1)))
    for step in range(1, BELIEVED_AFTER + 1):
        history.take(seen(step, vm(1, 1, cpu_demand_mhz=9.0)))
    assert cpu_of(history, "vm-1", 2)[-1] == 9.0
    history.take(seen(BELIEVED_AFTER + 1, vm(1, 1, cpu_demand_mhz=7.0)))
    assert cpu_of(history, "vm-1", 2) == [9.0, 7.0]


@pytest.mark.parametrize("size", [{"vcpus": 4}, {"memory_mib": 8192.0}], ids=["vcpus", "memory"])
def test_a_resized_vm_starts_anew(size: dict[str, float]) -> None:
    history = taken(*(seen(step, vm(1, 1), vm(2, 1)) for step in range(30)))
    history.take(seen(30, vm(1, 1, **size), vm(2, 1)))
    assert np.isfinite(cpu_of(history, "vm-1", STEPS)).sum() == 1
    assert np.isfinite(cpu_of(history, "vm-2", STEPS)).sum() == 31


def test_a_vm_that_was_off_starts_anew_and_one_that_was_suspended_does_not() -> None:
    history = taken(*(seen(step, vm(1, 1), vm(2, 1)) for step in range(30)))
    history.take(seen(30, vm(1, 1, power=PowerState.OFF), vm(2, 1, power=PowerState.SUSPENDED)))
    history.take(seen(31, vm(1, 1), vm(2, 1)))
    assert np.isfinite(cpu_of(history, "vm-1", STEPS)).sum() == 1
    assert np.isfinite(cpu_of(history, "vm-2", STEPS)).sum() == 31


def test_a_jump_of_days_forgets_and_does_not_allocate() -> None:
    history = taken(seen(0, vm(1, 1)))
    before = history.nbytes
    history.take(seen(10_000_000, vm(1, 1)))
    assert np.isfinite(cpu_of(history, "vm-1", STEPS)).sum() == 1
    assert history.nbytes == before


def test_memory_is_bounded_however_many_come_and_go() -> None:
    history, one_block = DemandHistory(steps=STEPS), taken(seen(0, vm(1, 1))).nbytes
    for step in range(12):
        history.take(seen(step, *(vm(step * 100 + at, 1) for at in range(100))))
        assert len(history) <= 100 + 100 * SPARE_RATIO + SPARE
    assert history.nbytes <= 5 * one_block
    names = set(history.view(1).vms)
    assert {f"vm-{1100 + at}" for at in range(100)} <= names


def test_who_has_been_away_for_longer_than_the_ring_is_forgotten() -> None:
    history = taken(seen(0, vm(1, 1), vm(2, 2)), seen(1, vm(2, 2)))
    assert len(history) == 2
    history.take(seen(STEPS + 2, vm(2, 2)))
    assert history.view(1).vms == ("vm-2",)


def test_whoever_goes_leaves_the_figures_of_the_others_as_they_are() -> None:
    many = [vm(at, 1, cpu_demand_mhz=float(at)) for at in range(1, WIDTHS[Kind.VM] + 40)]
    history = taken(seen(0, *many), seen(1, *many[20:]), seen(STEPS + 1, *many[20:]))
    view = history.view(STEPS)
    assert len(view.vms) == len(many) - 20
    wanted = [float(name.removeprefix("vm-")) for name in view.vms]
    np.testing.assert_array_equal(view.cpu_mhz[-1], wanted)


def test_a_block_of_longer_steps_fills_only_what_is_not_known() -> None:
    history = taken(seen(30, vm(1, 1)))
    figures = np.array([[5.0, 7.0], [6.0, 8.0]], dtype=np.float32)
    members = (Member(identity="vm-1"), Member(identity="vm-3"))
    history.fill(
        Block(
            kind=Kind.VM,
            starts_at=NOON + timedelta(seconds=300 * 19),
            step_s=1800.0,
            members=members,
            figures={CPU: figures},
        )
    )
    assert cpu_of(history, "vm-1", 12) == pytest.approx([5.0] * 6 + [6.0] * 5 + [1000.0])
    assert cpu_of(history, "vm-3", 12) == pytest.approx([7.0] * 6 + [8.0] * 6)


def test_what_was_before_a_vm_began_anew_is_not_filled() -> None:
    history = taken(seen(0, vm(1, 1)), seen(28, vm(1, 1, vcpus=8)), seen(30, vm(1, 1, vcpus=8)))
    block = Block(
        kind=Kind.VM,
        starts_at=NOON + timedelta(seconds=300 * 20),
        step_s=300.0,
        members=(Member(identity="vm-1"),),
        figures={CPU: np.full((10, 1), 5.0, dtype=np.float32)},
    )
    history.fill(block)
    found = cpu_of(history, "vm-1", 4)
    np.testing.assert_array_equal(found, [np.nan, 1000.0, 5.0, 1000.0])


def test_a_member_of_another_size_is_not_filled() -> None:
    history = taken(seen(30, vm(1, 1)))
    block = Block(
        kind=Kind.VM,
        starts_at=NOON + timedelta(seconds=300 * 29),
        step_s=300.0,
        members=(Member(identity="vm-1", vcpus=16, memory_mib=4096.0),),
        figures={CPU: np.full((1, 1), 5.0, dtype=np.float32)},
    )
    history.fill(block)
    assert np.isnan(cpu_of(history, "vm-1", 2)[0])


def test_a_name_that_stands_there_twice_is_remembered_once() -> None:
    twins = [vm(1, 1, uuid="same"), vm(2, 1, uuid="same")]
    assert taken(seen(0, *twins), seen(1, *twins)).view(1).vms == ("same",)


@pytest.mark.parametrize("state", [HostState.DISCONNECTED, HostState.NOT_RESPONDING])
def test_what_a_host_that_does_not_answer_last_said_is_not_known(state: HostState) -> None:
    silent = host(1, state=state, cpu_usage_mhz=5.0)
    snap = replace(seen(1, vm(1, 1)), hosts=(silent, host(2, cpu_usage_mhz=6.0)))
    history = taken(seen(0, vm(1, 1)), snap)
    assert np.isnan(cpu_of(history, "vm-1", 1)).all()
    _, cpu, _ = history.host_usage(1)
    np.testing.assert_array_equal(cpu, [[np.nan, 6.0]])


def test_the_figures_of_hosts_are_remembered_too() -> None:
    snap = replace(seen(0), hosts=(host(1, cpu_usage_mhz=5.0, memory_usage_mib=6.0), host(2)))
    names, cpu, memory = taken(snap).host_usage(1)
    assert names == (HostId("host-1"), HostId("host-2"))
    np.testing.assert_array_equal(cpu, [[5.0, np.nan]])
    np.testing.assert_array_equal(memory, [[6.0, np.nan]])
