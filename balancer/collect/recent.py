"""What the VMs that stand on each host now wanted over the last steps, from memory into a snapshot.

A snapshot that carries its past can be planned again anywhere with the same result. The past goes with the VMs:
after a move both hosts have the past that their VMs bring along.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from balancer.model.drafts import changed
from balancer.model.history import Figures, HistoryView, identity_of
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Vm

Loads = npt.NDArray[np.float64]


def with_recent(snapshot: Snapshot, view: HistoryView) -> Snapshot:
    """Return the snapshot with what a view of the newest steps remembers.

    A VM of which a step is not known counts with what it wants now, so that nothing that is missing looks like
    calm. Steps before anything was known are left out. `view` must contain the snapshot itself.
    """
    column = {key: at for at, key in enumerate(view.vms)}
    found = [(vm, column.get(identity_of(vm))) for vm in snapshot.running_vms]
    vms = [vm for vm, at in found if at is not None]
    columns = [at for _, at in found if at is not None]
    place = {host.id: at for at, host in enumerate(snapshot.hosts)}
    at = [place[vm.host] for vm in vms]
    cpu, memory = view.cpu_mhz[:, columns], view.memory_mib[:, columns]
    known = np.isfinite(cpu).any(axis=1)
    first = int(known.argmax()) if known.any() else len(cpu)
    loads = (
        _by_host(cpu[first:], [_cpu_now(vm) for vm in vms], at, len(place)),
        _by_host(memory[first:], [vm.memory_active_mib or 0.0 for vm in vms], at, len(place)),
    )
    hosts = tuple(
        changed(host, recent_cpu_mhz=tuple(mhz), recent_memory_mib=tuple(mib))
        for host, mhz, mib in zip(snapshot.hosts, *(load.T.tolist() for load in loads), strict=True)
    )
    return replace(snapshot, hosts=hosts, recent_step_seconds=view.step_s)


def _by_host(figures: Figures, now: Sequence[float], at: Sequence[int], hosts: int) -> Loads:
    """Return the sum of the VMs on each host, (steps, hosts); `now` and `at` are by VM."""
    load = np.zeros((hosts, len(figures)))
    np.add.at(load, at, np.where(np.isfinite(figures), figures, now).T)
    return load.T


def _cpu_now(vm: Vm) -> float:
    return (vm.cpu_usage_mhz if vm.cpu_demand_mhz is None else vm.cpu_demand_mhz) or 0.0
