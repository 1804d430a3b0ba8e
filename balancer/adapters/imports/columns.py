"""The sheets and columns of RVTools exports that are read, under the names that its versions gave them.

The table is what docs/operate/import.md shows. Names are compared without case, and a unit at the end counts:
`Memory`, `Memory MB`, `Memory (MiB)` and `Size MiB` are one column. RVTools' "MB" are 2^20 bytes like its "MiB":
hosts of 256 GiB are listed with 262,1xx MB.

Source of names and of what they hold: headers of public exports of RVTools 3.x and 4.x, which follow the vSphere
API: `Overall` is `quickStats.overallCpuUsage`, `Active` is `guestMemoryUsage`, `Consumed` is `hostMemoryUsage`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    FLAG = "flag"
    COUNT = "count"
    MEMORY = "MiB"
    CPU = "MHz"
    PERCENT = "percent"


FACTORS: Mapping[Kind, Mapping[str, float]] = MappingProxyType(
    {
        Kind.MEMORY: {
            "bytes": 2.0**-20,
            "kb": 2.0**-10,
            "kib": 2.0**-10,
            "mb": 1.0,
            "mib": 1.0,
            "gb": 1024.0,
            "gib": 1024.0,
            "tb": 2.0**20,
            "tib": 2.0**20,
        },
        Kind.CPU: {"mhz": 1.0, "ghz": 1000.0},
        Kind.PERCENT: {"%": 1.0},
    }
)
"""By what a figure is multiplied, by unit."""

_UNIT = re.compile(r"^(?P<name>.*?)\s*[(\[]?\s*(?P<unit>bytes|[kmgt]i?b|[mg]hz|%)\s*[)\]]?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: our word for it, what it holds, and the names it has had."""

    key: str
    kind: Kind
    names: tuple[str, ...]
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One sheet. `takes_last`: columns of which the last counts where a custom attribute has the same name."""

    name: str
    columns: tuple[Column, ...]
    is_required: bool = False
    takes_last: frozenset[str] = frozenset()


def _text(key: str, *names: str, needed: bool = False) -> Column:
    return Column(key=key, kind=Kind.TEXT, names=names, is_required=needed)


def _of(kind: Kind, key: str, *names: str, needed: bool = False) -> Column:
    return Column(key=key, kind=kind, names=names, is_required=needed)


_VM_PLACE = frozenset({"cluster", "host", "datacenter"})
_DATACENTER = _text("datacenter", "Datacenter")
_VM = (
    _text("vm", "VM", "VM Name", "Name", needed=True),
    _text("id", "VM ID", "VMRef"),
    _text("uuid", "VM UUID"),
    _text("host", "Host", "ESX Host"),
)

TABS: tuple[Tab, ...] = (
    Tab(
        name="vInfo",
        is_required=True,
        takes_last=_VM_PLACE,
        columns=(
            *_VM[:3],
            _text("host", "Host", "ESX Host", needed=True),
            _text("cluster", "Cluster"),
            _DATACENTER,
            _text("power", "Powerstate", "Power State", needed=True),
            _of(Kind.FLAG, "template", "Template"),
            _of(Kind.FLAG, "placeholder", "SRM Placeholder"),
            _text("connection", "Connection state"),
            _of(Kind.COUNT, "vcpus", "CPUs", "# CPU", "Num CPU", "vCPU", needed=True),
            _of(Kind.MEMORY, "memory", "Memory", "Memory Size", "Size", needed=True),
            _of(Kind.MEMORY, "active", "Active Memory"),
            _of(Kind.PERCENT, "ready", "Overall Cpu Readiness"),
            _of(Kind.FLAG, "consolidating", "Consolidation Needed"),
            _text("min_evc", "min Required EVC Mode Key"),
            _text("latency", "Latency Sensitivity"),
            _text("fault_tolerance", "FT State", "FT Status"),
            _text("hardware", "HW version", "Virtual HW Version"),
            _text("folder", "Folder"),
            _text("path", "Path", "VM Config file"),
            _text("rules", "Cluster rule name(s)"),
            _text("server", "VI SDK Server"),
            _text("server_uuid", "VI SDK UUID"),
        ),
    ),
    Tab(
        name="vHost",
        is_required=True,
        columns=(
            _text("host", "Host", "ESX Host", "Name", needed=True),
            _text("id", "Object ID"),
            _text("cluster", "Cluster", needed=True),
            _DATACENTER,
            _text("cpu_model", "CPU Model"),
            _of(Kind.CPU, "speed", "Speed", "CPU Speed", "CPUMhz", needed=True),
            _of(Kind.COUNT, "sockets", "# CPU", "# CPUs", "NumCpu"),
            _of(Kind.COUNT, "cores_per_socket", "Cores per CPU"),
            _of(Kind.COUNT, "cores", "# Cores", "NumCpuCores", "Cores"),
            _of(Kind.MEMORY, "memory", "# Memory", "Memory", "Mem Capacity", needed=True),
            _of(Kind.PERCENT, "cpu_usage", "CPU usage", "CpuUsage"),
            _of(Kind.PERCENT, "memory_usage", "Memory usage"),
            _of(Kind.FLAG, "maintenance", "in Maintenance Mode"),
            _of(Kind.FLAG, "quarantine", "in Quarantine Mode"),
            _text("connection", "Connection state"),
            _of(Kind.FLAG, "vmotion", "VMotion support"),
            _text("evc", "Current EVC"),
            _text("max_evc", "Max EVC"),
            _of(Kind.COUNT, "running", "# VMs"),
        ),
    ),
    Tab(
        name="vCPU",
        takes_last=_VM_PLACE,
        columns=(
            *_VM,
            _of(Kind.CPU, "usage", "Overall", "Overall CPU usage"),
            _of(Kind.CPU, "reservation", "Reservation"),
            _of(Kind.CPU, "limit", "Limit"),
            _of(Kind.COUNT, "shares", "Shares"),
        ),
    ),
    Tab(
        name="vMemory",
        takes_last=_VM_PLACE,
        columns=(
            *_VM,
            _of(Kind.MEMORY, "active", "Active"),
            _of(Kind.MEMORY, "consumed", "Consumed"),
            _of(Kind.MEMORY, "swapped", "Swapped"),
            _of(Kind.MEMORY, "ballooned", "Ballooned", "Balloon"),
            _of(Kind.MEMORY, "reservation", "Reservation"),
            _of(Kind.MEMORY, "limit", "Limit"),
            _of(Kind.COUNT, "shares", "Shares"),
            _of(Kind.FLAG, "locked", "Memory Reservation Locked To Max"),
        ),
    ),
    Tab(
        name="vCluster",
        columns=(
            _text("cluster", "Name", "Cluster", needed=True),
            _text("id", "Object ID"),
            _of(Kind.FLAG, "ha", "HA enabled"),
            _of(Kind.COUNT, "failover_level", "Failover Level"),
            _of(Kind.FLAG, "admission", "AdmissionControlEnabled"),
            _of(Kind.FLAG, "drs", "DRS enabled"),
            _text("automation", "DRS default VM behavior"),
            _of(Kind.COUNT, "rate", "DRS vmotion rate"),
        ),
    ),
    Tab(
        name="vDatastore",
        columns=(
            _text("name", "Name", "Datastore", needed=True),
            _text("kind", "Type"),
            _of(Kind.FLAG, "accessible", "Accessible"),
            _of(Kind.MEMORY, "capacity", "Capacity"),
            _of(Kind.MEMORY, "free", "Free"),
            _text("hosts", "Hosts"),
        ),
    ),
    Tab(
        name="vDisk",
        takes_last=_VM_PLACE,
        columns=(
            *_VM,
            _text("path", "Disk Path", "Path"),
            _text("shared_bus", "Shared Bus"),
        ),
    ),
    Tab(
        name="vNetwork",
        takes_last=_VM_PLACE,
        columns=(
            *_VM,
            _text("network", "Network"),
            _text("adapter", "Adapter"),
        ),
    ),
    Tab(
        name="vPort",
        columns=(
            _text("host", "Host", needed=True),
            _text("network", "Port Group", "PortGroup", needed=True),
        ),
    ),
    Tab(
        name="vCD",
        takes_last=_VM_PLACE,
        columns=(
            *_VM,
            _of(Kind.FLAG, "connected", "Connected"),
            _text("device", "Device Type"),
        ),
    ),
    Tab(
        name="vUSB",
        takes_last=_VM_PLACE,
        columns=(*_VM, _of(Kind.FLAG, "connected", "Connected")),
    ),
    Tab(
        name="vMetaData",
        columns=(_text("created", "xlsx creation datetime", "creation datetime"),),
    ),
)
"""The sheets in the order in which people look at them."""

TAB_OF: Mapping[str, Tab] = MappingProxyType({tab.name.lower(): tab for tab in TABS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a column stands in a sheet: its place from 0, its own name there, and its unit's factor."""

    index: int
    header: str
    kind: Kind
    factor: float = 1.0


