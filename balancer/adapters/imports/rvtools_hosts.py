"""Hosts of an RVTools export: rows of vHost as hosts, and what is refused of them.

A host without known capacity cannot be planned for, so that nothing about it is guessed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from balancer.adapters.imports.cells import Columns, Line, Wrong
from balancer.adapters.imports.findings import Findings, ImportRule
from balancer.adapters.imports.rvtools_clusters import Clusters
from balancer.model.host import Host, HostState, VmotionLink
from balancer.model.units import HostId

SPEEDS_MHZ = (400.0, 10_000.0)
"""Least and greatest speed of a core that is believed."""

MEMORY_MIB = (1024.0, 64.0 * 2**20)
"""Least and greatest memory of a host that is believed: 1 GiB and 64 TiB."""

CORES = (1.0, 2048.0)
USAGE_PERCENT = 105.0
"""Processors may show a little over 100 % with turbo; more is no usage."""

_STATES = {
    "disconnected": HostState.DISCONNECTED,
    "notresponding": HostState.NOT_RESPONDING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """A host with what its row says beside it."""

    host: Host
    core_mhz: float
    evc: str | None
    running: int | None
    where: str


def hosts_from(
    columns: Columns,
    clusters: Clusters,
    findings: Findings,
    *,
    datastores: Mapping[str, frozenset[str]] | None,
) -> tuple[HostRow, ...]:
    """Return the hosts of one cluster, by name. `datastores`: those that each host has, None where not told."""
    rows: dict[str, tuple[HostRow, Line]] = {}
    for line in columns.lines():
        if not clusters.has(line):
            continue
        row = _row(line, datastores)
        if row is None:
            continue
        name = row.host.name
        if name not in rows:
            rows[name] = (row, line)
        else:
            _tell_again(row, rows[name][0], line)
    _check_ids((row for row, _ in rows.values()), findings)
    if not rows and not findings.refuses:
        findings.tell(ImportRule.NO_HOST, columns.sheet.label, f"cluster '{clusters.wanted}'")
    return tuple(rows[name][0] for name in sorted(rows))


def _tell_again(row: HostRow, known: HostRow, line: Line) -> None:
    is_same = row.host == known.host
    rule = ImportRule.DUPLICATE_ROW if is_same else ImportRule.DUPLICATE_HOST
    line.tell(rule, "host", f"{row.host.name} is also at {known.where}")


def _check_ids(rows: Iterable[HostRow], findings: Findings) -> None:
    seen: dict[str, HostRow] = {}
    for row in rows:
        known = seen.setdefault(row.host.id, row)
        if known is not row:
            found = f"{row.host.name} has the id {row.host.id} of {known.host.name} ({known.where})"
            findings.tell(ImportRule.DUPLICATE_HOST, row.where, found)


def _row(line: Line, datastores: Mapping[str, frozenset[str]] | None) -> HostRow | None:
    name = line.text("host")
    if not name:
        line.tell(ImportRule.HOST_CAPACITY, "host", "a host without a name")
        return None
    speed = _within(line, "speed", SPEEDS_MHZ)
    memory = _within(line, "memory", MEMORY_MIB)
    cores = _cores(line)
    if speed is None or memory is None or cores is None:
        return None
    capacity = speed * cores
    cpu = line.measured("cpu_usage", most=USAGE_PERCENT)
    used = line.measured("memory_usage", most=USAGE_PERCENT)
    running = line.measured("running")
    host = Host(
        id=HostId(line.text("id") or name),
        name=name,
        cpu_capacity_mhz=capacity,
        memory_capacity_mib=memory,
        state=_state(line),
        cpu_cores=int(cores),
        cpu_usage_mhz=None if cpu is None else cpu / 100.0 * capacity,
        memory_usage_mib=None if used is None else used / 100.0 * memory,
        cpu_vendor=_vendor(line.text("cpu_model")),
        max_evc_mode=line.text("max_evc") or None,
        vmotion=VmotionLink(enabled=line.text("vmotion").lower() != "false"),
        datastores=None if datastores is None else datastores.get(name, frozenset()),
    )
    return HostRow(
        host=host,
        core_mhz=speed,
        evc=line.text("evc") or None,
        running=None if running is None else int(running),
        where=line.where(),
    )


def _cores(line: Line) -> float | None:
    """Return the cores, from their own column or else sockets times cores of each."""
    if line.text("cores"):
        return _within(line, "cores", CORES)
    sockets = _within(line, "sockets", CORES)
    each = _within(line, "cores_per_socket", CORES)
    return None if sockets is None or each is None else sockets * each


def _within(line: Line, key: str, believed: tuple[float, float]) -> float | None:
    """Return a capacity; one that cannot be is refused, with the unit that it may be in."""
    figure, (least, most) = line.figure(key), believed
    if isinstance(figure, float) and least <= figure <= most:
        return figure
    rule = ImportRule.HOST_CAPACITY
    if figure is None:
        found = "nothing is written"
    elif isinstance(figure, Wrong):
        found = f"'{figure.text[:40]}' is no number"
    else:
        found = f"{figure:,.10g} is not within {least:,.10g} to {most:,.10g}"
        for factor in (2.0**10, 2.0**-10, 1000.0, 1e-3, 2.0**-20):
            if key != "cores" and least <= figure * factor <= most and figure > 0.0:
                rule = ImportRule.UNIT_DOES_NOT_FIT
    line.tell(rule, key, f"host {line.text('host')}: {found}")
    return None


def _state(line: Line) -> HostState:
    connection = line.text("connection").lower().replace(" ", "")
    if connection in _STATES:
        return _STATES[connection]
    if line.flag("maintenance"):
        return HostState.MAINTENANCE
    return HostState.QUARANTINE if line.flag("quarantine") else HostState.CONNECTED


def _vendor(model: str) -> str | None:
    words = model.lower()
    return next((vendor for vendor in ("intel", "amd") if vendor in words), None)
