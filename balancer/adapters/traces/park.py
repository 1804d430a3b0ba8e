"""The hosts of a replay and where VMs stand at its beginning: hosts.csv and a table of placements."""

from collections.abc import Sequence
from pathlib import Path

from balancer.adapters.traces.faults import Faults, cell, refused
from balancer.adapters.traces.text import (
    MEMORY,
    Span,
    cells_of,
    figure,
    lines_of,
    memory_column,
    records,
    vm_name,
)
from balancer.model.host import Host, VmotionLink
from balancer.model.units import HostId, Mib

LINK_MBPS = 10_000.0
"""vMotion link of a host whose row gives none: 10 GbE."""

MOST_HOST_MIB: Mib = 32.0 * 1024 * 1024
"""32 TiB: more memory has no host. Source: 24 TB a host in vSphere 8 and 9, configuration maximums."""

_CORES = Span(least=1.0, most=4096.0, is_whole=True)
_CORE_MHZ = (500.0, 10_000.0)
_MEMORY_MIB = Span(
    least=1024.0,
    most=MOST_HOST_MIB,
    unit="MiB",
    hint="GiB: multiply by 1024; KiB: divide by 1024; bytes: by 1,048,576",
)
_LINK_MBPS = Span(least=100.0, most=1_600_000.0, unit="Mb/s", hint="Gb/s: multiply by 1000")


def read_hosts(path: Path) -> tuple[Host, ...]:
    """Read a park of hosts: columns host, cores, cpu_mhz (of all cores), mem_mb or mem_mib (both MiB).

    `vmotion_mbps` may give the speed of a host's vMotion link, in Mb/s. Other columns are not used.

    Raises:
        InputError: a column is missing, a figure is none or in another unit, or a host is named twice.
    """
    faults, hosts = Faults(path), dict[str, Host]()
    for row, cells in records(path, ("host", "cores", "cpu_mhz"), MEMORY):
        if cells["host"] in hosts or not cells["host"]:
            found = f"host {cells['host'][:60]!r} is named twice or not at all"
            faults.add(cell(row, "host"), found, allowed="each host once")
        hosts[cells["host"]] = _host(row, cells, faults)
    faults.check()
    if not hosts:
        raise refused(path, "names no host", allowed="a row for each host")
    return tuple(hosts.values())


def _host(row: int, cells: dict[str, str], faults: Faults) -> Host:
    cores = figure(cells, "cores", faults, row, _CORES)
    has_link = bool(cells.get("vmotion_mbps"))
    return Host(
        id=HostId(cells["host"]),
        name=cells["host"],
        cpu_cores=int(cores),
        cpu_capacity_mhz=figure(cells, "cpu_mhz", faults, row, _mhz(cores)),
        memory_capacity_mib=figure(cells, memory_column(cells), faults, row, _MEMORY_MIB),
        vmotion=VmotionLink(
            link_mbps=figure(cells, "vmotion_mbps", faults, row, _LINK_MBPS)
            if has_link
            else LINK_MBPS
        ),
    )


def _mhz(cores: float) -> Span:
    least, most = _CORE_MHZ
    return Span(
        least=least * cores,
        most=most * cores,
        unit="MHz",
        hint="cores times the speed of one core; GHz: multiply by 1000",
    )


def placements_in(path: Path) -> tuple[str, ...]:
    """Return the names of the placements in a table.

    Raises:
        InputError: the file is no table, or holds no placement.
    """
    header = [name.strip() for name in cells_of(lines_of(path)[0])]
    names = tuple(name for name in header if name != "vm")
    allowed = "vm, then one column for each placement"
    if "vm" not in header:
        found = f"there is no column vm; there are {', '.join(header)[:200]}"
        raise refused(path, found, where="row 1", allowed=allowed)
    if not names:
        raise refused(path, "names no placement", where="row 1", allowed=allowed)
    return names


def read_placement(path: Path, column: str, hosts: Sequence[Host] = ()) -> dict[str, HostId]:
    """Read one placement of a table: the host of each VM by the VM's name; a VM with an empty cell has none.

    Raises:
        InputError: there is no such column, a VM is named twice, or a cell names none of `hosts` (where given).
    """
    known = {str(host.id) for host in hosts}
    faults, placement = Faults(path), dict[str, HostId]()
    for row, cells in records(path, ("vm", column)):
        name, host = vm_name(cells["vm"]), cells[column]
        if name in placement or not name:
            found = f"VM {name[:60]!r} is named twice or not at all"
            faults.add(cell(row, "vm"), found, allowed="each VM once")
        if host and known and host not in known:
            allowed = f"a host of the park: {', '.join(sorted(known)[:5])}, ..."
            faults.add(cell(row, column), f"there is no host {host[:60]!r}", allowed=allowed)
        if host:
            placement[name] = HostId(host)
    faults.check()
    return placement
