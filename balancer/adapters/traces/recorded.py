"""Reads what the daemon recorded of a cluster: its first snapshot, and a trace of everything after it.

The form is that of `adapters.recording.form`. A file that was cut short by a crash is read up to there.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np

from balancer.adapters.recording.reel import FILE_NAME
from balancer.adapters.traces.assembly import Parts, assembled, digest_of
from balancer.adapters.traces.faults import refused
from balancer.adapters.traces.grid import grid_of, on_grid, slots_of
from balancer.adapters.traces.matrix import Matrix
from balancer.adapters.traces.mends import Ledger, Mend, MendRule
from balancer.adapters.traces.sizes import Size
from balancer.adapters.traces.surroundings import Entry
from balancer.adapters.traces.tale import Tale
from balancer.adapters.traces.text import MOST_BYTES
from balancer.model.recorded import Recorded, unique_names
from balancer.model.snapshot import Snapshot
from balancer.model.trace import Trace
from balancer.model.units import HostId, Seconds
from balancer.policy.file_access import files_in, first_bytes, is_folder

_STEP_S: Seconds = 300.0
"""Length of a slot where a recording holds one snapshot alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was recorded. `snapshot` is the first one: rules, groups and sizes as they were then.

    `placement` gives the first host of each VM of the trace by its name there. Of VMs that share a name each is
    named with its id. `recorded` is all that the replay stands on beside load.
    """

    snapshot: Snapshot
    trace: Trace
    placement: Mapping[str, HostId]
    recorded: Recorded
    mends: tuple[Mend, ...]
    digest: str


def read_recording(folder: Path) -> Recording:
    """Read the recording of one cluster: its own folder, or one above that holds no other cluster.

    Raises:
        InputError: there is no recording, there are several, or a line is none.
    """
    ledger, tale = Ledger(), Tale()
    for path in _files(folder):
        for number, line in _lines(path, ledger):
            tale.hear(path, number, line)
    if tale.first is None:
        raise refused(folder, "holds no line of a recording", allowed="a snapshot at its begin")
    return _recording(folder, tale, tale.first, ledger)


def is_recording(folder: Path) -> bool:
    """Whether files like those of a recording are in a folder or up to two levels below, whatever their names."""
    levels = (folder.glob(f"{above}*.jsonl.gz") for above in ("", "*/", "*/*/"))
    return any(True for level in levels for _ in level)


def _files(folder: Path) -> list[Path]:
    if own := _own_files(folder):
        return own
    below = _recordings_below(folder)
    if not below:
        allowed = "the folder of a cluster below record.folder, with files such as 2026-11-26T000000Z.jsonl.gz"
        raise refused(folder, "there is no recording in this folder", allowed=allowed)
    if len(below) > 1:
        found = ", ".join(str(inner.relative_to(folder)) for inner in below)
        raise refused(
            folder,
            f"holds recordings of several clusters: {found}",
            allowed="one cluster",
            hint=f"name its folder, such as {below[0]}",
        )
    return _own_files(below[0])


def _own_files(folder: Path) -> list[Path]:
    return [path for path in files_in(folder) if FILE_NAME.fullmatch(path.name)]


def _recordings_below(folder: Path) -> list[Path]:
    """Return the folders with recordings one and two levels below: clusters, or vCenters with clusters."""
    inner = [path for path in files_in(folder) if is_folder(path)]
    levels = [*inner, *(path for each in inner for path in files_in(each) if is_folder(path))]
    return [path for path in levels if _own_files(path)]


def _lines(path: Path, ledger: Ledger) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the lines of a file with their numbers; what was not finished at its end is left out and counted."""
    try:
        packed = first_bytes(path, MOST_BYTES + 1)
    except OSError as err:
        raise refused(path, f"cannot be read: {err.strerror or err}") from err
    number = 0
    try:
        for text in gzip.GzipFile(fileobj=BytesIO(packed)):
            number += 1
            yield number, _object(path, number, text)
    except EOFError:
        ledger.note(MendRule.CUT_SHORT, 1, (f"{path.name}, line {number + 1}",))
    except (OSError, zlib.error) as err:
        found = f"is damaged: {err}"
        raise refused(path, found, where=f"line {number + 1}", hint="copy it anew") from err


