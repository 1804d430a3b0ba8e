"""The hosts of a replay and where VMs stand at its beginning: hosts.csv and a table of placements."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from balancer.adapters.traces.text import records, refused, vm_name
from balancer.model.host import Host, VmotionLink
from balancer.model.units import HostId

LINK_MBPS = 10_000.0
"""vMotion link of a host whose row gives none: 10 GbE."""

_NEEDED = ("host", "cores", "cpu_mhz", "mem_mb")


def read_hosts(path: Path) -> tuple[Host, ...]:
    """Read a park of hosts: columns host, cores, cpu_mhz, mem_mb (MiB) and, where known, vmotion_mbps.

    Raises:
        InputError: a column is missing, a figure is none, or a host is named twice.
    """
    hosts: dict[str, Host] = {}
    for number, row in records(path, _NEEDED):
        where = f"{path}, row {number}"
        if row["host"] in hosts or not row["host"]:
            raise refused(
                f"{where}, column host", f"host {row['host']!r} is named twice or not at all"
            )
        hosts[row["host"]] = _host(where, row)
    if not hosts:
        raise refused(str(path), "names no host")
    return tuple(hosts.values())


def _host(where: str, row: Mapping[str, str]) -> Host:
    link = _figure(where, row, "vmotion_mbps") if row.get("vmotion_mbps") else LINK_MBPS
    return Host(
        id=HostId(row["host"]),
        name=row["host"],
        cpu_cores=int(_figure(where, row, "cores")),
        cpu_capacity_mhz=_figure(where, row, "cpu_mhz"),
        memory_capacity_mib=_figure(where, row, "mem_mb"),
        vmotion=VmotionLink(link_mbps=link),
    )


def _figure(where: str, row: Mapping[str, str], column: str) -> float:
    text = row[column]
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not isfinite(value) or value <= 0.0:
        raise refused(f"{where}, column {column}", f"{text!r}", allowed="a number above 0")
    return value


def read_placement(path: Path, column: str) -> Mapping[str, HostId]:
    """Read one placement of a table: the host of each VM by the VM's name; VMs with an empty cell have none.

    Raises:
        InputError: there is no such column, or a VM is named twice.
    """
    placement: dict[str, HostId] = {}
    for number, row in records(path, ("vm", column)):
        name = vm_name(row["vm"])
        if name in placement:
            raise refused(f"{path}, row {number}, column vm", f"VM {name} is named twice")
        if row[column]:
            placement[name] = HostId(row[column])
    return placement