def find_columns(
    tab: Tab, headers: Sequence[str]
) -> tuple[Mapping[str, Found], tuple[Column, ...], tuple[str, ...]]:
    """Return the columns of a sheet by key, the required ones that it lacks, and names that occur twice."""
    found: dict[str, Found] = {}
    doubled: list[str] = []
    for column in tab.columns:
        places = _places(column, headers)
        if not places:
            continue
        if len(places) > 1:
            doubled.append(places[0].header)
        found[column.key] = places[-1 if column.key in tab.takes_last else 0]
    missing = [c for c in tab.columns if c.is_required and c.key not in found]
    return found, tuple(missing), tuple(doubled)


def _places(column: Column, headers: Sequence[str]) -> list[Found]:
    """Return the places of the first of a column's names that occurs."""
    for name in column.names:
        wanted = _plain(name)
        places = [
            Found(index=index, header=header, kind=column.kind, factor=factor)
            for index, header in enumerate(headers)
            if (factor := _factor(column.kind, wanted, header)) is not None
        ]
        if places:
            return places
    return []


def _factor(kind: Kind, wanted: str, header: str) -> float | None:
    """Return the factor of a header's unit where it is the wanted name, None where it is another one."""
    plain = _plain(header)
    if plain == wanted:
        return 1.0
    match = _UNIT.match(plain)
    if match is None or match["name"].strip() != wanted:
        return None
    return FACTORS.get(kind, {}).get(match["unit"])


def _plain(name: str) -> str:
    return " ".join(name.replace("\ufeff", "").replace("\u00a0", " ").lower().split())
