"""Puts figures on the grid and sizes together as a `Trace`, by the rules of mending."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from balancer.adapters.traces.grid import Grid
from balancer.adapters.traces.matrix import Floats
from balancer.adapters.traces.mending import Bounds, Mender, consumed_where_on
from balancer.adapters.traces.mends import Ledger
from balancer.adapters.traces.sizes import Size, Sizes
from balancer.model.trace import Resize, Trace, TraceVm
from balancer.model.units import Seconds

FILLED_S: Seconds = 900.0
"""Longest gap that is filled by the last value."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """What a trace is made of: figures of shape (slots, VMs), and sizes by the VMs' names.

    Consumed memory is None where the source tells none. A VM without an entry in `uuids` gets one that is made of
    its name.
    """

    name: str
    vms: tuple[str, ...]
    cpu_mhz: Floats
    memory_mib: Floats
    sizes: Sizes
    consumed_mib: Floats | None = None
    uuids: Mapping[str, str] = field(default_factory=dict)


def assembled(parts: Parts, grid: Grid, ledger: Ledger) -> Trace:
    """Return the trace, mended; `ledger` counts."""
    mender = Mender(
        vms=parts.vms,
        first_slot=grid.first,
        bounds=_bounds(parts.vms, parts.sizes, grid),
        most_gap=int(FILLED_S // grid.step_s),
        ledger=ledger,
    )
    cpu_mhz, memory_mib = mender.mended(parts.cpu_mhz, parts.memory_mib)
    return Trace(
        name=parts.name,
        start=grid.start,
        step_s=grid.step_s,
        vms=tuple(_vm(vm, parts.sizes[vm], parts.uuids.get(vm)) for vm in parts.vms),
        cpu_mhz=cpu_mhz,
        memory_mib=memory_mib,
        consumed_mib=consumed_where_on(parts.consumed_mib, parts.cpu_mhz, cpu_mhz),
        resizes=_resizes(parts.vms, parts.sizes, grid),
    )


def largest_mhz(names: Sequence[str], sizes: Sizes) -> Floats:
    """Return what the largest size of each VM gives without turbo, shape (VMs,)."""
    return np.array([max(size.most_mhz for size in sizes[name]) for name in names])


def largest_mib(names: Sequence[str], sizes: Sizes) -> Floats:
    """Return the largest memory that each VM ever has, shape (VMs,)."""
    return np.array([max(size.memory_mib for size in sizes[name]) for name in names])


def _bounds(vms: Sequence[str], sizes: Sizes, grid: Grid) -> Bounds:
    memory_mib = np.zeros((grid.slots, len(vms)))
    is_off = np.zeros((grid.slots, len(vms)), dtype=bool)
    for number, name in enumerate(vms):
        memory_mib[:, number] = _first_on(sizes[name]).memory_mib
        for size in sizes[name]:
            begin = max(size.slot - grid.first, 0)
            is_off[begin:, number] = size.is_off
            if not size.is_off:
                memory_mib[begin:, number] = size.memory_mib
    return Bounds(memory_mib=memory_mib, is_off=is_off)


def _first_on(sizes: Sequence[Size]) -> Size:
    return next(size for size in sizes if not size.is_off)


def _vm(name: str, sizes: Sequence[Size], uuid: str | None) -> TraceVm:
    first = _first_on(sizes)
    return TraceVm(
        name=name,
        vcpus=first.vcpus,
        memory_mib=first.memory_mib,
        uuid=uuid or str(uuid5(NAMESPACE_OID, f"trace/{name}")),
    )


def _resizes(vms: Sequence[str], sizes: Sizes, grid: Grid) -> tuple[Resize, ...]:
    found = []
    for number, name in enumerate(vms):
        on = [size for size in sizes[name] if not size.is_off]
        for before, size in pairwise(on):
            is_other = (before.vcpus, before.memory_mib) != (size.vcpus, size.memory_mib)
            if is_other and size.slot - grid.first < grid.slots:
                found.append(_resize(number, size, grid))
    return tuple(sorted(found, key=lambda resize: (resize.slot, resize.vm)))


def _resize(vm: int, size: Size, grid: Grid) -> Resize:
    slot = max(size.slot - grid.first, 0)
    return Resize(slot=slot, vm=vm, vcpus=size.vcpus, memory_mib=size.memory_mib)


def digest_of(trace: Trace) -> str:
    """Return the SHA-256 of a trace: of its figures, sizes and times; its name does not count.

    Consumed memory counts where there is any.
    """
    facts = (trace.vms, trace.resizes, trace.start.isoformat(), trace.step_s)
    digest = hashlib.sha256(repr(facts).encode())
    digest.update(np.ascontiguousarray(trace.cpu_mhz).tobytes())
    digest.update(np.ascontiguousarray(trace.memory_mib).tobytes())
    if trace.consumed_mib is not None:
        digest.update(np.ascontiguousarray(trace.consumed_mib).tobytes())
    return digest.hexdigest()
