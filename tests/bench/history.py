"""What the memory of demand takes on disk and in memory, and how long it takes: prints tables, judges nothing.

`python -m tests.bench.history FOLDER` reads the traces in FOLDER (bitbrains-rnd/2013-07/cpu_mhz.csv.gz and
mem_active_mb.csv.gz, gcd-vms/cpu_pct.csv.gz and mem_pct.csv.gz, planetlab/*.csv.gz: a column for each VM, a row
for each five minutes, an empty cell where nothing is known) and tiles each to as many VMs and days as are asked
for. What the traces do not say is made up, seeded: CPU demand every 20 s around the mean of five minutes, consumed
memory, ready time.
"""

import argparse
import gzip
import resource
import sqlite3
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from balancer.adapters.store.history_sqlite import SqliteHistory
from balancer.collect.history import STEP_S, DemandHistory
from balancer.collect.history_step import OpenStep, SampleFigures
from balancer.collect.rollups import hour_of
from balancer.model.history import Figures
from balancer.model.rollup import SERIES_OF, Block, Kind, Member
from balancer.model.snapshot import Snapshot
from balancer.recall import Recall
from tests.bench.history_whole import KEY, START, Kept, through, within
from tests.support.builders import host, snapshot, vm

DAY = 288
CORE_MHZ = 2_600.0


def main() -> None:
    """Print the tables."""
    asked = _asked()
    if asked.whole:
        _whole(asked)
        return
    if asked.folder:
        _disk(asked)
    for vms in (500, asked.vms):
        _memory(vms, asked.memory_days)


