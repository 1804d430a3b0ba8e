"""Reads a trace folder into `Trace`: demand, active memory and sizes, mended by the documented rules."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import numpy.typing as npt

from balancer.adapters.traces.matrix import Matrix, read_matrix
from balancer.adapters.traces.mends import Ledger, Mend, MendRule
from balancer.adapters.traces.sizes import Size, read_changes, read_sizes, settled
from balancer.adapters.traces.text import refused
from balancer.model.errors import InputError, Problem
from balancer.model.history import Figures
from balancer.model.host import Host
from balancer.model.trace import Resize, Trace, TraceVm
from balancer.model.units import HostId, Seconds

FIRST_SLOT_AT = datetime(2024, 1, 1, tzinfo=UTC)
"""When slot 0 begins where a trace counts slots: a Monday, midnight."""

STEP_S: Seconds = 300.0
"""Length of a slot where a trace counts slots."""

FILLED_S: Seconds = 900.0
"""Longest gap that is filled by the last value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTrace:
    """A trace with what was mended in it. `digest` is the SHA-256 of the figures and sizes as they are used."""

    trace: Trace
    mends: tuple[Mend, ...]
    digest: str


def read_trace(
    folder: Path,
    *,
    hosts: Sequence[Host] = (),
    placement: Mapping[str, HostId] | None = None,
    leave_out_unplaced: bool = False,
    start: datetime = FIRST_SLOT_AT,
    step_s: Seconds = STEP_S,
) -> ReadTrace:
    """Read a trace folder.

    With `hosts` and `placement` VMs that fit no host or have no place are refused by name, or left out and
    counted with `leave_out_unplaced`.

    Raises:
        InputError: every problem found, with row and column.
    """
    ledger = Ledger()
    cpu = read_matrix(_file(folder, "cpu_mhz"), ledger)
    memory = read_matrix(_file(folder, "mem_active_mib", "mem_active_mb"), ledger)
    if memory.vms != cpu.vms or len(memory.rows) != len(cpu.rows):
        raise refused(str(memory.path), f"has other VMs or rows than {cpu.path.name}")
    sizes = _sizes(folder, cpu, ledger)
    kept = _kept(cpu.vms, sizes, hosts, placement, leave_out=leave_out_unplaced, ledger=ledger)
    columns = [cpu.vms.index(name) for name in kept]
    filled = int(FILLED_S // step_s)
    is_off = _off(kept, sizes, len(cpu.rows))
    trace = Trace(
        name=folder.resolve().name,
        start=start,
        step_s=step_s,
        vms=tuple(_vm(name, sizes[name]) for name in kept),
        cpu_mhz=_filled(cpu, columns, is_off, filled, ledger),
        memory_mib=_filled(memory, columns, is_off, filled, ledger),
        resizes=_resizes(kept, sizes),
    )
    return ReadTrace(trace=trace, mends=ledger.mends(), digest=_digest(trace))


def _file(folder: Path, *stems: str) -> Path:
    for stem in stems:
        for ending in (".csv", ".csv.gz"):
            if (path := folder / f"{stem}{ending}").is_file():
                return path
    raise refused(str(folder), f"there is no {stems[0]}.csv", allowed=f"{stems[0]}.csv or .csv.gz")


def _sizes(folder: Path, cpu: Matrix, ledger: Ledger) -> Mapping[str, tuple[Size, ...]]:
    sizes: dict[str, tuple[Size, ...]] = {}
    if (path := folder / "vms.csv").is_file():
        sizes = {name: (size,) for name, size in read_sizes(path).items()}
    for ending in (".csv", ".csv.gz"):
        if (path := folder / f"provisioned_changes{ending}").is_file():
            for name, changes in read_changes(path).items():
                sizes[name], jitters = settled(changes)
                ledger.note(MendRule.SIZE_JITTER, jitters, (f"{path.name}, VM {name}",))
    unknown = [name for name in cpu.vms if not any(not s.is_off for s in sizes.get(name, ()))]
    if unknown:
        raise refused(str(folder), f"no size is given for {', '.join(unknown[:5])}")
    return sizes


def _kept(
    names: Sequence[str],
    sizes: Mapping[str, tuple[Size, ...]],
    hosts: Sequence[Host],
    placement: Mapping[str, HostId] | None,
    *,
    leave_out: bool,
    ledger: Ledger,
) -> list[str]:
    largest = max((host.memory_capacity_mib for host in hosts), default=float("inf"))
    lost = [
        name
        for name in names
        if max(size.memory_mib for size in sizes[name]) > largest
        or (placement is not None and name not in placement)
    ]
    if lost and not leave_out:
        found = "has no place in the placement, or is larger than every host"
        problems = tuple(Problem(where=f"VM {name}", found=found) for name in lost)
        raise InputError("trace", problems)
    ledger.note(MendRule.LEFT_OUT, len(lost), lost)
    return [name for name in names if name not in set(lost)]


def _vm(name: str, sizes: tuple[Size, ...]) -> TraceVm:
    first = next(size for size in sizes if not size.is_off)
    return TraceVm(
        name=name,
        vcpus=first.vcpus,
        memory_mib=first.memory_mib,
        uuid=str(uuid5(NAMESPACE_OID, f"trace/{name}")),
    )


def _resizes(kept: Sequence[str], sizes: Mapping[str, tuple[Size, ...]]) -> tuple[Resize, ...]:
    found = []
    for number, name in enumerate(kept):
        on = [size for size in sizes[name] if not size.is_off]
        for before, size in pairwise(on):
            if (before.vcpus, before.memory_mib) != (size.vcpus, size.memory_mib):
                found.append(
                    Resize(slot=size.slot, vm=number, vcpus=size.vcpus, memory_mib=size.memory_mib)
                )
    return tuple(sorted(found, key=lambda resize: (resize.slot, resize.vm)))


def _off(
    kept: Sequence[str], sizes: Mapping[str, tuple[Size, ...]], slots: int
) -> npt.NDArray[np.bool_]:
    """Return where VMs are powered off by their sizes, shape (slots, VMs)."""
    is_off = np.zeros((slots, len(kept)), dtype=bool)
    for number, name in enumerate(kept):
        for size in sizes[name]:
            is_off[size.slot :, number] = size.is_off
    return is_off


def _filled(
    matrix: Matrix,
    columns: Sequence[int],
    is_off: npt.NDArray[np.bool_],
    most: int,
    ledger: Ledger,
) -> Figures:
    figures = matrix.figures[:, columns].astype(np.float32)
    figures[is_off] = np.nan
    known = ~np.isnan(figures)
    rows = np.arange(len(figures))[:, None]
    last = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    upcoming = np.minimum.accumulate(np.where(known, rows, len(figures))[::-1], axis=0)[::-1]
    is_short = ~known & ~is_off & (last >= 0) & (upcoming - last - 1 <= most)
    at_row, at_vm = np.nonzero(is_short)
    figures[at_row, at_vm] = figures[last[at_row, at_vm], at_vm]
    places = (matrix.place(row, columns[vm]) for row, vm in zip(at_row[:3], at_vm[:3], strict=True))
    ledger.note(MendRule.GAP_FILLED, len(at_row), places)
    return figures


def _digest(trace: Trace) -> str:
    digest = hashlib.sha256(repr((trace.vms, trace.resizes, trace.start, trace.step_s)).encode())
    digest.update(np.ascontiguousarray(trace.cpu_mhz).tobytes())
    digest.update(np.ascontiguousarray(trace.memory_mib).tobytes())
    return digest.hexdigest()
