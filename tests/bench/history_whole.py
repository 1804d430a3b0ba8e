"""What the memory of demand takes day by day, kept as the daemon keeps it: in virtual time, step by step.

Each step of five minutes is a snapshot that the memory takes, each hour is written as it ends, and each night what
is too old is dropped and days are put together. Nothing is forecast. A line is told for each day; see `history`.
"""

import gc
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from balancer.adapters.store.history_sqlite import SqliteHistory
from balancer.collect.history import STEP_S
from balancer.model.history import Figures
from balancer.model.host import Host
from balancer.model.snapshot import Snapshot
from balancer.model.vm import Vm
from balancer.recall import STEPS_OF_HOUR, Recall
from tests.bench.planner.meter import peak_mib
from tests.support.builders import host, snapshot, vm
from tests.support.fakes import FakeClock

SAMPLES = 15
START = datetime(2026, 9, 1, tzinfo=UTC)
KEY = "vc1/prod"
VMS_OF_HOST = 25
_exhaust = deque[None](maxlen=0).extend


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long figures are kept, and in how much room: the settings of `history`."""

    five_minute_days: int
    memory_days: int
    hourly_days: int
    most_mib: int


def through(
    days: Iterator[tuple[Figures, Figures]],
    rng: np.random.Generator,
    *,
    vms: int,
    kept: Kept,
    path: Path,
) -> Iterator[str]:
    """Go through days of CPU (MHz) and active memory (MiB), (steps, VMs); yield a line of a table for each."""
    clock = FakeClock(START)
    with closing(SqliteHistory(path)) as store:
        recall = Recall(
            store,
            five_minute_days=kept.five_minute_days,
            memory_days=kept.memory_days,
            hourly_days=kept.hourly_days,
            most_bytes=kept.most_mib * 2**20,
        )
        memory, cluster = recall.of(KEY), Cluster(vms)
        gc.freeze()  # what a snapshot is made of stays
        yield "| day | MB on disk, write-ahead log included | MiB in rings | MiB most resident | s so far |"
        for day, (cpu, active) in enumerate(days, start=1):
            for step in range(len(cpu)):
                if step % STEPS_OF_HOUR == 0 and step:
                    memory.close()  # writes the hour that ended
                _told(f"day {day}, {step // STEPS_OF_HOUR:02d}:00")
                before = cpu[max(step - 1, 0)]
                seen = cluster.seen(clock.now(), cpu[step], before, active[step], rng)
                memory.history.take(seen)
                clock.sleep(STEP_S)
            memory.close()
            recall.keep_up(clock)
            on_disk, in_rings = recall.size_bytes / 1e6, memory.history.nbytes / 2**20
            spent = f"{peak_mib() or 0.0:.0f} | {time.process_time():.0f}"
            yield f"| {day} | {on_disk:.1f} | {in_rings:.1f} | {spent} |"


class Cluster:
    """One snapshot, told anew at each step: making 10,000 frozen VMs for each would take most of the time."""

    def __init__(self, vms: int) -> None:
        hosts = max(vms // VMS_OF_HOST, 1)
        self._place = np.arange(vms) % hosts
        made = [vm(n, n % hosts, uuid=f"50{n:030x}") for n in range(vms)]
        self._snapshot = snapshot([host(n) for n in range(hosts)], made, taken_at=START)
        number = {one.id: n for n, one in enumerate(made)}
        self._order = np.array([number[one.id] for one in self._snapshot.vms])
        self._hosts = [int(one.id.removeprefix("host-")) for one in self._snapshot.hosts]

    def seen(
        self, at: datetime, cpu: Figures, before: Figures, active: Figures, rng: np.random.Generator
    ) -> Snapshot:
        """Return the snapshot with the figures of a step; the last one is this one from now on."""
        is_known = np.isfinite(cpu)
        deviation, p95, top = within(cpu, before, rng)
        consumed = np.floor(
            8_192.0 + 2_048.0 * np.sin(np.arange(len(cpu))) + at.timestamp() / 14_400
        )
        put(
            self._snapshot.vms,
            self._order,
            cpu_demand_mhz=cpu,
            cpu_demand_stddev_mhz=deviation,
            cpu_demand_p95_mhz=p95,
            cpu_demand_max_mhz=top,
            memory_active_mib=active,
            memory_consumed_mib=np.where(is_known, consumed, np.nan),
            cpu_ready_percent=np.where(is_known, rng.lognormal(-2.5, 0.8, len(cpu)), np.nan),
        )
        self._put_hosts(np.where(is_known, cpu, 0.0), np.where(is_known, consumed, 0.0), rng)
        object.__setattr__(self._snapshot, "taken_at", at)
        return self._snapshot

    def _put_hosts(self, cpu: Figures, memory: Figures, rng: np.random.Generator) -> None:
        used = np.bincount(self._place, weights=cpu)
        deviation = 0.02 * used * rng.uniform(0.7, 1.3, len(used))
        put(
            self._snapshot.hosts,
            np.array(self._hosts),
            cpu_usage_mhz=used,
            cpu_usage_p95_mhz=used + 1.6 * deviation,
            cpu_usage_max_mhz=used + 1.7 * deviation,
            memory_usage_mib=np.bincount(self._place, weights=memory),
        )


def put(items: Sequence[Vm] | Sequence[Host], order: Any, **columns: Any) -> None:
    """Write figures into frozen values; what is not a number becomes None."""
    kind = type(items[0])
    for name, figures in columns.items():
        told = figures[order].astype(object)
        told[~(figures[order] >= 0.0)] = None
        _exhaust(map(vars(kind)[name].__set__, items, told.tolist()))


def within(now: Figures, before: Figures, rng: np.random.Generator) -> tuple[Figures, ...]:
    """Return deviation, 95th percentile and maximum of 15 made-up samples whose mean is `now`."""
    spread = (0.05 * now + 0.3 * np.abs(now - before)) * rng.uniform(0.7, 1.3, len(now))
    drawn = rng.standard_normal((SAMPLES, len(now)), dtype=np.float32)
    samples = np.sort(np.maximum(now + spread * (drawn - drawn.mean(axis=0)), 0.0), axis=0)
    p95 = 0.25 * samples[-2] + 0.75 * samples[-1]  # as the adapter has it of 15
    return samples.std(axis=0, ddof=1), p95, samples[-1]


def _told(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text} ")
        sys.stderr.flush()
