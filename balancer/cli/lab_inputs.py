"""What a replay starts from, read from files: the trace or a part of it, the hosts, and the placements."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from balancer.adapters.files.snapshot_file import snapshot_document, vm_document
from balancer.adapters.traces import (
    Mend,
    placements_in,
    read_hosts,
    read_placement,
    read_recording,
    read_trace,
)
from balancer.adapters.traces.recorded import is_recording
from balancer.lab.excerpt import excerpt
from balancer.lab.scene import Scene
from balancer.model.errors import InputError, Problem
from balancer.model.host import Host
from balancer.model.recorded import Recorded, with_frame
from balancer.model.trace import Trace
from balancer.model.units import DAY_S, HostId, Ratio, Seconds

HOSTS_FILE = "hosts.csv"
PLACEMENT_FILE = "placement0.csv"
AS_RECORDED = "as recorded"
_FOLDERS = "the folder of a trace, or of what the daemon recorded of a cluster"
_HOSTS = ("--hosts F", "a row for each host: host, cores, cpu_mhz (of all cores), mem_mib")
_PLACES = ("--placement F", "a row for each VM: vm, and the host that it stands on")

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
    """Read everything: of a trace, or of what the daemon recorded of a cluster.

    Without a file of hosts or placements those in the trace's folder count, or those of the recording.

    Raises:
        InputError: a file is wrong, or a VM has no place; problems with row and column.
        BadParameter: the trace has no such days, or two placements have one name.
    """
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "there is no such folder"
        problem = Problem(where=str(folder), found=found, allowed=_FOLDERS)
        raise InputError(f"trace {folder}", (problem,))
    if is_recording(folder):
        source = _recorded(folder, hosts, placements)
    else:
        source = _traced(folder, hosts, placements, leave_out=leave_out)
    source, digest = _part_of(source, part)
    trace, recorded = source.trace, source.recorded
    scenes = tuple(
        Scene(
            trace=trace,
            hosts=source.hosts,
            placement=places,
            start=name,
            idle_consumed=idle_consumed,
            recorded=recorded,
        )
        for name, places in source.placements.items()
    )
    digests = {f"placement {name}": _digest(_rows(at)) for name, at in source.placements.items()}
    digests["hosts"] = _digest(_facts(source.hosts))
    if recorded is not None:
        digests["recorded rules and settings"] = _digest(_settings(recorded))
    return Inputs(scenes=scenes, trace_digest=digest, mends=source.mends, digests=digests)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Source:
    """What the files hold, all days of it."""

    trace: Trace
    digest: str
    hosts: tuple[Host, ...]
    placements: Placements
    mends: tuple[Mend, ...]
    recorded: Recorded | None = None


def _recorded(folder: Path, hosts: Path | None, placements: Sequence[str]) -> _Source:
    if hosts is not None and not placements:
        raise typer.BadParameter(
            "with --hosts say by --placement where the VMs of a recording stand on these hosts"
        )
    recording = read_recording(folder)
    recorded = recording.recorded if hosts is None else None
    own_park = recording.recorded.base.hosts
    park = own_park if hosts is None else read_hosts(_given(hosts, *_HOSTS))
    named: Placements = {AS_RECORDED: recording.placement}
    return _Source(
        trace=recording.trace,
        digest=recording.digest,
        hosts=park,
        placements=_placements(placements, park) if placements else named,
        mends=recording.mends,
        recorded=recorded,
    )


def _traced(
    folder: Path, hosts: Path | None, placements: Sequence[str], *, leave_out: bool
) -> _Source:
    park = read_hosts(_given(hosts or folder / HOSTS_FILE, *_HOSTS))
    usual = folder / PLACEMENT_FILE
    named = _placements(placements or [str(_given(usual, *_PLACES))], park)
    read = read_trace(folder, hosts=park, placement=_in_all(named), leave_out_unplaced=leave_out)
    return _Source(
        trace=read.trace, digest=read.digest, hosts=park, placements=named, mends=read.mends
    )


def _given(path: Path, option: str, allowed: str) -> Path:
    """Return a file that is there.

    Raises:
        InputError: it is not.
    """
    if path.exists():
        return path
    hint = f"write it, or name another one with {option}"
    problem = Problem(where=str(path), found="there is no such file", allowed=allowed, hint=hint)
    raise InputError(path.name, (problem,))


def _rows(places: Mapping[str, HostId]) -> Iterator[str]:
    return (f"{vm},{host}" for vm, host in sorted(places.items()))


def _facts(park: Sequence[Host]) -> Iterator[str]:
    """Yield what of hosts a replay depends on, but for the rules of a cluster."""
    for host in park:
        speed = host.vmotion.link_mbps
        yield f"{host.id},{host.name},{host.state},{host.usable_cpu_mhz},{host.usable_memory_mib},{speed}"


def _settings(recorded: Recorded) -> Iterator[str]:
    """Yield what of a recording a replay depends on beside load, hosts and placement."""
    bare = replace(recorded.base, vms=())
    frames = (with_frame(bare, frame) for frame in recorded.frames)
    documents = [
        *map(snapshot_document, (recorded.base, *frames)),
        *(vm_document(one.vm) for one in recorded.seen),
    ]
    slots = [change.slot for changes in (recorded.frames, recorded.seen) for change in changes]
    yield from map(json.dumps, (*documents, slots))
    away = [sorted(hosts) for _, hosts in recorded.away_from]
    if any(away):
        yield json.dumps(away)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _in_all(named: Placements) -> dict[str, HostId]:
    """Return the first placement, of the VMs that have a place in every one."""
    first, *others = named.values()
    return {vm: host for vm, host in first.items() if all(vm in other for other in others)}


def _placements(wanted: Sequence[str], park: Sequence[Host]) -> dict[str, dict[str, HostId]]:
    named: dict[str, dict[str, HostId]] = {}
    for words in wanted:
        path, column = _file_and_column(words)
        if column in named:
            raise typer.BadParameter(
                f"two placements are called {column!r}; rename the column of one, "
                "so that results can tell them apart"
            )
        named[column] = read_placement(path, column, park)
    return named


def _file_and_column(words: str) -> tuple[Path, str]:
    """Return the two parts of `FILE:COLUMN`; a file with one column beside `vm` needs no name of it."""
    path, column = Path(words), ""
    if not path.exists() and ":" in words:
        before, _, column = words.rpartition(":")
        path = Path(before)
    columns = placements_in(_given(path, *_PLACES))
    if column in columns:
        return path, column
    if not column and len(columns) == 1:
        return path, columns[0]
    found = f"there is no column {column!r}" if column else "it is not said which column counts"
    listed = ", ".join(columns[:20])
    problem = Problem(
        where=f"{path}, row 1",
        found=found,
        allowed=f"one of {listed}",
        hint=f"say it as {path}:COLUMN, several times for several placements",
    )
    raise InputError(f"placement {words}", (problem,))


def _part_of(source: _Source, part: Part) -> tuple[_Source, str]:
    """Return a part of what the files hold, with the digest of the whole trace and of what is taken of it."""
    trace = source.trace
    first = _slots(part.from_day * DAY_S, trace)
    rest = trace.slots - first
    count = rest if part.days is None else min(_slots(part.days * DAY_S, trace), rest)
    if count < 1:
        has = trace.slots * trace.step_s / DAY_S
        days = "" if part.days is None else f" --days {part.days:g}"
        raise typer.BadParameter(
            f"the trace has {has:.4g} days in slots of {trace.step_s:g} s; nothing of it is left with "
            f"--from-day {part.from_day:g}{days}"
        )
    if count == trace.slots:
        return source, source.digest
    taken = replace(_begun_at(source, first), trace=excerpt(trace, first, count))
    return taken, _digest([source.digest, str(first), str(count)])


def _begun_at(source: _Source, first: int) -> _Source:
    """Return a recording with hosts, rules and its own placement as they were at a slot; a trace as it is."""
    if source.recorded is None:
        return source
    recorded = source.recorded.from_slot(first)
    base, named = recorded.base, dict(source.placements)
    if AS_RECORDED in named:
        named[AS_RECORDED] = {vm.name: vm.host for vm in base.vms}
    return replace(source, recorded=recorded, hosts=base.hosts, placements=named)


def _slots(span_s: Seconds, trace: Trace) -> int:
    return round(span_s / trace.step_s)
