"""Consumed memory of a recording: what the replay shows and is scored by, and where the rule takes its place."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.recording import Recorder
from balancer.adapters.traces import read_recording
from balancer.adapters.traces.assembly import digest_of
from balancer.config.record import Record
from balancer.lab.excerpt import excerpt
from balancer.lab.scene import Scene
from balancer.lab.score import held_ratio, score_of
from balancer.lab.whatif_change import Change, NewVms, Size
from balancer.lab.whatif_trace import change_scene
from balancer.lab.world import ReplayedVCenter
from balancer.model.snapshot import Snapshot
from balancer.model.units import Mib
from balancer.model.vm import PowerState, Vm
from balancer.policy.types import Policy
from tests.support.builders import NOON, vm
from tests.unit.lab.recorded import STEP_MIN, cluster, inputs, record

GROWN: Mib = 120_000.0
BY_RULE: Mib = 2048.0 + 0.25 * 2048.0
"""Of a VM of 4 GiB with 2 GiB of active memory."""


def holding(**facts: Mib | None) -> Vm:
    return vm(1, 1, **facts)


def scene(folder: Path) -> Scene:
    """Return a recording in which vm1 holds 3,000 MiB, then more than its size, then what nobody knows."""

    def grown(now: Snapshot) -> Snapshot:
        return replace(now, vms=(replace(now.vms[0], memory_consumed_mib=GROWN), *now.vms[1:]))

    def unknown(now: Snapshot) -> Snapshot:
        return replace(now, vms=(replace(now.vms[0], memory_consumed_mib=None), *now.vms[1:]))

    begin = cluster([vm(1, 1, memory_consumed_mib=3000.0), vm(2, 2, memory_consumed_mib=500.0)])
    (one,) = inputs(record(folder, begin, slots=3, at_1=grown, at_2=unknown)).scenes
    return one


def read(folder: Path, *looks: Vm | None) -> list[float]:
    """Return the consumed memory read back of a VM that looks like this, 5 minutes apart; None: no look."""
    results: list[str] = []
    recorder = Recorder(Record(folder=folder), folder / "recording.key", results.append)
    for number, look in enumerate(looks):
        if look is not None:
            taken_at = NOON + timedelta(minutes=STEP_MIN * number)
            recorder.put("main/prod", replace(cluster([look]), taken_at=taken_at))
            recorder.write_waiting()
    consumed = read_recording(folder).trace.consumed_mib
    return [] if consumed is None else consumed[:, 0].tolist()


def shown(of: Scene) -> list[list[Mib | None]]:
    """Return the consumed memory of each VM in the slots of a replay that nobody acts in."""
    world, seen = ReplayedVCenter(of, seed=0), []
    for _ in range(of.trace.slots):
        world.clock.sleep(of.trace.step_s)
        seen.append([one.memory_consumed_mib for one in world.snapshot(world.ref).vms])
    return seen


def test_a_replay_shows_what_the_recording_measured_and_the_rule_where_it_did_not(
    tmp_path: Path,
) -> None:
    assert shown(scene(tmp_path)) == [[3000.0, 500.0], [GROWN, 500.0], [BY_RULE, 500.0]]


def test_hosts_show_the_memory_that_was_measured(tmp_path: Path) -> None:
    of = scene(tmp_path)
    world = ReplayedVCenter(of, seed=0)
    host = world.snapshot(world.ref).hosts[0]
    assert host.memory_usage_mib == round(3000.0 + host.memory_overhead_mib)


def test_memory_is_scored_by_what_was_measured(tmp_path: Path) -> None:
    of = scene(tmp_path)
    usable = of.hosts[0].usable_memory_mib
    held = held_ratio(of, ())[:, :2] * usable
    np.testing.assert_allclose(held, [[3000.0, 500.0], [GROWN, 500.0], [BY_RULE, 500.0]])

    score, _ = score_of(of, ())
    assert usable < GROWN
    assert score.memory_slots_full == 1
    np.testing.assert_allclose(score.memory_over_gib_h, (GROWN - usable) / 1024.0 / 12.0)


def test_a_part_of_a_recording_has_its_own_memory(tmp_path: Path) -> None:
    part = replace(scene(tmp_path), recorded=None)
    part = replace(part, trace=excerpt(part.trace, 1, 2))
    assert shown(part) == [[GROWN, 500.0], [BY_RULE, 500.0]]


def test_a_copy_holds_what_its_model_holds_and_a_vm_of_a_given_size_follows_the_rule(
    tmp_path: Path,
) -> None:
    size = Size(vcpus=1, memory_mib=1024.0, cpu_mhz=10.0)
    wanted = (NewVms(count=1, like="vm2"), NewVms(count=1, size=size))
    found = change_scene(scene(tmp_path), Change(add_vms=wanted), Policy())

    consumed = found.scene.trace.consumed_mib
    assert consumed is not None
    assert consumed[:, 2].tolist() == [500.0] * 3
    assert np.isnan(consumed[:, 3]).all()
    held = held_ratio(found.scene, ()) * found.scene.hosts[0].usable_memory_mib
    added = 500.0 + 1024.0
    np.testing.assert_allclose(
        held.sum(axis=1), [each + 500.0 + added for each in (3000.0, GROWN, BY_RULE)]
    )


def test_what_an_emptied_host_gives_away_is_what_was_measured(tmp_path: Path) -> None:
    found = change_scene(scene(tmp_path), Change(remove_hosts=("esx1",)), Policy())
    assert ([seat.name for seat in found.seats], found.seated_mib) == (["vm1"], 3000.0)


def test_a_missed_look_holds_the_last_memory_as_it_holds_the_cpu(tmp_path: Path) -> None:
    known, later = holding(memory_consumed_mib=700.0), holding(memory_consumed_mib=900.0)
    assert read(tmp_path, known, later, None, known, known) == [700.0, 900.0, 900.0, 700.0, 700.0]


def test_a_missed_look_after_an_unknown_figure_holds_none(tmp_path: Path) -> None:
    known, unknown = holding(memory_consumed_mib=700.0), holding(memory_consumed_mib=None)
    np.testing.assert_array_equal(
        read(tmp_path, known, unknown, None, known, known), [700.0, np.nan, np.nan, 700.0, 700.0]
    )


def test_a_vm_that_is_off_holds_nothing_that_is_known(tmp_path: Path) -> None:
    on = holding(memory_consumed_mib=700.0)
    np.testing.assert_array_equal(
        read(tmp_path, on, replace(on, power=PowerState.OFF), on), [700.0, np.nan, 700.0]
    )


def test_a_recording_without_consumed_memory_is_a_trace_without_it(tmp_path: Path) -> None:
    assert read(tmp_path, holding(memory_consumed_mib=None)) == []


def test_the_digest_counts_consumed_memory_only_where_there_is_any(tmp_path: Path) -> None:
    trace = scene(tmp_path).trace
    bare = replace(trace, consumed_mib=None)
    other = replace(trace, consumed_mib=np.zeros_like(trace.cpu_mhz))
    assert len({digest_of(one) for one in (trace, bare, other)}) == 3


def test_consumed_memory_of_another_shape_is_refused(tmp_path: Path) -> None:
    trace = scene(tmp_path).trace
    with pytest.raises(ValueError, match="a trace of 2 VMs has figures of shapes"):
        replace(trace, consumed_mib=trace.cpu_mhz[:1])
