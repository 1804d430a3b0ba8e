"""What a change makes of a trace: who is gone, where VMs start, what new ones want, and the figures shown."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from balancer.adapters.simulated.trace import MADE_START, make_hosts
from balancer.lab.contenders import CONTENDERS
from balancer.lab.replay import replay
from balancer.lab.scene import Scene
from balancer.lab.whatif_change import Change, NewHosts, NewVms, Size
from balancer.lab.whatif_replayed import Side, side_of
from balancer.lab.whatif_trace import ChangedScene, change_scene
from balancer.model.errors import InputError
from balancer.model.trace import Resize, Trace, TraceVm
from balancer.model.units import HostId
from balancer.policy.types import Policy

STEP_S = 300.0
NAN = float("nan")
AT = {"a": "host01", "b": "host02", "c": "host03"}


def trace(cpu: Mapping[str, list[float]], *, memory_mib: float = 8192.0) -> Trace:
    """A trace of VMs with these demands in MHz, that use half of their memory."""
    figures = np.array(list(cpu.values()), dtype=np.float32).T
    return Trace(
        name="made",
        start=MADE_START,
        step_s=STEP_S,
        vms=tuple(TraceVm(name=vm, vcpus=4, memory_mib=memory_mib, uuid=f"u-{vm}") for vm in cpu),
        cpu_mhz=figures,
        memory_mib=np.where(np.isnan(figures), np.nan, memory_mib / 2).astype(np.float32),
    )


def scene(of: Trace, places: Mapping[str, str] = AT, *, memory_mib: float = 65_536.0) -> Scene:
    placement = {vm: HostId(host) for vm, host in places.items()}
    hosts = make_hosts(3, cpu_mhz=10_400.0, memory_mib=memory_mib)
    return Scene(trace=of, hosts=hosts, placement=placement, idle_consumed=0.0)


def three(slots: int = 2) -> Trace:
    return trace({"a": [1000.0] * slots, "b": [2000.0] * slots, "c": [3000.0] * slots})


def changed(of: Scene, change: Change) -> ChangedScene:
    return change_scene(of, change, Policy())


def test_hosts_that_are_removed_or_fail_are_gone_and_their_vms_start_elsewhere() -> None:
    found = changed(scene(three()), Change(remove_hosts=("host01",), fail_hosts=("host02",)))
    assert [host.id for host in found.scene.hosts] == ["host03"]
    assert found.scene.placement == dict.fromkeys("abc", "host03")
    assert {(seat.name, seat.source) for seat in found.seats} == {("a", "host01"), ("b", "host02")}
    assert found.seated_mib == 2 * 4096.0
    np.testing.assert_array_equal(found.scene.trace.cpu_mhz, three().cpu_mhz)


def test_a_copy_wants_what_its_model_wants_and_changes_size_with_it() -> None:
    of = replace(
        trace({"a": [1.0, 1.0], "vm-1": [500.0, 900.0], "vm-2": [NAN, 7.0]}),
        resizes=(Resize(slot=1, vm=1, vcpus=8, memory_mib=16_384.0),),
    )
    places = {"a": "host01", "vm-1": "host01", "vm-2": "host02"}
    wanted = (NewVms(count=1, like="vm-1"), NewVms(count=1, like="vm-2"))
    found = changed(scene(of, places), Change(add_vms=wanted)).scene.trace
    assert [vm.name for vm in found.vms] == ["a", "vm-1", "vm-2", "new-vm-1", "new-vm-2"]
    np.testing.assert_array_equal(found.cpu_mhz[:, 3:], of.cpu_mhz[:, 1:])
    assert [(one.vm, one.vcpus) for one in found.resizes] == [(1, 8), (3, 8)]
    assert len({vm.uuid for vm in found.vms}) == 5


def test_a_vm_of_a_given_size_wants_the_same_all_the_time() -> None:
    size = Size(vcpus=2, memory_mib=2048.0, cpu_mhz=900.0)
    found = changed(scene(three()), Change(add_vms=(NewVms(count=2, size=size),))).scene.trace
    assert found.vms[4].vcpus == 2
    assert found.cpu_mhz[:, 3:].tolist() == [[900.0, 900.0]] * 2
    assert found.memory_mib[:, 3:].tolist() == [[2048.0, 2048.0]] * 2


def test_added_hosts_stand_beside_the_others() -> None:
    found = changed(scene(three()), Change(add_hosts=(NewHosts(count=2, like="host02"),)))
    assert [host.name for host in found.scene.hosts][3:] == ["new-host-1", "new-host-2"]
    assert found.scene.placement == AT


def test_a_vm_that_is_switched_on_later_has_a_host_to_start_on_and_one_that_never_runs_needs_none() -> (
    None
):
    of = trace({"a": [NAN, 5000.0], "b": [NAN, NAN], "c": [NAN, 1.0]})
    found = changed(scene(of), Change(fail_hosts=("host01", "host02")))
    assert found.scene.placement == {"a": "host03", "c": "host03"}
    assert not found.unplaced


def test_each_vm_is_placed_by_its_own_figures_in_whatever_order_the_trace_names_them() -> None:
    of = trace({"z": [9000.0] * 2, "b": [100.0] * 2, "a": [100.0] * 2})
    places = {"z": "host01", "b": "host02", "a": "host03"}
    found = changed(scene(of, places), Change(add_vms=(NewVms(count=1, like="z"),)))
    assert found.assumed.new_vms[0].cpu_demand_mhz == 9000.0


def test_a_vm_that_fits_nowhere_is_named_and_is_not_played() -> None:
    of = scene(three(), memory_mib=9000.0)
    found = changed(of, Change(remove_hosts=("host01",), fail_hosts=("host02",)))
    assert [vm.name for vm in found.unplaced] == ["b"]
    assert [refusal.reason.value for refusal in found.unplaced[0].why] == ["memory_ceiling"]
    assert [vm.name for vm in found.scene.trace.vms] == ["a", "c"]
    assert found.scene.trace.cpu_mhz[0].tolist() == [1000.0, 3000.0]


def test_a_wrong_change_names_the_trace() -> None:
    with pytest.raises(InputError, match="the trace has no host 'x'") as told:
        changed(scene(three()), Change(fail_hosts=("x",), add_vms=(NewVms(count=1, like="y"),)))
    assert len(told.value.problems) == 2


def side(of: Scene) -> Side:
    return side_of(of, replay(of, CONTENDERS["nothing"]), "as it is")


def test_the_worst_hour_is_that_of_the_most_unmet_demand() -> None:
    load = np.full(40, 1000.0)
    load[20:24] = 20_000.0
    load[39] = 12_000.0
    found = side(scene(trace({"a": load.tolist(), "b": [5000.0] * 40, "c": [0.0] * 40})))
    assert found.worst.unmet_ghz_h == pytest.approx(4 * 9.6 / 12)
    assert found.worst.host == "host01"
    begins = (found.worst.begins - MADE_START) / timedelta(seconds=STEP_S)
    assert 12 <= begins <= 20
    assert (found.cpu.host, found.cpu.at) == ("host01", MADE_START + timedelta(minutes=100))
    assert found.cpu.ratio == pytest.approx(20_000.0 / 10_400.0)
    assert not found.fits(0.0002)
    assert found.fits(0.13)


def test_without_unmet_demand_the_worst_hour_is_that_of_the_fullest_host() -> None:
    found = side(scene(trace({"a": [100.0] * 3, "b": [5200.0] * 3, "c": [0.0] * 3})))
    assert (found.worst.unmet_ghz_h, found.worst.host) == (0.0, "host02")
    assert found.worst.cpu_ratio == pytest.approx(0.5)
    assert found.memory.ratio == pytest.approx(4096.0 / 65_536.0)
    assert found.fits(0.0)


def test_memory_above_its_ceiling_in_one_slot_does_not_fit() -> None:
    of = trace({"a": [10.0] * 3, "b": [10.0] * 3, "c": [10.0] * 3})
    of.memory_mib[1, 0] = 8192.0
    found = side(scene(of, memory_mib=8400.0))
    assert not found.fits(1.0)
    assert (found.memory.host, found.memory.at) == ("host01", MADE_START + timedelta(minutes=5))
