"""The production cycle on a world that lives through a made-up trace."""

import pickle
import sys
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.replaying import side_by_side
from balancer.adapters.simulated.trace import TraceKind, make_hosts, make_placement, make_trace
from balancer.cli.lab_entrants import entrants
from balancer.lab.contenders import CONTENDERS
from balancer.lab.errands import Entrant, Errand, play
from balancer.lab.replay import replay
from balancer.lab.result import Run
from balancer.lab.scene import Scene
from balancer.lab.world import ReplayedVCenter
from balancer.model.host import Host, HostState
from balancer.model.trace import Resize, Trace
from balancer.model.vm import PowerState

HOUR_SLOTS = 12


def hosts_for(trace: Trace) -> tuple[Host, ...]:
    """Return three hosts, each of which all VMs at once fill by half more than it has."""
    wanted = float(trace.cpu_mhz[0].sum())
    return make_hosts(3, cpu_mhz=wanted / 1.5, memory_mib=262_144.0)


def crowded(slots: int = HOUR_SLOTS) -> Scene:
    """Return three hosts, all VMs on the first one, which is short of CPU."""
    trace = make_trace(12, slots, seed=1, kind=TraceKind.CONSTANT)
    hosts = hosts_for(trace)
    return Scene(trace=trace, hosts=hosts, placement={vm.name: hosts[0].id for vm in trace.vms})


def played(name: str, scene: Scene, seed: int = 0) -> Run:
    return replay(scene, CONTENDERS[name], seed=seed)


@pytest.mark.parametrize("name", ["steady", "drs-3", "drs-cost-3", "reactive-80", "chase"])
def test_contenders_relieve_a_crowded_host(name: str) -> None:
    scene = crowded()
    nothing, run = played("nothing", scene), played(name, scene)
    assert nothing.score.moves == 0
    assert run.score.moves > 0
    assert run.score.unmet_ghz_h < nothing.score.unmet_ghz_h
    assert {mark.reason for mark in run.moves} <= {"contention", "balance"}
    assert run.cycles == HOUR_SLOTS


def test_proxlb_likes_move_by_memory() -> None:
    scene = replace(crowded(), idle_consumed=1.0)
    small = tuple(replace(host, memory_capacity_mib=65_536.0) for host in scene.hosts)
    run = played("proxlb-memory", replace(scene, hosts=small))
    assert {mark.source for mark in run.moves} == {crowded().hosts[0].id}


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = (played("steady", crowded(), seed=3) for _ in range(2))
    assert (one.moves, one.score, one.quiet) == (other.moves, other.score, other.quiet)


def test_steady_moves_nothing_on_constant_load_that_fits() -> None:
    trace = make_trace(12, HOUR_SLOTS, seed=1, kind=TraceKind.CONSTANT)
    hosts = make_hosts(3, cpu_mhz=1e6)
    scene = Scene(trace=trace, hosts=hosts, placement=make_placement(trace, hosts))
    assert played("steady", scene).score.moves == 0


@pytest.mark.parametrize("name", ["drs-5", "drs-cost-1", "reactive-70", "proxlb-memory"])
@pytest.mark.parametrize("what", ["no VM runs", "no host serves"])
def test_rivals_plan_nothing_where_there_is_nothing_to_place(name: str, what: str) -> None:
    scene = crowded(4)
    idle = np.full_like(scene.trace.cpu_mhz, np.nan)
    down = tuple(replace(host, state=HostState.NOT_RESPONDING) for host in scene.hosts)
    scenes = {
        "no VM runs": replace(scene, trace=replace(scene.trace, cpu_mhz=idle)),
        "no host serves": replace(scene, hosts=down),
    }
    run = played(name, scenes[what])
    assert (run.moves, run.cycles) == ((), 4)


def test_progress_tells_the_slots_that_are_over() -> None:
    told: list[tuple[int, int]] = []
    replay(crowded(3), CONTENDERS["steady"], progress=lambda over, of: told.append((over, of)))
    assert [of for _, of in told] == [3, 3, 3]


def test_the_world_shows_the_last_slot_that_is_over() -> None:
    scene = crowded(3)
    scene.trace.cpu_mhz[:, 0] = [100.0, 200.0, np.nan]
    world, seen = ReplayedVCenter(scene, 0), []
    for _ in range(4):
        vm = world.snapshot(world.ref).vms[0]
        seen.append((vm.cpu_demand_mhz, vm.power))
        world.clock.sleep(scene.trace.step_s)
    assert seen == [
        (100.0, PowerState.ON),
        (100.0, PowerState.ON),
        (200.0, PowerState.ON),
        (None, PowerState.OFF),
    ]


def test_the_world_resizes_vms_and_shows_consumed_memory() -> None:
    scene = crowded(3)
    scene.trace.memory_mib[:, 0] = 1024.0
    bigger = Resize(slot=1, vm=0, vcpus=7, memory_mib=9216.0)
    scene = replace(scene, trace=replace(scene.trace, resizes=(bigger,)))
    world = ReplayedVCenter(scene, 0)
    world.clock.sleep(2 * scene.trace.step_s)
    vm = world.snapshot(world.ref).vms[0]
    assert (vm.vcpus, vm.memory_mib) == (7, 9216.0)
    assert vm.memory_consumed_mib == 1024.0 + 0.25 * 8192.0


def test_a_scene_refuses_a_vm_without_a_host() -> None:
    scene = crowded(1)
    with pytest.raises(ValueError, match="no host of the scene is given for 1 VMs"):
        replace(scene, placement={**scene.placement, scene.trace.vms[0].name: "elsewhere"})


def entrant(tmp_path: Path, text: str) -> Entrant:
    """Return ours with a policy of this text beside what `steady` says."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"apiVersion: balancer/v1\nkind: Policy\nname: mine\n{text}")
    (found,), _ = entrants((), (str(path),))
    return found


def test_windows_that_change_settings_are_opened(tmp_path: Path) -> None:
    text = (
        "thresholds: {cpu_contention: 0.5}\n"
        "windows:\n- {name: quiet, effect: settings, cron: '0 0 * * *', duration_min: 30,"
        " settings: {goals: {contention: false, balance: false}}}\n"
    )
    run = replay(crowded(), entrant(tmp_path, text).contender)
    assert run.moves
    assert min(move.begun_s for move in run.moves) == 1800.0


def test_a_vm_whose_mode_waits_for_a_person_is_not_moved(tmp_path: Path) -> None:
    scene = crowded()
    moved = {move.vm for move in played("ours", scene).moves}
    text = f"vm_modes: [{{vms: {{name: {[*moved]}}}, mode: manual}}]\n"
    run = replay(scene, entrant(tmp_path, text).contender)
    assert moved
    assert not moved & {move.vm for move in run.moves}


def test_a_policy_with_windows_can_be_sent_to_another_process(tmp_path: Path) -> None:
    text = (
        "windows: [{name: night, effect: deny, weekdays: [mon], start: '22:00', duration_min: 60}]"
    )
    sent = Errand(scene=crowded(2), entrant=entrant(tmp_path, text), seed=0, interval_s=300.0)
    assert side_by_side.__module__ in sys.modules  # it says how mappings are sent
    there = pickle.loads(ForkingPickler.dumps(sent))
    one, other = (play(errand, lambda *_: None) for errand in (sent, there))
    assert (one.moves, one.quiet) == (other.moves, other.quiet)
