"""The past of each host in a snapshot: that of the VMs that stand on it now."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from balancer.collect.recent import with_recent
from balancer.model.history import HistoryView
from balancer.model.snapshot import Snapshot
from balancer.model.units import Mhz
from tests.support.builders import NOON, host, snapshot, vm

STEP_S = 300.0


def at(step: int, **wanted: tuple[int, Mhz]) -> Snapshot:
    """Return the cluster in one step; `vm1=(2, 500.0)` stands on the second host and wants 500 MHz."""
    vms = [
        vm(int(name[2:]), on=on, cpu_demand_mhz=mhz, memory_active_mib=mhz / 10)
        for name, (on, mhz) in wanted.items()
    ]
    moment = NOON + timedelta(seconds=step * STEP_S)
    return replace(snapshot([host(1), host(2)], vms), taken_at=moment)


def seen(*snaps: Snapshot, steps: int = 2) -> Snapshot:
    """Return the last snapshot with its past, as remembered from the others; a step between them is not known."""
    first, last = snaps[0].taken_at, snaps[-1].taken_at
    vms = tuple(sorted({str(one.id) for snap in snaps for one in snap.vms}))
    cpu_mhz = np.full(
        (round((last - first).total_seconds() / STEP_S) + 1, len(vms)), np.nan, np.float32
    )
    memory_mib = cpu_mhz.copy()
    for snap in snaps:
        row = round((snap.taken_at - first).total_seconds() / STEP_S)
        for one in snap.vms:
            column = vms.index(str(one.id))
            cpu_mhz[row, column], memory_mib[row, column] = (
                one.cpu_demand_mhz,
                one.memory_active_mib,
            )
    view = HistoryView(
        ends_at=last,
        step_s=STEP_S,
        vms=vms,
        cpu_mhz=cpu_mhz[-steps:],
        memory_mib=memory_mib[-steps:],
    )
    return with_recent(snaps[-1], view)


def cpu(snap: Snapshot) -> list[tuple[Mhz, ...]]:
    return [one.recent_cpu_mhz for one in snap.hosts]


def test_the_past_goes_with_the_vms() -> None:
    before = at(0, vm1=(1, 1000.0), vm2=(1, 2000.0))
    after = at(1, vm1=(1, 1500.0), vm2=(2, 2500.0))
    snap = seen(before, after)
    assert cpu(snap) == [(1000.0, 1500.0), (2000.0, 2500.0)]
    assert [one.recent_memory_mib for one in snap.hosts] == [(100.0, 150.0), (200.0, 250.0)]
    assert snap.recent_step_seconds == STEP_S


def test_all_steps_of_the_view_are_told_oldest_first() -> None:
    snaps = [at(step, vm1=(1, 100.0 * step)) for step in range(1, 5)]
    assert cpu(seen(*snaps))[0] == (300.0, 400.0)
    assert cpu(seen(*snaps, steps=9))[0] == (100.0, 200.0, 300.0, 400.0)


def test_steps_before_anything_was_known_are_left_out() -> None:
    first, last = at(0), at(2, vm1=(1, 1000.0))
    assert cpu(seen(first, last, steps=3))[0] == (1000.0,)


def test_what_is_not_known_of_a_vm_counts_as_it_is_now() -> None:
    first, last = at(0, vm1=(1, 1000.0)), at(2, vm1=(1, 3000.0), vm2=(1, 500.0))
    assert cpu(seen(first, last, steps=3))[0] == (1500.0, 3500.0, 3500.0)


def test_a_cluster_without_running_vms_has_a_past_of_nothing() -> None:
    assert cpu(seen(at(0), at(1))) == [(), ()]
