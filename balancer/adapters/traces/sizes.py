"""Sizes of the VMs of a trace over time: vms.csv and provisioned_changes.csv become sizes and changes of size."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from balancer.adapters.traces.faults import Faults, cell, refused
from balancer.adapters.traces.mends import Ledger, MendRule
from balancer.adapters.traces.text import (
    MEMORY,
    Span,
    figure,
    found_file,
    memory_column,
    records,
    vm_name,
)
from balancer.model.units import Mhz, Mib

TEXT_ENDINGS = (".csv", ".csv.gz")

MOST_VCPUS = 1024
"""More virtual processors has no VM. Source: vSphere 9 configuration maximums are below it."""

MOST_MIB: Mib = 32.0 * 1024 * 1024
"""32 TiB: more memory has no VM. Source: 24 TB a VM in vSphere 8 and 9, configuration maximums."""

LEAST_MIB: Mib = 4.0
"""Smallest memory of a VM. Source: vSphere Virtual Machine Administration, "Configure Virtual Memory"."""

HELD_SLOTS = 3
"""For how many slots a changed size of memory must hold to count."""

CHANGED_BY = 0.1
"""Share of the size in force by which a changed size of memory must differ to count."""

CORE_MHZ: Mhz = 4000.0
"""Speed of a processor that is taken for bounds where no speed is given."""

_LEAST_LARGEST_MIB: Mib = 128.0  # if no VM is larger, memory is not in MiB
_LEAST_FASTEST_MHZ: Mhz = 100.0  # if no VM is faster, speeds are not in MHz
_MHZ = Span(least=0.0, most=1e7, unit="MHz")
_SLOT = Span(least=0.0, most=1e8, is_whole=True)
_UNITS = "GiB: multiply by 1024; KiB: divide by 1024; bytes: by 1,048,576"
_VCPUS = Span(least=1.0, most=MOST_VCPUS, is_whole=True)
_MEMORY_MIB = Span(least=LEAST_MIB, most=MOST_MIB, unit="MiB", hint=_UNITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """From `slot` on a VM is configured so. `cpu_mhz` of None: speed not known."""

    slot: int
    vcpus: int
    memory_mib: Mib
    cpu_mhz: Mhz | None = None
    is_off: bool = False

    @property
    def most_mhz(self) -> Mhz:
        """Return what its processors give without turbo."""
        return self.cpu_mhz or self.vcpus * CORE_MHZ


Sizes = Mapping[str, tuple[Size, ...]]
"""Sizes of each VM in the order of time; at least one that is not off."""


def read_sizes(folder: Path, ledger: Ledger) -> Sizes:
    """Read the sizes that a trace folder gives: vms.csv, and changes where there are any.

    A VM that is never on in the changes has its size of vms.csv, or none.

    Raises:
        InputError: neither file is there, or one of them is wrong.
    """
    once = found_file(folder, ("vms",), TEXT_ENDINGS)
    changes = found_file(folder, ("provisioned_changes",), TEXT_ENDINGS)
    if once is None and changes is None:
        allowed = "vms.csv (vm, vcpus, mem_mib) or provisioned_changes.csv"
        raise refused(folder, "the sizes of the VMs are missing", allowed=allowed)
    sizes: dict[str, tuple[Size, ...]] = {}
    if once:
        sizes |= {name: (size,) for name, size in _fixed(once).items()}
    for name, found in (_changes(changes, ledger) if changes else {}).items():
        if any(not size.is_off for size in found):
            sizes[name] = found
        elif name in sizes:
            sizes[name] = (*sizes[name], *found)
    _check_units(once or changes or folder, sizes)
    return sizes


def _check_units(path: Path, sizes: Sizes) -> None:
    every = [size for each in sizes.values() for size in each]
    largest = max((size.memory_mib for size in every), default=_LEAST_LARGEST_MIB)
    if largest < _LEAST_LARGEST_MIB:
        found = f"no VM has more than {largest:g} MiB: these are GiB, not MiB"
        raise refused(path, found, allowed="memory in MiB", hint="multiply by 1024")
    fastest = max((size.cpu_mhz or 0.0 for size in every), default=0.0)
    if 0.0 < fastest < _LEAST_FASTEST_MHZ:
        found = f"no VM has more than {fastest:g} MHz: these are GHz, not MHz"
        raise refused(path, found, allowed="cpu_mhz in MHz", hint="multiply by 1000")


def _fixed(path: Path) -> Mapping[str, Size]:
    faults, sizes = Faults(path), dict[str, Size]()
    for row, cells in records(path, ("vm", "vcpus"), MEMORY):
        name = vm_name(cells["vm"])
        if name in sizes or not name:
            faults.add(
                cell(row, "vm"),
                f"VM {name[:60]!r} is named twice or not at all",
                allowed="each VM once",
            )
        speed = figure(cells, "cpu_mhz", faults, row, _MHZ) if cells.get("cpu_mhz") else None
        sizes[name] = Size(
            slot=0,
            vcpus=int(figure(cells, "vcpus", faults, row, _VCPUS)),
            memory_mib=figure(cells, memory_column(cells), faults, row, _MEMORY_MIB),
            cpu_mhz=speed,
        )
    faults.check()
    return sizes


def _changes(path: Path, ledger: Ledger) -> Sizes:
    """Return the changes that count, in the order of time; of two for one slot the last one.

    A VM that is on with 0 processors or 0 MiB has the size that it had before; that counts as jitter.
    """
    faults, by_slot = Faults(path), dict[str, dict[int, Size]]()
    for row, cells in records(path, ("vm", "slot", "vcpus", "cpu_mhz"), MEMORY):
        name, size = vm_name(cells["vm"]), _change(row, cells, faults)
        if not size.is_off and (size.vcpus == 0 or size.memory_mib == 0.0):
            ledger.note(MendRule.SIZE_JITTER, 1, (f"{path.name}, row {row}, VM {name}",))
        else:
            by_slot.setdefault(name, {})[size.slot] = size
    faults.check()
    sizes = {}
    for name, found in by_slot.items():
        sizes[name], jitters = settled(tuple(found[slot] for slot in sorted(found)))
        ledger.note(MendRule.SIZE_JITTER, jitters, (f"{path.name}, VM {name}",))
    return sizes


def _change(row: int, cells: dict[str, str], faults: Faults) -> Size:
    """Return the size that a row gives; sizes of 0 are left to the caller."""
    speed = figure(cells, "cpu_mhz", faults, row, _MHZ)
    return Size(
        slot=int(figure(cells, "slot", faults, row, _SLOT)),
        vcpus=int(figure(cells, "vcpus", faults, row, replace(_VCPUS, least=0.0))),
        memory_mib=figure(
            cells, memory_column(cells), faults, row, replace(_MEMORY_MIB, least=0.0)
        ),
        cpu_mhz=speed,
        is_off=speed == 0.0,
    )


def settled(changes: tuple[Size, ...]) -> tuple[tuple[Size, ...], int]:
    """Return the changes that count and how many do not.

    A change of memory alone counts where it differs by more than `CHANGED_BY` of the size in force and holds for
    `HELD_SLOTS`; of processors and of power always.
    """
    kept: list[Size] = []
    jitters = 0
    for index, size in enumerate(changes):
        until = changes[index + 1].slot if index + 1 < len(changes) else None
        if not kept or _counts(kept[-1], size, until):
            kept.append(size)
        else:
            jitters += 1
    return tuple(kept), jitters


def _counts(before: Size, size: Size, until: int | None) -> bool:
    if size.is_off or before.is_off:
        return not (size.is_off and before.is_off)
    if size.vcpus != before.vcpus:
        return True
    is_large = abs(size.memory_mib - before.memory_mib) > CHANGED_BY * before.memory_mib
    return is_large and (until is None or until - size.slot >= HELD_SLOTS)
