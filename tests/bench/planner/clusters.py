"""Arrays of a population as a snapshot. EVC on, every datastore and network in reach, 10 Gbit/s for vMotion."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from balancer.model.host import Host, HostState
from balancer.model.rule import Rule
from balancer.model.snapshot import Cluster, Snapshot
from balancer.model.units import ClusterId, HostId, VmId
from balancer.model.vm import Blocker, Vm
from tests.bench.planner.population import GIB, MEMORY_CLASSES_GIB, Population
from tests.support.builders import INTEL_MODES

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MHZ_PER_CORE = 2600.0


def host_ids(pop: Population) -> tuple[HostId, ...]:
    """Return the ids of the hosts, in order."""
    return tuple(HostId(f"host-{row:03d}") for row in range(len(pop.capacity)))


def vm_ids(pop: Population) -> tuple[VmId, ...]:
    """Return the ids of the VMs, in order."""
    return tuple(VmId(f"vm-{row:05d}") for row in range(len(pop.demand)))


def to_snapshot(
    name: str, pop: Population, rules: Iterable[Rule] = (), leaving: Iterable[int] = ()
) -> Snapshot:
    """Return the snapshot; `leaving` are the rows of hosts that enter maintenance."""
    gone = set(leaving)
    return Snapshot(
        taken_at=NOON,
        cluster=Cluster(
            id=ClusterId("domain-c1"),
            name=name,
            evc_mode=INTEL_MODES[2].key,
            evc_modes=INTEL_MODES,
        ),
        hosts=tuple(_host(pop, row, row in gone) for row in range(len(pop.capacity))),
        vms=tuple(_vm(pop, row) for row in range(len(pop.demand))),
        rules=tuple(rules),
    )


def _host(pop: Population, row: int, is_leaving: bool) -> Host:
    cpu, memory = pop.capacity[row].tolist()
    return Host(
        id=HostId(f"host-{row:03d}"),
        name=f"esx{row:03d}",
        cpu_capacity_mhz=cpu,
        memory_capacity_mib=memory,
        cpu_cores=max(1, round(cpu / MHZ_PER_CORE)),
        cpu_vendor="intel",
        max_evc_mode=INTEL_MODES[2 + row % 3].key,
        state=HostState.ENTERING_MAINTENANCE if is_leaving else HostState.CONNECTED,
    )


def _vm(pop: Population, row: int) -> Vm:
    cpu, memory = (round(figure, 1) for figure in pop.demand[row].tolist())
    classes = MEMORY_CLASSES_GIB[memory <= MEMORY_CLASSES_GIB * GIB]
    size = float(classes[0]) * GIB if len(classes) else float(np.ceil(memory / GIB)) * GIB
    return Vm(
        id=VmId(f"vm-{row:05d}"),
        name=f"vm{row:05d}",
        host=HostId(f"host-{int(pop.at[row]):03d}"),
        vcpus=max(1, round(cpu / (MHZ_PER_CORE * 0.5))),
        memory_mib=size,
        cpu_demand_mhz=cpu,
        cpu_usage_mhz=cpu,
        memory_active_mib=memory,
        memory_consumed_mib=memory,
        dirty_rate_mbps=round(float(pop.dirty_mbps[row]), 1),
        min_evc_mode=INTEL_MODES[row % 3].key,
        blockers=() if pop.movable[row] else (Blocker.USB_DEVICE,),
    )
