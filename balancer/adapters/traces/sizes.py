"""Sizes of the VMs of a trace over time: vms.csv and provisioned_changes.csv become sizes and changes of size."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from balancer.adapters.traces.text import records, vm_name
from balancer.model.units import Mhz, Mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """From `slot` on a VM is configured so; `cpu_mhz` of 0: powered off, None: speed not known."""

    slot: int
    vcpus: int
    memory_mib: Mib
    cpu_mhz: Mhz | None = None

    @property
    def is_off(self) -> bool:
        """Whether the VM is powered off from here on."""
        return self.cpu_mhz == 0.0


def read_sizes(path: Path) -> Mapping[str, Size]:
    """Read vms.csv: vm, vcpus, mem_mb or mem_mib, and cpu_mhz where known."""
    sizes = {}
    for _, row in records(path, ("vm", "vcpus")):
        memory = row.get("mem_mib") or row.get("mem_mb") or "0"
        speed = float(row["cpu_mhz"]) if row.get("cpu_mhz") else None
        sizes[vm_name(row["vm"])] = Size(
            slot=0, vcpus=int(row["vcpus"]), memory_mib=float(memory), cpu_mhz=speed
        )
    return sizes


def read_changes(path: Path) -> Mapping[str, tuple[Size, ...]]:
    """Read provisioned_changes.csv: vm, slot, vcpus, cpu_mhz, mem_mb; in the order of time for each VM."""
    rows = []
    for _, row in records(path, ("vm", "slot", "vcpus", "cpu_mhz", "mem_mb")):
        size = Size(
            slot=int(row["slot"]),
            vcpus=int(row["vcpus"]),
            memory_mib=float(row["mem_mb"]),
            cpu_mhz=float(row["cpu_mhz"]),
        )
        rows.append((vm_name(row["vm"]), size))
    rows.sort(key=lambda row: (row[0], row[1].slot))
    return {
        name: tuple(size for _, size in group) for name, group in groupby(rows, lambda row: row[0])
    }


HELD_SLOTS = 3
CHANGED_BY = 0.1


def settled(changes: tuple[Size, ...]) -> tuple[tuple[Size, ...], int]:
    """Return the changes that count and how many do not.

    A change of memory counts where it is more than `CHANGED_BY` of the size in force and holds for `HELD_SLOTS`.
    """
    kept: list[Size] = []
    jitters = 0
    for index, size in enumerate(changes):
        until = changes[index + 1].slot if index + 1 < len(changes) else None
        if size.is_off or not kept or _is_change(kept, size, until):
            kept.append(size)
        else:
            jitters += 1
    return tuple(kept), jitters


def _is_change(kept: list[Size], size: Size, until: int | None) -> bool:
    if kept[-1].is_off:
        return True
    before = kept[-1]
    if size.vcpus != before.vcpus:
        return True
    is_large = abs(size.memory_mib - before.memory_mib) > CHANGED_BY * before.memory_mib
    return is_large and (until is None or until - size.slot >= HELD_SLOTS)
