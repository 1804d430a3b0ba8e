"""VMs of an RVTools export: rows of vInfo with those of vCPU and vMemory as VMs, and what is wrong with them.

A figure that is not there stays unknown. A VM of which the size is not known is refused if it runs: to plan
around it would be to plan wrongly.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from balancer.adapters.imports.cells import Columns, Line, Wrong
from balancer.adapters.imports.findings import Findings, ImportRule
from balancer.adapters.imports.rvtools_clusters import Clusters
from balancer.adapters.imports.rvtools_hosts import HostRow
from balancer.adapters.imports.rvtools_parts import Named, Parts, named
from balancer.model.units import VmId
from balancer.model.vm import Blocker, PowerState, Vm

VCPUS = (1.0, 1024.0)
MEMORY_MIB = (4.0, 32.0 * 2**20)
"""Least and greatest memory of a VM that is believed: 4 MiB and 32 TiB.

Source: VMware, "ESXi configuration maximums", vSphere 8: 768 vCPUs and 24 TB."""

TURBO = 1.6
"""So many times the nominal speed of its processors a VM may use at most."""

OVERHEAD_RATIO, OVERHEAD_MIB = 1.25, 1024.0
"""Consumed memory has overhead in it and may be so much larger than the VM's size."""

_POWER = {
    "poweredon": PowerState.ON,
    "poweredoff": PowerState.OFF,
    "suspended": PowerState.SUSPENDED,
}
_LOST = frozenset({"inaccessible", "orphaned", "invalid"})
RULE_NAMES = "Cluster rule name(s)"
"""The attribute that holds the names of a VM's DRS rules, of which the export says no more."""


class Joined:
    """Rows of another sheet by the VM that they are about."""

    def __init__(self, columns: Columns | None) -> None:
        self._rows: dict[str, list[Line]] = defaultdict(list)
        for line in columns.lines() if columns else ():
            self._rows[named(line).keys[0]].append(line)

    def of(self, vm: Named) -> Sequence[Line]:
        """Return the rows about a VM."""
        return next((self._rows[key] for key in vm.keys if key in self._rows), ())

    def only(self, vm: Named) -> Line | None:
        """Return the one row about a VM; None where there is none, or several that cannot be told apart."""
        rows = self.of(vm)
        return rows[0] if len(rows) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What VMs are read with: the hosts by name, the other sheets, what devices and places say.

    `refused` are hosts that are listed and cannot be used: nothing is told of their VMs.
    """

    hosts: Mapping[str, HostRow]
    refused: Set[str]
    cpu: Joined
    memory: Joined
    parts: Parts
    has_evc: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VmRow:
    """A VM and its row."""

    vm: Vm
    line: Line


def vms_from(
    columns: Columns, clusters: Clusters, around: Around, findings: Findings
) -> tuple[tuple[Vm, ...], int]:
    """Return the VMs of a cluster by id, and how many could not be placed and count as not read."""
    rows: list[VmRow] = []
    unread = 0
    for line in columns.lines():
        if not _is_of(line, clusters, around) or line.flag("template") or line.flag("placeholder"):
            continue
        if line.text("host") in around.refused:
            continue
        if line.text("host") not in around.hosts:
            unread += _tell_lost(line)
            continue
        vm = _vm(line, around)
        if vm is not None:
            rows.append(VmRow(vm=vm, line=line))
    vms = tuple(_told_apart(_once(rows), findings))
    missing = sum(_missing(around.hosts.values(), vms, findings))
    return vms, unread + missing


def _is_of(line: Line, clusters: Clusters, around: Around) -> bool:
    """Whether a row is of the cluster: by its host, or where that is not listed, by its own word."""
    return line.text("host") in around.hosts or (bool(line.text("vm")) and clusters.has(line))


def _tell_lost(line: Line) -> int:
    """Tell of a VM on a host that is not listed; return 1 where it runs."""
    found = f"{line.text('vm')} stands on '{line.text('host')}'"
    line.tell(ImportRule.VM_ON_UNKNOWN_HOST, "host", found)
    return int(_POWER.get(_power_word(line)) is PowerState.ON)


def _power_word(line: Line) -> str:
    return line.text("power").lower().replace(" ", "").replace("_", "")


def _vm(line: Line, around: Around) -> Vm | None:
    power = _POWER.get(_power_word(line))
    if power is None:
        line.tell(ImportRule.UNKNOWN_POWER_STATE, "power", f"'{line.text('power')[:40]}'")
        return None
    vcpus = _size(line, "vcpus", VCPUS, power)
    if vcpus is None and power is not PowerState.ON:
        return None  # is left out, and told, once
    memory = _size(line, "memory", MEMORY_MIB, power)
    if vcpus is None or memory is None:
        return None
    row, name = around.hosts[line.text("host")], named(line)
    vm = Vm(
        id=VmId(name.id or line.text("uuid") or name.name),
        name=name.name,
        host=row.host.id,
        vcpus=int(vcpus),
        memory_mib=memory,
        uuid=line.text("uuid") or None,
        power=power,
        folder=line.text("folder").strip("/") or None,
        min_evc_mode=None if around.has_evc else line.text("min_evc") or None,
        hardware_version=_hardware(line.text("hardware")),
        datastores=around.parts.datastores_of(name, line.text("path")),
        networks=around.parts.networks_of(name),
        attributes={RULE_NAMES: line.text("rules")} if line.text("rules") else {},
        blockers=tuple(sorted(_signs(line) | around.parts.blockers_of(name))),
    )
    vm = _with_settings(vm, around.cpu.only(name), around.memory.only(name))
    return _measured(vm, line, around, row.core_mhz) if vm.is_running else vm


def _size(line: Line, key: str, believed: tuple[float, float], power: PowerState) -> float | None:
    figure, (least, most) = line.figure(key), believed
    is_whole = key != "vcpus" or not isinstance(figure, float) or figure.is_integer()
    if isinstance(figure, float) and least <= figure <= most and is_whole:
        return figure
    found = "nothing is written"
    if isinstance(figure, Wrong):
        found = f"'{figure.text[:40]}' is no number"
    elif figure is not None:
        found = f"{figure:,.10g} is not within {least:,.10g} to {most:,.10g}"
    rule = ImportRule.VM_SIZE if power is PowerState.ON else ImportRule.VM_OFF_WITHOUT_SIZE
    line.tell(rule, key, f"{line.text('vm')}: {found}")
    return None


def _hardware(word: str) -> int | None:
    """Return the version of the virtual hardware, written as `19` or `vmx-19`."""
    digits = word.lower().removeprefix("vmx-")
    return int(digits) if digits.isascii() and digits.isdecimal() and 0 < len(digits) < 4 else None


def _signs(line: Line) -> set[Blocker]:
    """Return what the VM's own row says against moving it; in doubt it stays."""
    found = set()
    if line.text("connection").lower() in _LOST:
        found.add(Blocker.INACCESSIBLE)
    if line.text("fault_tolerance").lower().replace(" ", "") not in ("", "notconfigured"):
        found.add(Blocker.FAULT_TOLERANCE)
    if line.flag("consolidating"):
        found.add(Blocker.CONSOLIDATING)
    if line.text("latency").lower() == "high":
        found.add(Blocker.LATENCY_SENSITIVE_PINNED)
    return found


