"""How long traces take to read and snapshots to record: prints tables, judges nothing.

`python -m tests.bench.traces [FOLDER]` reads the trace in FOLDER, or one that is made up: 500 VMs over 30 days.
Then it records a cluster of 10,000 VMs on 100 hosts, with and without names, and reads the recording.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from balancer.adapters.recording import Recorder
from balancer.adapters.simulated.trace import make_trace
from balancer.adapters.traces import read_recording, read_trace
from balancer.config.record import Record
from balancer.model.snapshot import Snapshot
from tests.support.builders import NOON, host, snapshot, vm
from tests.support.traces import trace_files

HOSTS, VMS, LOOKS = 100, 10_000, 6


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _made(Path(scratch) / "trace")
        with _timed(f"read {folder.name}"):
            read = read_trace(folder)
        told(f"  {len(read.trace.vms)} VMs, {read.trace.slots} slots")
        for mend in read.mends:
            told(f"  {mend}")
        for is_anonymous in (False, True):
            _record(Path(scratch) / str(is_anonymous), is_anonymous=is_anonymous)


def told(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def _timed(what: str) -> Iterator[None]:
    begun_s, worked_s = time.perf_counter(), time.process_time()
    yield
    wall_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - worked_s
    told(f"{what}: {wall_s:.4f} s, {cpu_s:.4f} s of processor time")


def _made(folder: Path) -> Path:
    folder.mkdir()
    for name, content in trace_files(make_trace(500, 8_640)).items():
        (folder / name).write_bytes(content)
    return folder


def _record(folder: Path, *, is_anonymous: bool) -> None:
    results: list[str] = []
    chosen = Record(folder=folder / "recordings", anonymize=is_anonymous)
    recorder = Recorder(chosen, folder / "recording.key", results.append)
    before = 0
    for number, taken in enumerate(_looks()):
        with _timed(f"look {number}, anonymised: {is_anonymous}, told"):
            recorder.put("main/prod", taken)
        with _timed("  written"):
            recorder.write_waiting()
        (path,) = folder.rglob("*.jsonl.gz")
        size = path.stat().st_size
        told(f"  {size - before:,} bytes")
        before = size
    with _timed("read back"):
        read_recording(folder / "recordings")
    told(f"  {', '.join(sorted(set(results)))}")


def _looks() -> Iterator[Snapshot]:
    random = np.random.default_rng(0)
    hosts = [host(number) for number in range(1, HOSTS + 1)]
    facts = {"guest_os": "rhel9_64Guest", "tags": frozenset({"tier-1"}), "folder": "prod"}
    vms = [vm(n, 1 + n % HOSTS, uuid=f"50{n:030x}", **facts) for n in range(1, VMS + 1)]
    for look in range(LOOKS):
        figures = random.random((VMS, 4)).tolist()
        now = [
            replace(
                each,
                cpu_demand_mhz=3_000.0 * a,
                cpu_usage_mhz=2_900.0 * a,
                cpu_ready_percent=b,
                memory_active_mib=4_096.0 * c,
                memory_consumed_mib=4_096.0 * d,
            )
            for each, (a, b, c, d) in zip(vms, figures, strict=True)
        ]
        yield replace(snapshot(hosts, now), taken_at=NOON + timedelta(minutes=5 * look))


if __name__ == "__main__":
    main()
