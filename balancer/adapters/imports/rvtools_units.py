"""Whether the figures of an RVTools export are in the units that its columns say, seen in all of them together.

A VM of 16 MiB is odd; that the largest of many has 16 is a column in GiB. Where hosts have figures, what their
VMs use together is held against them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from balancer.adapters.imports.cells import Columns
from balancer.adapters.imports.findings import Findings, ImportRule
from balancer.adapters.imports.rvtools_hosts import HostRow
from balancer.model.host import Host
from balancer.model.vm import Vm

LEAST_VMS = 5
"""Of fewer running VMs nothing can be said: they may all be small."""

LARGEST_MIB = 512.0
"""Among so many VMs at least one has as much memory."""

TIMES = 100.0
"""What VMs use together is no such small part of what their hosts use."""


def check_units(
    sheets: Mapping[str, Columns], hosts: Iterable[HostRow], vms: Sequence[Vm], findings: Findings
) -> None:
    """Refuse columns whose figures do not fit their units."""
    running = [vm for vm in vms if vm.is_running]
    if len(running) < LEAST_VMS:
        return
    largest = max(vm.memory_mib for vm in running)
    if largest < LARGEST_MIB:
        found = f"the largest of {len(running):,} running VMs has {largest:g} MiB; perhaps these are GiB"
        findings.tell(ImportRule.UNIT_DOES_NOT_FIT, sheets["vinfo"].place("memory"), found)
    all_hosts = [row.host for row in hosts]
    for sheet, key, unit, of_vm, of_host in (
        ("vcpu", "usage", "MHz", _cpu_of_vm, _cpu_of_host),
        ("vmemory", "consumed", "MiB", _memory_of_vm, _memory_of_host),
    ):
        sums = _sums(running, all_hosts, of_vm, of_host)
        if sums and 0.0 < sums[0] * TIMES < sums[1]:
            found = f"VMs use {sums[0]:,.0f} {unit} together, their hosts {sums[1]:,.0f}"
            findings.tell(ImportRule.UNIT_DOES_NOT_FIT, sheets[sheet].place(key), found)


def _sums(
    vms: Sequence[Vm],
    hosts: Iterable[Host],
    of_vm: Callable[[Vm], float | None],
    of_host: Callable[[Host], float | None],
) -> tuple[float, float] | None:
    """Return what VMs and their hosts use together; None unless nearly all of both have figures."""
    figures = [figure for vm in vms if (figure := of_vm(vm)) is not None]
    homes = {vm.host for vm in vms}
    used = [of_host(host) for host in hosts if host.id in homes]
    if len(figures) < 0.9 * len(vms) or None in used:
        return None
    return sum(figures), sum(figure or 0.0 for figure in used)


def _cpu_of_vm(vm: Vm) -> float | None:
    return vm.cpu_usage_mhz


def _memory_of_vm(vm: Vm) -> float | None:
    return vm.memory_consumed_mib


def _cpu_of_host(host: Host) -> float | None:
    return host.cpu_usage_mhz


def _memory_of_host(host: Host) -> float | None:
    return host.memory_usage_mib