def _with_settings(vm: Vm, cpu: Line | None, memory: Line | None) -> Vm:
    if cpu is not None:
        vm = replace(
            vm,
            cpu_reservation_mhz=cpu.measured("reservation") or 0.0,
            cpu_limit_mhz=cpu.limit("limit"),
            cpu_shares=cpu.measured("shares"),
        )
    if memory is not None:
        reserved = memory.measured("reservation") or 0.0
        vm = replace(
            vm,
            memory_reservation_mib=vm.memory_mib if memory.flag("locked") else reserved,
            memory_limit_mib=memory.limit("limit"),
            memory_shares=memory.measured("shares"),
        )
    return vm


def _measured(vm: Vm, line: Line, around: Around, core_mhz: float) -> Vm:
    """Return the VM with the figures of vCPU, vMemory and vInfo, each where it is written and can be."""
    name = named(line)
    cpu, memory = around.cpu.only(name), around.memory.only(name)
    active = memory.measured("active", most=vm.memory_mib) if memory else None
    if active is None:
        active = line.measured("active", most=vm.memory_mib)
    usage = cpu.measured("usage", most=TURBO * vm.vcpus * core_mhz) if cpu else None
    vm = replace(
        vm,
        cpu_usage_mhz=usage,
        cpu_ready_percent=line.measured("ready", most=100.0 * vm.vcpus),
        memory_active_mib=active,
    )
    if memory is None:
        return vm
    most = OVERHEAD_RATIO * vm.memory_mib + OVERHEAD_MIB
    return replace(
        vm,
        memory_consumed_mib=memory.measured("consumed", most=most),
        memory_swapped_mib=memory.measured("swapped", most=vm.memory_mib),
        memory_ballooned_mib=memory.measured("ballooned", most=vm.memory_mib),
    )


def _once(rows: Iterable[VmRow]) -> Iterator[VmRow]:
    """Yield each VM once: rows that say the same are one, others of one id get ids of their own."""
    seen: dict[str, VmRow] = {}
    for row in rows:
        known = seen.get(row.vm.id)
        if known is None:
            seen[row.vm.id] = row
            yield row
        elif known.vm == row.vm:
            row.line.tell(ImportRule.DUPLICATE_ROW, "vm", f"also at {known.line.where()}")
        elif row.line.text("id"):
            found = (
                f"{row.vm.name} has the id {row.vm.id} of {known.line.where()}, and is another one"
            )
            row.line.tell(ImportRule.DUPLICATE_OBJECT, "id", found)
        else:
            number = 2
            while f"{row.vm.id}#{number}" in seen:
                number += 1
            vm = replace(row.vm, id=VmId(f"{row.vm.id}#{number}"))
            seen[vm.id] = row
            yield VmRow(vm=vm, line=row.line)


def _told_apart(rows: Iterable[VmRow], findings: Findings) -> Iterator[Vm]:
    """Yield the VMs; those that share a name are told, those that share a UUID lose it."""
    known = list(rows)
    names = Counter(row.vm.name for row in known)
    uuids = Counter(row.vm.uuid for row in known if row.vm.uuid)
    for row in known:
        vm = row.vm
        if names[vm.name] > 1:
            findings.tell(ImportRule.DUPLICATE_NAME, row.line.where("vm"), f"{vm.name} ({vm.id})")
        if vm.uuid and uuids[vm.uuid] > 1:
            findings.tell(
                ImportRule.DUPLICATE_UUID, row.line.where("uuid"), f"{vm.uuid}, {vm.name}"
            )
            vm = replace(vm, uuid=None)
        yield vm


def _missing(hosts: Iterable[HostRow], vms: Sequence[Vm], findings: Findings) -> Iterator[int]:
    """Yield how many running VMs of each host are not listed, by what the host's own row counts.

    Two sheets are read one after the other, so that a difference of one or two is nothing.
    """
    running = Counter(vm.host for vm in vms if vm.is_running)
    for row in hosts:
        lacking = (row.running or 0) - running[row.host.id]
        if lacking > 2:
            found = f"{row.host.name} runs {row.running} VMs, listed are {running[row.host.id]}"
            findings.tell(ImportRule.VMS_MISSING, row.where, found)
            yield lacking
