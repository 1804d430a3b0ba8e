"""What `balancer validate` says of a folder: a trace with its hosts and placements, or a recording."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from balancer.adapters.traces import (
    Mend,
    placements_in,
    read_hosts,
    read_placement,
    read_recording,
    read_trace,
)
from balancer.adapters.traces.recorded import is_recording
from balancer.cli.validation import Finding
from balancer.expose.figures import counted
from balancer.model.errors import Problem
from balancer.model.host import Host
from balancer.model.recorded import Recorded
from balancer.model.trace import Trace
from balancer.policy.file_access import is_file

HOSTS, PLACEMENTS = "hosts.csv", "placement0.csv"


def examined_folder(folder: Path) -> Finding:
    """Read a folder as a recording or as a trace; what was mended is worth a look.

    Raises:
        InputError: it is neither, or wrong; with row and column.
    """
    if is_recording(folder):
        recording = read_recording(folder)
        name, recorded = recording.snapshot.cluster.name, recording.recorded
        parts = [
            _told(recording.trace),
            *_park(recorded),
            counted(len(recorded.base.rules), "rule"),
            f"{counted(len(recorded.frames), 'change')} of rules, pools, cluster or hosts",
        ]
        summary = f"recording of cluster {name}: {', '.join(parts)}"
        return Finding(summary=summary, warnings=tuple(_mended(recording.mends)))
    hosts = read_hosts(folder / HOSTS) if is_file(folder / HOSTS) else ()
    read = read_trace(folder, hosts=hosts, leave_out_unplaced=True)
    parts = [_told(read.trace), *([counted(len(hosts), "host")] if hosts else [])]
    warnings = [*_mended(read.mends)]
    if is_file(folder / PLACEMENTS):
        names = placements_in(folder / PLACEMENTS)
        parts.append(f"placements {', '.join(names)}")
        warnings += _unplaced(folder / PLACEMENTS, names, read.trace, hosts)
    return Finding(summary=f"trace of {', '.join(parts)}", warnings=tuple(warnings))


def _park(recorded: Recorded) -> Iterator[str]:
    """Yield how many hosts there are at first, and how many are added and removed after that."""
    yield counted(len(recorded.base.hosts) - len(recorded.away), "host")
    away = [hosts for _, hosts in recorded.away_from]
    for verb, ends in (("added", pairwise(away)), ("removed", pairwise(away[::-1]))):
        if count := sum(len(one - other) for one, other in ends):
            yield f"{counted(count, 'host')} {verb}"


def _told(trace: Trace) -> str:
    begin = trace.start.isoformat().replace("+00:00", "Z")
    return f"{counted(len(trace.vms), 'VM')}, {counted(trace.slots, 'step')} of {trace.step_s:g} s from {begin}"


def _mended(mends: Sequence[Mend]) -> Iterator[Problem]:
    for mend in mends:
        more = ", ..." if mend.count > len(mend.places) else ""
        yield Problem(
            where=mend.rule, found=f"{counted(mend.count, 'place')}: {'; '.join(mend.places)}{more}"
        )


def _unplaced(
    path: Path, names: Sequence[str], trace: Trace, hosts: Sequence[Host]
) -> Iterator[Problem]:
    for name in names:
        placement, where = read_placement(path, name, hosts), f"{path.name}, column {name}"
        known = {vm.name for vm in trace.vms}
        lost = [vm.name for vm in trace.vms if vm.name not in placement]
        strangers = [vm for vm in placement if vm not in known]
        if lost:
            found = f"{counted(len(lost), 'VM')} without a place: {', '.join(lost[:5])}"
            yield Problem(where=where, found=found, hint="replay needs --leave-out then")
        if strangers:
            found = f"{counted(len(strangers), 'place')} not used: {', '.join(strangers[:5])}"
            yield Problem(where=where, found=found, hint="no such VM, or it is left out")
