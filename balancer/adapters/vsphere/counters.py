"""The performance counters that are read, found by name, and their units in the model's own.

Owns the list of counters and the scaling of every unit. Ids are never written down: they differ from
vCenter to vCenter and from version to version. Must never read a counter whose unit it does not know.
Sits between `statistics`, which asks, and `samples`, which reads the answers.

Source for names, units and rollups: vSphere API, `PerfCounterInfo`, `PerformanceManagerUnit`; the
catalogue of a vCenter 9.0.1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pyVmomi import vim

AGGREGATE = ""
"""The instance that stands for the whole VM or host, not for one vCPU or one network card."""


class Counter(StrEnum):
    """Counters by `group.name.rollup`."""

    CPU_DEMAND = "cpu.demand.average"  # MHz; wanted, not bounded by contention or limit
    CPU_READY = "cpu.ready.summation"  # ms in the interval, of all vCPUs together
    CPU_USAGE = "cpu.usagemhz.average"  # MHz
    MEM_ACTIVE = "mem.active.average"  # KiB; an estimate of the host
    MEM_CONSUMED = "mem.consumed.average"  # KiB; of a VM without its overhead
    MEM_OVERHEAD = "mem.overhead.average"  # KiB
    MEM_ACTIVE_WRITE = "mem.activewrite.average"  # KiB; an estimate of the host
    MEM_SWAP_IN = "mem.swapinRate.average"  # KiB/s
    MEM_BALLOON = "mem.vmmemctl.average"  # KiB
    NET_USAGE = "net.usage.average"  # KiB/s, sent and received


VM_COUNTERS = (
    Counter.CPU_DEMAND,
    Counter.CPU_READY,
    Counter.MEM_ACTIVE,
    Counter.MEM_CONSUMED,
    Counter.MEM_OVERHEAD,
    Counter.MEM_ACTIVE_WRITE,
    Counter.MEM_SWAP_IN,
    Counter.MEM_BALLOON,
    Counter.NET_USAGE,
)
HOST_COUNTERS = (Counter.CPU_USAGE, Counter.MEM_CONSUMED)


class Dimension(StrEnum):
    """What a counter measures, in the unit that its values are turned into."""

    SPEED = "MHz"
    TIME = "ms"
    MEMORY = "MiB"
    RATE = "Mb/s"
    SHARE = "percent"


# The server counts memory and traffic in units of 1,024 bytes, and percent in hundredths: 100 is 1 %.
_UNITS: Mapping[str, tuple[Dimension, float]] = {
    "megaHertz": (Dimension.SPEED, 1.0),
    "millisecond": (Dimension.TIME, 1.0),
    "second": (Dimension.TIME, 1000.0),
    "kiloBytes": (Dimension.MEMORY, 1.0 / 1024.0),
    "megaBytes": (Dimension.MEMORY, 1.0),
    "kiloBytesPerSecond": (Dimension.RATE, 8.0 * 1024.0 / 1e6),
    "megaBytesPerSecond": (Dimension.RATE, 8.0 * 1024.0**2 / 1e6),
    "percent": (Dimension.SHARE, 0.01),
}
_DIMENSIONS: Mapping[Counter, Dimension] = {
    Counter.CPU_DEMAND: Dimension.SPEED,
    Counter.CPU_READY: Dimension.TIME,
    Counter.CPU_USAGE: Dimension.SPEED,
    Counter.MEM_ACTIVE: Dimension.MEMORY,
    Counter.MEM_CONSUMED: Dimension.MEMORY,
    Counter.MEM_OVERHEAD: Dimension.MEMORY,
    Counter.MEM_ACTIVE_WRITE: Dimension.MEMORY,
    Counter.MEM_SWAP_IN: Dimension.RATE,
    Counter.MEM_BALLOON: Dimension.MEMORY,
    Counter.NET_USAGE: Dimension.RATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One counter as this server has it: its id there, and what a value is multiplied with.

    Source for the level: vSphere API, `PerfCounterInfo.level`.
    """

    key: int
    counter: Counter
    factor: float
    level: int | None = None  # from which level of statistics on the past keeps it


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The counters of one server. What it lacks, or counts in a unit unknown here, is not among them."""

    meters: Mapping[Counter, Meter]

    def of(self, wanted: Iterable[Counter]) -> tuple[Meter, ...]:
        """Return those of the wanted counters that the server has, in the order of the wish."""
        return tuple(self.meters[counter] for counter in wanted if counter in self.meters)


def scaling(unit: str) -> tuple[Dimension, float] | None:
    """Return what a unit of the server measures and the factor to ours; None where it is not known."""
    return _UNITS.get(unit)


def catalogue_from(counters: Iterable[vim.PerformanceManager.CounterInfo]) -> Catalogue:
    """Return the counters of this program with their ids at the server.

    Of two counters with one name the lower id counts, whatever the order of the table.
    """
    meters: dict[Counter, Meter] = {}
    for info in counters:
        meter = _meter(info)
        if meter is None:
            continue
        known = meters.get(meter.counter)
        if known is None or meter.key < known.key:
            meters[meter.counter] = meter
    return Catalogue(meters)


def _meter(info: vim.PerformanceManager.CounterInfo) -> Meter | None:
    name = f"{info.groupInfo.key}.{info.nameInfo.key}.{info.rollupType}"
    scaled = scaling(info.unitInfo.key)
    if name not in set(Counter) or scaled is None or scaled[0] is not _DIMENSIONS[Counter(name)]:
        return None
    return Meter(key=info.key, counter=Counter(name), factor=scaled[1], level=info.level)
