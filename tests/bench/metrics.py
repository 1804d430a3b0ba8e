"""What a scrape costs: series, bytes, and the time of a scrape over HTTP. Prints a table, judges nothing.

Run: python -m tests.bench.metrics [CLUSTERSxHOSTS ...]

Each size is scraped quietly and while cycles tell their events between the scrapes, as text and as OpenMetrics.
"""

import http.client
import sys
import time
from collections.abc import Callable, Sequence

from balancer.adapters.http.app import build_app
from balancer.adapters.http.server import HttpServer
from balancer.expose.health import Health
from balancer.expose.metrics import ClusterMetrics, Metrics
from balancer.model.events import (
    CycleEnded,
    MoveEnded,
    MoveStarted,
    PastReviewed,
    PlanMade,
    SnapshotTaken,
)
from balancer.model.outcome import MoveOutcome, MoveState
from balancer.model.past import Past
from balancer.model.plan import Plan
from balancer.model.snapshot import Snapshot
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from tests.support.builders import NOON, host, snapshot, vm
from tests.unit.expose.board import StillClock
from tests.unit.expose.plans import move, plan

SIZES = ("1x32", "20x32", "60x32")
SCRAPES = 500
ACCEPTED = {"text": "text/plain", "OpenMetrics": "application/openmetrics-text"}
METHODS = (
    "RetrievePropertiesEx",
    "ContinueRetrievePropertiesEx",
    "QueryPerf",
    "RelocateVM_Task",
    "Login",
)


def main(sizes: Sequence[str]) -> None:
    """Print one row per size, format and way of life."""
    say("size    format       life   series    bytes   p50 ms   p99 ms   max ms")
    for size in sizes or SIZES:
        clusters, hosts = (int(part) for part in size.split("x"))
        fleet = Fleet(clusters, hosts)
        server = HttpServer(build_app(fleet.metrics, Health(StillClock(), vcenters={}, loops={})))
        server.start()
        try:
            for name in ACCEPTED:
                for life, between in (("quiet", nothing), ("busy", fleet.live_on)):
                    print_row(size, name, life, server.port, between)
        finally:
            server.stop()


class Fleet:
    """Clusters that have been told what a few cycles tell."""

    def __init__(self, clusters: int, hosts: int) -> None:
        self.metrics = Metrics(StillClock())
        self._turn = 0
        self._snapshot, self._plan = a_cluster(hosts)
        vcenter = self.metrics.for_vcenter("vc1.example.com")
        for method in METHODS:
            vcenter.request(method, "ok", 0.2)
        policy = Policy()
        self._known = [
            self.metrics.for_cluster(
                "vc1.example.com",
                f"cluster-{n}",
                policy=policy,
                mode=Mode.AUTOMATIC,
                interval_s=300.0,
            )
            for n in range(clusters)
        ]
        for cluster in self._known:
            self.cycle(cluster)

    def live_on(self) -> None:
        """Let the next cluster have a cycle."""
        self._turn = (self._turn + 1) % len(self._known)
        self.cycle(self._known[self._turn])

    def cycle(self, cluster: ClusterMetrics) -> None:
        """Tell what one cycle with moves tells."""
        made = self._plan
        cluster.tell(PastReviewed(past=Past(), closed=(), at=NOON))
        cluster.tell(SnapshotTaken(snapshot=self._snapshot, state=made.before, asked_at=NOON))
        cluster.tell(PlanMade(plan=made))
        for step in made.moves:
            cluster.tell(MoveStarted(move=step, task="task-1", at=NOON, waited_seconds=3.0))
            ended = MoveOutcome(move=step, state=MoveState.DONE, seconds=20.0)
            cluster.tell(MoveEnded(outcome=ended, at=NOON))
        laps = {"collect": 2.0, "plan": 3.0, "execute": 60.0}
        cluster.tell(CycleEnded(plan=made, outcomes=(), phase_seconds=laps))


def a_cluster(hosts: int) -> tuple[Snapshot, Plan]:
    esx = [host(n, name=f"esx{n:03}.dc1.example.com") for n in range(1, hosts + 1)]
    vms = [vm(n, on=n % hosts + 1) for n in range(1, 30 * hosts)]
    snap = snapshot(esx, vms)
    stages = {"assess": 0.1, "search": 1.0, "sequence": 0.2, "verify": 0.1}
    moves = [move(n, n, n % hosts + 1, (n + 1) % hosts + 1) for n in range(1, 6)]
    return snap, plan(snap, moves if hosts > 1 else (), stage_seconds=stages)


def nothing() -> None:
    """Let nothing happen between two scrapes."""


def print_row(size: str, name: str, life: str, port: int, between: Callable[[], None]) -> None:
    """Scrape again and again over one connection, as Prometheus does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)
    times, page = [], b""
    for _ in range(SCRAPES):
        between()
        began = time.perf_counter()
        connection.request("GET", "/metrics", headers={"Accept": ACCEPTED[name]})
        page = connection.getresponse().read()
        times.append((time.perf_counter() - began) * 1000.0)
    connection.close()
    times.sort()
    series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    figures = f"{series:>8,} {len(page):>8,} {p50:>8.1f} {p99:>8.1f} {times[-1]:>8.1f}"
    say(f"{size:<7} {name:<12} {life:<6} {figures}")


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