def told(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="without it no sizes on disk are told")
    parser.add_argument("--vms", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument(
        "--keep-days", type=int, nargs="*", default=[14, 30], help="of five minutes, on disk"
    )
    parser.add_argument("--memory-days", type=int, default=14, help="of these, in memory")
    parser.add_argument("--traces", nargs="*", default=["bitbrains-rnd", "gcd-vms", "planetlab"])
    whole = "go through all days step by step as the daemon does, and print the size at each; needs FOLDER"
    parser.add_argument("--whole", action="store_true", help=whole)
    parser.add_argument("--hourly-days", type=int, default=60, help="with --whole")
    parser.add_argument("--most-mib", type=int, default=170, help="with --whole")
    asked = parser.parse_args()
    if asked.whole and not asked.folder:
        parser.error("--whole goes through traces: name their FOLDER")
    return asked


def _whole(asked: argparse.Namespace) -> None:
    for name in asked.traces:
        for keep_days in asked.keep_days:
            kept = Kept(
                five_minute_days=keep_days,
                memory_days=min(asked.memory_days, keep_days),
                hourly_days=asked.hourly_days,
                most_mib=asked.most_mib,
            )
            told(f"{name}, {asked.vms} VMs: {kept}")
            rng = np.random.default_rng(1)
            days = _tiled(asked.folder / name, asked.vms, asked.days, rng)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "history.sqlite"
                for line in through(days, rng, vms=asked.vms, kept=kept, path=path):
                    told(line)
                _sizes(path)


def _disk(asked: argparse.Namespace) -> None:
    told("trace: what is kept: MB on disk, MiB in rings, s to load, MiB more while loading")
    for name in asked.traces:
        for keep_days in asked.keep_days:
            with tempfile.TemporaryDirectory() as folder:
                _one_disk(asked, name, keep_days, Path(folder) / "history.sqlite")


def _one_disk(asked: argparse.Namespace, name: str, keep_days: int, path: Path) -> None:
    rng = np.random.default_rng(1)
    days = _tiled(asked.folder / name, asked.vms, asked.days, rng)
    written: list[float] = []
    with closing(SqliteHistory(path)) as store:
        for day, (cpu, active) in enumerate(days):
            for block in _blocks(cpu, active, START + timedelta(days=day), rng):
                begun = time.process_time()
                if day >= asked.days - keep_days:
                    store.put(KEY, block)
                store.put(KEY, hour_of(block))
                written.append(time.process_time() - begun)
            begun = time.process_time()
            store.condense(START + timedelta(days=day + 1))
            condensed_s = time.process_time() - begun
        size = store.size_bytes
        end = START + timedelta(days=asked.days)
        memory_days = min(asked.memory_days, keep_days)
        recall = Recall(
            store,
            five_minute_days=keep_days,
            memory_days=memory_days,
            hourly_days=60,
            most_bytes=10**12,
        )
        tracemalloc.start()
        begun = time.process_time()
        recall.of(KEY).load(end)
        loaded_s = time.process_time() - begun
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        held = recall.of(KEY).history.nbytes
    what = f"{keep_days} days of 5 min, {asked.days} days of 1 h"
    figures = (
        f"{size / 1e6:.1f} | {held / 2**20:.1f} | {loaded_s:.1f} | {(peak - held) / 2**20:.0f}"
    )
    told(f"| {name} | {what} | {figures} |")
    told(
        f"written: median {1e3 * np.median(written):.0f} ms an hour, a day put together in {condensed_s:.1f} s"
    )
    _sizes(path)


def _sizes(path: Path) -> None:
    query = """select step_s, measure, statistic, sum(length(data)) / 1e6, sum(steps) from chunks
        join spans on spans.id = span group by 1, 2, 3 order by 1, 2, 4"""
    with closing(sqlite3.connect(path)) as raw:
        for step_s, measure, statistic, size_mb, steps in raw.execute(query):
            told(f"|   {step_s} s | {measure} {statistic} | {size_mb:.1f} MB | {steps} steps |")


def _tiled(
    folder: Path, vms: int, days: int, rng: np.random.Generator
) -> Iterator[tuple[Figures, Figures]]:
    """Yield the CPU (MHz) and active memory (MiB) of each day, (288, VMs)."""
    cpu, active = _trace(folder)
    known = len(cpu) // DAY
    column = rng.permutation(vms) % cpu.shape[1]
    shift, scale = rng.integers(0, known, vms), rng.uniform(0.5, 2.0, vms)
    for day in range(days):
        if known < days:  # a short trace: another VM's day follows
            column = np.where(rng.random(vms) < 0.5, column, rng.integers(0, cpu.shape[1], vms))
        rows = ((day + shift) % known)[np.newaxis] * DAY + np.arange(DAY)[:, np.newaxis]
        yield cpu[rows, column] * scale, active[rows, column] * scale


def _trace(folder: Path) -> tuple[Figures, Figures]:
    if folder.name == "bitbrains-rnd":
        files = ("cpu_mhz.csv.gz", "mem_active_mb.csv.gz")
        return _read(folder / "2013-07" / files[0]), _read(folder / "2013-07" / files[1])
    if folder.name == "gcd-vms":
        return (
            _read(folder / "cpu_pct.csv.gz") * (2 * CORE_MHZ / 100),
            _read(folder / "mem_pct.csv.gz") * (8_192 / 100),
        )
    days = [_read(path) * (CORE_MHZ / 100) for path in sorted(folder.glob("*.csv.gz"))]
    width = min(day.shape[1] for day in days)
    cpu = np.concatenate([day[:DAY, :width] for day in days])
    return cpu, np.full_like(cpu, 1_024.0) + cpu / 4


def _read(path: Path) -> Figures:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        file.readline()
        rows = [
            [float(cell or "nan") for cell in line.rstrip("\n").split(",")[1:]] for line in file
        ]
    return np.array(rows, dtype=np.float32)


def _blocks(
    cpu: Figures, active: Figures, at: datetime, rng: np.random.Generator
) -> Iterator[Block]:
    """Yield a day hour by hour, with all series."""
    vms = cpu.shape[1]
    step = OpenStep(4)
    rows = [_row(step, cpu, active, number, rng) for number in range(DAY)]
    members = tuple(Member(identity=f"vm-{n:05d}", vcpus=2, memory_mib=4096.0) for n in range(vms))
    for hour in range(24):
        whole = np.stack(rows[hour * 12 : hour * 12 + 12], axis=1)
        yield Block(
            kind=Kind.VM,
            starts_at=at + timedelta(hours=hour),
            step_s=STEP_S,
            members=members,
            figures=dict(zip(SERIES_OF[Kind.VM], whole, strict=True)),
        )


def _row(
    step: OpenStep, cpu: Figures, active: Figures, number: int, rng: np.random.Generator
) -> Figures:
    vms = cpu.shape[1]
    now = cpu[number]
    deviation, p95, top = within(now, cpu[max(number - 1, 0)], rng)
    consumed = np.floor(8_192.0 + 2_048.0 * np.sin(np.arange(vms)) + number / 48)
    ready = np.where(np.isfinite(now), rng.lognormal(-2.5, 0.8, vms), np.nan)
    step.clear(vms)
    none = np.full(vms, np.nan)
    means = np.array((now, active[number], np.where(np.isfinite(now), consumed, np.nan), ready))
    others = (none, none, none)
    reading = SampleFigures(
        means=means,
        deviations=np.array((deviation, *others)),
        p95s=np.array((p95, *others)),
        maxima=np.array((top, *others)),
    )
    step.add(np.arange(vms), reading)
    return step.figures()


def _memory(count: int, memory_days: int) -> None:
    snaps = _snapshots(count, 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    history = DemandHistory(steps=memory_days * DAY)
    history.take(snaps[0])
    takes = [_ms(partial(history.take, snap)) for snap in snaps[1:]]
    told(f"{count} VMs, {memory_days} days: {history.nbytes / 2**20:.1f} MiB in rings")
    told(f"take: median {np.median(takes):.2f} ms, most {max(takes):.2f} ms")
    for steps in (3, 24, DAY, None):
        took_ms = min(_ms(partial(history.view, steps)) for _ in range(3))
        told(f"view({steps}): {took_ms:.2f} ms")
    parts = [slice(at, at + 256) for at in range(0, count, 256)]
    in_parts = _ms(lambda: [history.view(vms=part) for part in parts])
    told(f"view of all, 256 VMs at a time: {in_parts:.1f} ms")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told(f"most resident memory: {before / 1024:.0f} MiB before, {after / 1024:.0f} MiB after")


def _snapshots(count: int, steps: int) -> Sequence[Snapshot]:
    peaks = {"cpu_demand_p95_mhz": 1_016.0, "cpu_demand_max_mhz": 1_018.0}
    facts = {"cpu_demand_stddev_mhz": 10.0, "cpu_ready_percent": 0.5, **peaks}
    hosts = [host(number) for number in range(max(count // 25, 1))]
    vms = [vm(n, n % len(hosts), uuid=f"50{n:030x}", **facts) for n in range(count)]
    first = snapshot(hosts, vms, taken_at=START)
    return [
        replace(first, taken_at=START + timedelta(seconds=STEP_S * step)) for step in range(steps)
    ]


def _ms(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return 1e3 * (time.process_time() - begun)


if __name__ == "__main__":
    main()
