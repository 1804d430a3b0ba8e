"""Makes up traces of demand over time: for tests, examples and whoever has no trace of their own.

A pure function of its arguments. It owns no real data; the shapes are those of `DemandModel`: day curve, noise
of five minutes, bursts of half an hour.
"""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import numpy.typing as npt

from balancer.adapters.simulated.demand import CORE_MHZ
from balancer.model.history import Figures
from balancer.model.host import Host
from balancer.model.trace import Trace, TraceVm
from balancer.model.units import DAY_S, HostId, Mhz, Mib, Seconds

MADE_STEP_S: Seconds = 300.0
"""Length of a slot of a made-up trace."""

MADE_START = datetime(2024, 1, 1, tzinfo=UTC)
"""When a made-up trace begins: a Monday, midnight."""

_VCPUS = np.array((1, 2, 4, 8))
_VCPU_SHARES = (0.45, 0.25, 0.20, 0.10)
_MIB_PER_VCPU = 4096.0
_BURST_SLOTS = 6
_Random = np.random.Generator
_Floats = npt.NDArray[np.float64]


class TraceKind(StrEnum):
    """What the load of a made-up trace does over time."""

    CONSTANT = "constant"  # every VM wants the same all the time
    DAY = "day"  # office hours and nights, with noise
    BURSTS = "bursts"  # little, and now and then nearly all of the VM's size for half an hour


def make_trace(vms: int, slots: int, *, seed: int = 0, kind: TraceKind = TraceKind.DAY) -> Trace:
    """Make up a trace of `vms` VMs over `slots` slots of 5 minutes. The same arguments give the same trace."""
    random = np.random.default_rng((seed, vms, slots))
    vcpus = random.choice(_VCPUS, size=vms, p=_VCPU_SHARES)
    size_mhz, size_mib = vcpus * CORE_MHZ, vcpus * _MIB_PER_VCPU
    share = np.clip(_share(random, vms, slots, kind), 0.0, 1.0)
    active = np.clip(0.08 + 0.25 * share, 0.0, 1.0)
    return Trace(
        name=f"made-{kind}-{seed}",
        start=MADE_START,
        step_s=MADE_STEP_S,
        vms=tuple(
            TraceVm(
                name=f"vm{number + 1}",
                vcpus=int(vcpus[number]),
                memory_mib=float(size_mib[number]),
                uuid=str(uuid5(NAMESPACE_OID, f"trace/vm{number + 1}")),
            )
            for number in range(vms)
        ),
        cpu_mhz=_rounded(share * size_mhz),
        memory_mib=_rounded(active * size_mib),
    )


def make_hosts(
    count: int, *, cpu_mhz: Mhz = 24 * CORE_MHZ, memory_mib: Mib = 262_144.0
) -> tuple[Host, ...]:
    """Return hosts of equal size, named host01, host02, ... ."""
    return tuple(
        Host(
            id=HostId(f"host{number:02}"),
            name=f"host{number:02}",
            cpu_cores=max(int(cpu_mhz // CORE_MHZ), 1),
            cpu_capacity_mhz=cpu_mhz,
            memory_capacity_mib=memory_mib,
        )
        for number in range(1, count + 1)
    )


def make_placement(trace: Trace, hosts: tuple[Host, ...], *, seed: int = 0) -> dict[str, HostId]:
    """Put every VM of a trace on a host drawn at random among those with room for its memory.

    Raises:
        ValueError: a VM has no room anywhere.
    """
    random = np.random.default_rng((seed, len(hosts)))
    free = np.array([host.memory_capacity_mib for host in hosts])
    placement = {}
    for vm in trace.vms:
        having_room = np.flatnonzero(free >= vm.memory_mib)
        if not having_room.size:
            raise ValueError(f"no host has {vm.memory_mib:.0f} MiB left for {vm.name}")
        chosen = int(random.choice(having_room))
        free[chosen] -= vm.memory_mib
        placement[vm.name] = hosts[chosen].id
    return placement


def _share(random: _Random, vms: int, slots: int, kind: TraceKind) -> _Floats:
    """Return what each VM wants of its own size, shape (slots, vms)."""
    level = random.uniform(0.05, 0.45, size=vms)
    if kind is TraceKind.CONSTANT:
        return np.tile(level, (slots, 1))
    noise = random.normal(1.0, 0.08, size=(slots, vms))
    if kind is TraceKind.BURSTS:
        starts = random.random((slots, vms)) < 0.01
        is_burst = np.zeros((slots, vms), dtype=bool)
        for delay in range(_BURST_SLOTS):
            is_burst[delay:] |= starts[: slots - delay]
        return np.where(is_burst, 0.9, 0.3 * level) * noise
    at_s = np.arange(slots)[:, None] * MADE_STEP_S
    peak_s = random.normal(14.0, 2.0, size=vms) * 3600.0
    swing = random.uniform(0.2, 0.9, size=vms)
    return level * (1.0 + swing * np.cos(2.0 * np.pi * (at_s - peak_s) / DAY_S)) * noise


def _rounded(figures: _Floats) -> Figures:
    return np.round(figures).astype(np.float32)