def _object(path: Path, number: int, text: bytes) -> dict[str, object]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise refused(path, f"is no JSON: {err}", where=f"line {number}") from err
    if not isinstance(line, dict):
        raise refused(path, "is no object", where=f"line {number}", allowed="a line of a recording")
    return line


def _recording(folder: Path, tale: Tale, first: Snapshot, ledger: Ledger) -> Recording:
    placed = _placed(tale, ledger)
    names = _names(placed)
    cpu, memory, consumed = _matrices(folder, tale, names)
    grid = grid_of(cpu, start=first.taken_at, step_s=_STEP_S)
    slots = slots_of(cpu, grid).tolist()
    unnoted = Ledger()  # looks never stand on the grid: putting them there mends nothing
    parts = Parts(
        name=folder.resolve().name,
        vms=cpu.vms,
        cpu_mhz=on_grid(cpu, grid, unnoted),
        memory_mib=on_grid(memory, grid, unnoted),
        consumed_mib=on_grid(consumed, grid, unnoted),
        sizes={name: _at_slots(tale.sizes[vm], slots) for vm, name in names.items()},
        uuids={name: str(tale.facts[vm].get("uuid") or vm) for vm, name in names.items()},
    )
    trace = assembled(parts, grid, ledger)
    placement = {name: HostId(tale.hosts[vm]) for vm, name in names.items()}
    by_look = [slot - grid.first for slot in slots]
    return Recording(
        snapshot=first,
        trace=trace,
        placement=placement,
        recorded=tale.surroundings.recorded(placed, names, placement, by_look),
        mends=ledger.mends(),
        digest=digest_of(trace),
    )


def _placed(tale: Tale, ledger: Ledger) -> dict[str, Entry]:
    """Return the VMs that began on a host of any snapshot; the others are left out by name."""
    known = tale.surroundings.hosts
    lost = {vm: host for vm, host in tale.hosts.items() if host not in known}
    told = [
        f"{tale.facts[vm].get('name')} began on {host}, of which no snapshot tells"
        for vm, host in lost.items()
    ]
    ledger.note(MendRule.LEFT_OUT, len(told), told)
    return {vm: entry for vm, entry in tale.facts.items() if vm not in lost}


def _matrices(folder: Path, tale: Tale, names: Mapping[str, str]) -> tuple[Matrix, Matrix, Matrix]:
    """Return CPU, active and consumed memory as they were looked at: a row for each look."""
    looks = (len(tale.looks), len(tale.columns))
    wanted, active, consumed = (np.full(looks, np.nan) for _ in range(3))
    for number, look in enumerate(tale.looks):
        wanted[number, look.columns] = look.cpu_mhz
        active[number, look.columns] = look.active_mib
        consumed[number, look.columns] = look.consumed_mib
    kept = [tale.columns[vm] for vm in names]
    matrix = Matrix(
        path=folder,
        time="at",
        vms=tuple(names.values()),
        stamps=tuple(tale.times),
        rows=tuple(range(1, looks[0] + 1)),
        figures=wanted[:, kept],
    )
    return (
        matrix,
        replace(matrix, figures=active[:, kept]),
        replace(matrix, figures=consumed[:, kept]),
    )


def _names(facts: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Return the name of each VM in the trace: its own, or with its id where several have it."""
    return unique_names({vm: str(entry.get("name") or vm) for vm, entry in facts.items()})


def _at_slots(sizes: list[tuple[int, Size]], slots: list[int]) -> tuple[Size, ...]:
    """Return sizes, given by the numbers of looks, by slots; of several in one slot the last one."""
    by_slot = {slots[look]: replace(size, slot=slots[look]) for look, size in sizes}
    if all(size.is_off for size in by_slot.values()):  # sized all the same
        begin = min(by_slot)
        return (replace(by_slot[begin], is_off=False), replace(by_slot[begin], is_off=True))
    return tuple(by_slot[slot] for slot in sorted(by_slot))
