"""The product plays on beside a host that fails: it moves VMs meanwhile, but never to that host."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from balancer.lab.contenders import CONTENDERS
from balancer.lab.replay import replay
from balancer.lab.result import Run
from balancer.lab.scene import Scene
from balancer.model.host import HostState
from balancer.model.snapshot import Ha, Snapshot
from balancer.model.units import HostId
from tests.support.builders import host, vm
from tests.unit.lab.recorded import Change, cluster, inputs, record

BUSY, ROOMY, FAILING = (HostId(f"host-{number}") for number in (1, 2, 3))
SLOT_S = 300.0
FAILS, RISES, IS_BACK, SLOTS = 2, 5, 14, 16
HOSTS = 6
"""One of six may be lost: above the policy's `lost_hosts_ratio` the cluster would be left alone."""

CALM_MHZ, RISEN_MHZ = 4000.0, 5500.0


def _begin() -> Snapshot:
    """Return a busy host, some with room, and one that is almost empty: the first choice of whoever moves."""
    hosts = [host(number, cpu_cores=8) for number in range(1, HOSTS + 1)]
    busy = [vm(number, 1, vcpus=4, cpu_demand_mhz=CALM_MHZ) for number in (1, 2, 3, 4)]
    others = [
        vm(10 * on + each, on, vcpus=4, cpu_demand_mhz=3000.0)
        for on in range(1, HOSTS + 1)
        for each in (1, 2)
        if HostId(f"host-{on}") not in (BUSY, FAILING)
    ]
    begin = cluster([*busy, *others, vm(7, 3)], hosts=hosts)
    return replace(begin, cluster=replace(begin.cluster, ha=Ha(enabled=True)))


def _rise(now: Snapshot) -> Snapshot:
    vms = (
        replace(each, cpu_demand_mhz=RISEN_MHZ) if each.host == BUSY else each for each in now.vms
    )
    return replace(now, vms=tuple(vms))


def _shows(state: HostState) -> Change:
    def change(now: Snapshot) -> Snapshot:
        hosts = [replace(each, state=state) if each.id == FAILING else each for each in now.hosts]
        vms = (replace(each, host=ROOMY) if each.host == FAILING else each for each in now.vms)
        return replace(now, hosts=tuple(hosts), vms=tuple(vms))

    return change


def _played(folder: Path, **later: Change) -> tuple[Scene, Run]:
    (scene,) = inputs(
        record(folder, _begin(), slots=SLOTS, **{f"at_{RISES}": _rise, **later})
    ).scenes
    return scene, replay(scene, CONTENDERS["steady"])


def test_moves_go_on_beside_a_failed_host_and_never_to_it(tmp_path: Path) -> None:
    scene, run = _played(
        tmp_path, at_2=_shows(HostState.NOT_RESPONDING), at_14=_shows(HostState.CONNECTED)
    )
    (down,) = run.downs
    assert (down.source, down.was_started) == (FAILING, True)
    meanwhile = [
        m for m in run.moves if m.ended_s > FAILS * SLOT_S and m.begun_s < IS_BACK * SLOT_S
    ]
    assert {(m.source, m.fault) for m in meanwhile} == {(BUSY, "")}
    assert FAILING not in {m.target for m in meanwhile}
    wanted_mhz = 4 * RISEN_MHZ + 2 * (HOSTS - 2) * 3000.0 + 1000.0
    capacity = np.array([each.usable_cpu_mhz for each in scene.hosts])
    assert float(run.curves.host_load[-1] @ capacity) == pytest.approx(wanted_mhz, rel=1e-4)


def test_without_the_failure_that_host_is_the_target(tmp_path: Path) -> None:
    _, run = _played(tmp_path)
    assert FAILING in {move.target for move in run.moves}
    assert run.downs == ()
