"""Reads a trace folder into `Trace`: demand, active memory and sizes, mended by the documented rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from balancer.adapters.traces.assembly import Parts, assembled, digest_of, largest_mhz, largest_mib
from balancer.adapters.traces.choice import Park, playable
from balancer.adapters.traces.faults import refused
from balancer.adapters.traces.grid import Grid, grid_of, on_grid
from balancer.adapters.traces.matrix import Floats, Matrix, read_matrix
from balancer.adapters.traces.mending import without_impossible
from balancer.adapters.traces.mends import Ledger, Mend, MendRule
from balancer.adapters.traces.parquet import read_parquet
from balancer.adapters.traces.sizes import Sizes, read_sizes
from balancer.adapters.traces.text import found_file
from balancer.adapters.traces.units import check_mhz, check_mib, check_percent
from balancer.model.host import Host
from balancer.model.trace import Trace
from balancer.model.units import HostId, Seconds

FIRST_SLOT_AT = datetime(2024, 1, 1, tzinfo=UTC)
"""When slot 0 begins where a trace counts slots: a Monday, midnight."""

STEP_S: Seconds = 300.0
"""Length of a slot where a trace counts slots."""

LEAST_MEMORY = 0.5
"""Share of the CPU's samples that must have one of memory."""

ABSURD = 2.0
"""CPU above so many times what a VM's processors give is no sample. Turbo gives at most 1.8 times as much in
the VMs of the Grid Workloads Archive's trace GWA-T-12."""

ABSURD_MEMORY = 4.0
"""Active memory above so many times the largest size of a VM is no sample; below, it is cut to the size."""

_WHERE_MISSING = {
    "cpu_mhz": "name the file of CPU over time so, by its unit",
    "mem_active_mib": "where it is not known: mem_pct.csv like the file of CPU, with 25 in every cell",
}
_ENDINGS = (".csv", ".csv.gz", ".parquet")


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
    """Read a trace folder. `start` and `step_s` say what slot numbers mean; times speak for themselves.

    With `hosts` and `placement` VMs that fit no host or have no place are refused by name, or left out, counted
    and named with `leave_out_unplaced`.

    Raises:
        InputError: the folder is no trace; problems are named with row and column.
    """
    ledger = Ledger()
    cpu, is_share = _matrix(folder, ("cpu_mhz",), ("cpu_pct",), ledger)
    memory, is_memory_share = _matrix(
        folder, ("mem_active_mib", "mem_active_mb"), ("mem_pct",), ledger
    )
    _check_same_vms(cpu, memory)
    sizes = read_sizes(folder, ledger)
    strangers = sorted(sizes.keys() - set(cpu.vms))
    ledger.note(MendRule.UNKNOWN_VM, len(strangers), [f"the sizes, VM {vm}" for vm in strangers])
    park = Park(hosts=hosts, placement=placement, leave_out=leave_out_unplaced)
    names = playable(folder, cpu.vms, sizes, park, ledger)
    cpu = _scaled(_only(cpu, names), largest_mhz(names, sizes), is_share=is_share)
    memory = _scaled(_only(memory, names), largest_mib(names, sizes), is_share=is_memory_share)
    grid = grid_of(cpu, start=start, step_s=step_s)
    trace = _trace(
        _Files(cpu=cpu, memory=memory, sizes=sizes), grid, ledger, name=folder.resolve().name
    )
    return ReadTrace(trace=trace, mends=ledger.mends(), digest=digest_of(trace))


def _matrix(
    folder: Path, stems: tuple[str, ...], shares: tuple[str, ...], ledger: Ledger
) -> tuple[Matrix, bool]:
    """Return a matrix of the folder, and whether it gives percent of the VMs' sizes."""
    path = found_file(folder, (*stems, *shares), _ENDINGS)
    if path is None:
        allowed = f"{stems[0]}.csv, .csv.gz or .parquet, or {shares[0]} in percent of the VM's size"
        found = f"there is no {stems[0]}.csv in this folder"
        raise refused(folder, found, allowed=allowed, hint=_WHERE_MISSING[stems[0]])
    read = read_parquet if path.suffix == ".parquet" else read_matrix
    return read(path, ledger), path.name.startswith(shares)


def _check_same_vms(cpu: Matrix, memory: Matrix) -> None:
    if differing := sorted(set(cpu.vms) ^ set(memory.vms)):
        count = f"{len(differing)} VM{'' if len(differing) == 1 else 's'}"
        more = ", ..." if len(differing) > 5 else ""
        found = f"{count} in one of the two files only: {', '.join(differing[:5])}{more}"
        allowed = f"the VMs of {cpu.path.name}, after a first column of time"
        hint = "add them to the one or remove them from the other"
        raise refused(memory.path, found, where="row 1", allowed=allowed, hint=hint)


def _only(matrix: Matrix, names: Sequence[str]) -> Matrix:
    """Return the columns of these VMs, in this order."""
    column_of = {name: number for number, name in enumerate(matrix.vms)}
    figures = matrix.figures[:, [column_of[name] for name in names]]
    return replace(matrix, vms=tuple(names), figures=figures)


def _scaled(matrix: Matrix, full: Floats, *, is_share: bool) -> Matrix:
    if not is_share:
        return matrix
    check_percent(matrix)
    return replace(matrix, figures=matrix.figures / 100.0 * full)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """What the files say, of the VMs that are kept."""

    cpu: Matrix
    memory: Matrix
    sizes: Sizes


def _trace(files: _Files, grid: Grid, ledger: Ledger, *, name: str) -> Trace:
    cpu, memory, sizes = files.cpu, files.memory, files.sizes
    most_mhz, most_mib = largest_mhz(cpu.vms, sizes), largest_mib(cpu.vms, sizes)
    check_mhz(cpu, most_mhz)
    check_mib(memory, most_mib)
    cpu_mhz = on_grid(without_impossible(cpu, ABSURD * most_mhz, ledger), grid, ledger)
    memory_mib = on_grid(without_impossible(memory, ABSURD_MEMORY * most_mib, ledger), grid, ledger)
    _check_samples(cpu, cpu_mhz)
    _check_memory(memory, cpu_mhz, memory_mib)
    parts = Parts(name=name, vms=cpu.vms, cpu_mhz=cpu_mhz, memory_mib=memory_mib, sizes=sizes)
    return assembled(parts, grid, ledger)


def _check_samples(cpu: Matrix, cpu_mhz: Floats) -> None:
    """Refuse CPU of which nothing is left: a replay of nothing would look like a good one."""
    if np.isnan(cpu_mhz).all():
        figures = np.count_nonzero(~np.isnan(cpu.figures))
        found = f"no sample of CPU is left: of {cpu.figures.size} cells {figures} hold a figure"
        impossible = ", and each of those is below 0 or absurd" if figures else ""
        allowed = f"figures from 0 to {ABSURD:g} times what the VM's processors give"
        hint = "export the file anew; or its unit is wrong, or the sizes of the VMs are"
        raise refused(cpu.path, found + impossible, allowed=allowed, hint=hint)


def _check_memory(memory: Matrix, cpu_mhz: Floats, memory_mib: Floats) -> None:
    samples = ~np.isnan(cpu_mhz)
    having = np.count_nonzero(samples & ~np.isnan(memory_mib))
    if having < LEAST_MEMORY * np.count_nonzero(samples):
        found = f"has a figure for {having} of {np.count_nonzero(samples)} samples of CPU"
        hint = "is it cut short, or of another time?"
        raise refused(memory.path, found, allowed=f"at least {LEAST_MEMORY:.0%}", hint=hint)
