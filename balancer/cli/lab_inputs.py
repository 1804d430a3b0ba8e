"""What a replay starts from, read from files: the trace or a part of it, the hosts, and the placements."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from balancer.adapters.files.json_file import read_bytes
from balancer.adapters.traces import Mend, read_hosts, read_placement, read_trace
from balancer.adapters.traces.reading import digest_of
from balancer.adapters.traces.text import records
from balancer.lab.excerpt import excerpt
from balancer.lab.scene import Scene
from balancer.model.errors import InputError, Problem
from balancer.model.host import Host
from balancer.model.trace import Trace
from balancer.model.units import HostId, Ratio, Seconds

HOSTS_FILE = "hosts.csv"
PLACEMENT_FILE = "placement.csv"
_DAY_S = 86_400.0

Placements = Mapping[str, Mapping[str, HostId]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which days of a trace are played: from `from_day` on, `days` of them or (None) all that follow."""

    from_day: float = 0.0
    days: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """A scene for each placement, all of one trace on one park, with what was mended and digests of the files."""

    scenes: tuple[Scene, ...]
    trace_digest: str
    mends: tuple[Mend, ...]
    digests: Mapping[str, str]


def read_inputs(
    folder: Path,
    hosts: Path | None,
    placements: Sequence[str],
    part: Part,
    *,
    idle_consumed: Ratio,
    leave_out: bool,
) -> Inputs:
    """Read everything. Without a file of hosts or placements those in the trace's folder count.

    Raises:
        InputError: a file is wrong, or a VM has no place; problems with row and column.
        BadParameter: the trace has no such days, or two placements have one name.
    """
    park_file = hosts or folder / HOSTS_FILE
    park = read_hosts(park_file)
    named, digests = _placements(placements or [str(folder / PLACEMENT_FILE)], park)
    placed = _in_all(named)
    read = read_trace(folder, hosts=park, placement=placed, leave_out_unplaced=leave_out)
    trace = _part_of(read.trace, part)
    scenes = tuple(
        Scene(trace=trace, hosts=park, placement=places, start=name, idle_consumed=idle_consumed)
        for name, places in named.items()
    )
    digests["hosts"] = hashlib.sha256(read_bytes(park_file)).hexdigest()
    return Inputs(scenes=scenes, trace_digest=digest_of(trace), mends=read.mends, digests=digests)


def _in_all(named: Placements) -> dict[str, HostId]:
    """Return the first placement, of the VMs that have a place in every one."""
    first, *others = named.values()
    return {vm: host for vm, host in first.items() if all(vm in other for other in others)}


def _placements(
    wanted: Sequence[str], park: Sequence[Host]
) -> tuple[dict[str, dict[str, HostId]], dict[str, str]]:
    named: dict[str, dict[str, HostId]] = {}
    digests: dict[str, str] = {}
    for words in wanted:
        path, column = _file_and_column(words)
        if column in named:
            raise typer.BadParameter(
                f"two placements are called {column!r}; rename the column of one, "
                "so that results can tell them apart"
            )
        named[column] = read_placement(path, column, park)
        places = "\n".join(f"{vm},{host}" for vm, host in sorted(named[column].items()))
        digests[f"placement {column}"] = hashlib.sha256(places.encode()).hexdigest()
    return named, digests


def _file_and_column(words: str) -> tuple[Path, str]:
    """Return the two parts of `FILE:COLUMN`; a file with one column beside `vm` needs no name of it."""
    path, column = Path(words), ""
    if not path.exists() and ":" in words:
        before, _, column = words.rpartition(":")
        path = Path(before)
    columns = _columns(path)
    if column in columns:
        return path, column
    if not column and len(columns) == 1:
        return path, columns[0]
    found = f"there is no column {column!r}" if column else "it is not said which column counts"
    listed = ", ".join(columns[:20]) or "none beside vm"
    problem = Problem(
        where=f"{path}, row 1",
        found=found,
        allowed=f"one of {listed}",
        hint=f"say it as {path}:COLUMN, several times for several placements",
    )
    raise InputError(f"placement {words}", (problem,))


def _columns(path: Path) -> list[str]:
    row = next(iter(records(path, ("vm",))), (0, dict[str, str]()))[1]
    return [name for name in row if name != "vm"]


def _part_of(trace: Trace, part: Part) -> Trace:
    first = _slots(part.from_day * _DAY_S, trace)
    rest = trace.slots - first
    count = rest if part.days is None else min(_slots(part.days * _DAY_S, trace), rest)
    if first < 0 or count < 1:
        has = trace.slots * trace.step_s / _DAY_S
        raise typer.BadParameter(
            f"the trace has {has:.4g} days in slots of {trace.step_s:g} s; nothing of it is left with "
            f"--from-day {part.from_day:g}"
            + ("" if part.days is None else f" --days {part.days:g}")
        )
    return trace if (first, count) == (0, trace.slots) else excerpt(trace, first, count)


def _slots(span_s: Seconds, trace: Trace) -> int:
    return round(span_s / trace.step_s)
