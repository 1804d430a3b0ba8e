"""The EVC report as the sentences and tables that `explain_text` and `explain_markdown` write."""

from collections.abc import Iterable, Sequence

from balancer.expose.explanation import Explanation, Table
from balancer.model.evc_report import EvcReport, ModeAnswer, ModeState
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Vm

MOST_NAMES = 6
"""Names of hosts or VMs in one sentence; JSON has them all."""

UNKNOWN = "-"

OWN_MODE_HARDWARE = 14
"""What EVC of a single VM takes. Source: vSphere 6.7 Virtual Machine Administration, "Per-VM EVC"."""

_NO_MODES = "the server's list of EVC modes is not in the snapshot: record it anew"
_WHILE_OFF = (
    "While EVC is off, the minimum of a VM is the server's best fit and may lie above what the VM uses:"
    " vCenter itself decides when EVC is enabled."
)
_WAY_OUT = (
    "A VM in the way has to be powered off or moved out while the mode is set; a host in the way cannot do"
    " it or is out of reach. A running VM takes up a raised mode when it is powered off and on."
)


def evc_view(report: EvcReport, snapshot: Snapshot) -> Explanation:
    """Return the report in words. Hosts and VMs are sorted by name, modes from the lowest."""
    cluster = snapshot.cluster
    mode = f"EVC is on at {report.current}" if report.current else "EVC is off"
    return Explanation(
        verdict=f"Cluster {cluster.name}: {mode}",
        facts=_facts(report, snapshot),
        tables=tuple(
            table
            for table in (_modes(report, snapshot), _hosts(snapshot), _vms(snapshot))
            if table.rows
        ),
    )


def _facts(report: EvcReport, snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    possible = ", ".join(report.possible) or "none"
    facts = [("can be set", possible if report.modes else _NO_MODES)]
    own = sum(1 for vm in snapshot.vms if vm.evc_mode)
    told = f"{own} of {len(snapshot.vms)} VMs have an EVC mode of their own"
    below = sum(1 for vm in snapshot.vms if _is_below(vm))
    if below:
        told += f"; {below} cannot, with hardware below vmx-{OWN_MODE_HARDWARE}"
    facts.append(("own modes", told))
    unknown = sum(1 for host in snapshot.hosts if host.max_evc_mode is None)
    if unknown:
        noun = "hosts" if unknown != 1 else "host"
        facts.append(("unknown", f"the maximum of {unknown} {noun} is not told by the server"))
    return tuple(facts)


def _is_below(vm: Vm) -> bool:
    return vm.hardware_version is not None and vm.hardware_version < OWN_MODE_HARDWARE


def _modes(report: EvcReport, snapshot: Snapshot) -> Table:
    note = _WAY_OUT if report.current else f"{_WAY_OUT} {_WHILE_OFF}"
    return Table(
        title="Modes, lowest first",
        headings=("mode", "state", "hosts", "VMs", "in the way"),
        rows=tuple(_mode_row(answer, snapshot) for answer in report.modes),
        figures=4,
        note=note,
    )


def _mode_row(answer: ModeAnswer, snapshot: Snapshot) -> tuple[str, ...]:
    hosts = [snapshot.host_by_id[key].name for key in answer.hosts]
    vms = [snapshot.vm_by_id[key].name for key in answer.vms]
    parts = [_listed("hosts", hosts), _listed("VMs", vms)]
    parts.append(_unknown(answer))
    told = "; ".join(part for part in parts if part)
    return (answer.mode.key, answer.state.value, str(len(hosts)), str(len(vms)), told)


def _unknown(answer: ModeAnswer) -> str:
    parts = [
        f"{len(keys)} {noun}{'s' if len(keys) != 1 else ''}"
        for keys, noun in ((answer.unknown_hosts, "host"), (answer.unknown_vms, "VM"))
        if keys
    ]
    is_told = parts and answer.state is not ModeState.CURRENT
    return f"not known of {' and '.join(parts)}" if is_told else ""


def _listed(noun: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return f"{noun} {', '.join(sorted(names)[:MOST_NAMES])}{more}"


def _hosts(snapshot: Snapshot) -> Table:
    return Table(
        title="Hosts",
        headings=("host", "maximum", "maker", "state", ""),
        rows=tuple(
            (host.name, host.max_evc_mode or UNKNOWN, host.cpu_vendor or UNKNOWN, host.state, "")
            for host in sorted(snapshot.hosts, key=lambda host: (host.name, host.id))
        ),
        figures=4,
    )


def _vms(snapshot: Snapshot) -> Table:
    return Table(
        title="VMs",
        headings=("VM", "host", "power", "hardware", "minimum", "own mode", ""),
        rows=tuple(_vm_rows(snapshot, snapshot.vms)),
        figures=6,
    )


def _vm_rows(snapshot: Snapshot, vms: Iterable[Vm]) -> Iterable[tuple[str, ...]]:
    for vm in sorted(vms, key=lambda vm: (vm.name, vm.id)):
        hardware = f"vmx-{vm.hardware_version:02d}" if vm.hardware_version else UNKNOWN
        host = snapshot.host_by_id[vm.host].name
        minimum, own = vm.min_evc_mode or UNKNOWN, vm.evc_mode or UNKNOWN
        yield (vm.name, host, vm.power.value, hardware, minimum, own, "")
