"""Trace folders written for tests and docs: a plain one, pieces to break it with, and the example.

`python -m tests.support.traces docs/operate/trace-example` writes the example anew.
"""

import gzip
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from balancer.adapters.simulated.trace import make_hosts, make_placement, make_trace
from balancer.model.history import Figures
from balancer.model.host import Host
from balancer.model.trace import Trace
from balancer.model.units import HostId

PLAIN: Mapping[str, str] = {
    "cpu_mhz.csv": "slot,a,b\n0,100,200\n1,110,210\n2,120,220\n",
    "mem_active_mib.csv": "slot,a,b\n0,500,900\n1,510,910\n2,520,920\n",
    "vms.csv": "vm,vcpus,cpu_mhz,mem_mib\na,2,5200,4096\nb,4,10400,8192\n",
}
"""Two VMs over three slots of 5 minutes."""


def trace_folder(folder: Path, /, **changed: str | bytes | None) -> Path:
    """Write `PLAIN` with files changed, added or (None) left out; `__` in a name stands for the dot."""
    files: dict[str, str | bytes | None] = {**PLAIN}
    files |= {name.replace("__", "."): content for name, content in changed.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if content is not None:
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)
    return folder


def example() -> Mapping[str, bytes]:
    """Return the files of the example: 24 VMs on 4 hosts over a day, and two placements."""
    trace = make_trace(24, 288, seed=8)
    hosts = make_hosts(4, cpu_mhz=6 * 2600.0, memory_mib=98_304.0)
    placements = {"random": make_placement(trace, hosts, seed=8), "even_vcpus": _even(trace, hosts)}
    return trace_files(trace) | park_files(trace, hosts, placements)


def trace_files(trace: Trace) -> dict[str, bytes]:
    """Return a trace without changes of size as the files of its folder."""
    return {
        "cpu_mhz.csv.gz": gzip.compress(_matrix(trace, trace.cpu_mhz), mtime=0),
        "mem_active_mib.csv.gz": gzip.compress(_matrix(trace, trace.memory_mib), mtime=0),
        "vms.csv": _table(
            ("vm", "vcpus", "cpu_mhz", "mem_mib"),
            ((vm.name, vm.vcpus, vm.vcpus * 2600, f"{vm.memory_mib:.0f}") for vm in trace.vms),
        ),
    }


def park_files(
    trace: Trace, hosts: Sequence[Host], placements: Mapping[str, Mapping[str, HostId]]
) -> dict[str, bytes]:
    """Return hosts and placements as files."""
    park = (
        (h.name, h.cpu_cores, f"{h.cpu_capacity_mhz:.0f}", f"{h.memory_capacity_mib:.0f}", 10_000)
        for h in hosts
    )
    places = ((vm.name, *(each[vm.name] for each in placements.values())) for vm in trace.vms)
    return {
        "hosts.csv": _table(("host", "cores", "cpu_mhz", "mem_mib", "vmotion_mbps"), park),
        "placement0.csv": _table(("vm", *placements), places),
    }


def _matrix(trace: Trace, figures: Figures) -> bytes:
    rows = (
        (
            (trace.start + timedelta(seconds=slot * trace.step_s)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            *("" if np.isnan(value) else f"{value:.0f}" for value in row),
        )
        for slot, row in enumerate(figures)
    )
    return _table(("time", *(vm.name for vm in trace.vms)), rows)


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    lines = [",".join(map(str, row)) for row in (names, *rows)]
    return ("\n".join(lines) + "\n").encode()


def _even(trace: Trace, hosts: Sequence[Host]) -> dict[str, HostId]:
    """Put every VM, the largest first, on the host with the fewest virtual processors."""
    vcpus = dict.fromkeys((host.id for host in hosts), 0)
    placement = {}
    for vm in sorted(trace.vms, key=lambda vm: (-vm.vcpus, vm.name)):
        host = min(vcpus, key=lambda each: (vcpus[each], each))
        vcpus[host] += vm.vcpus
        placement[vm.name] = host
    return placement


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in example().items():
        (folder / name).write_bytes(content)
