"""The daemon: runs one cycle job per cluster on APScheduler, serves HTTP, stops cleanly.

What it works on is put together in `wiring`. The only importer of APScheduler. A cycle that fails is logged
and counted, and the daemon goes on; a vCenter that does not answer is tried again with back-off while the
others are worked on. After a stop request nothing more is submitted; what runs is left to run and is
settled at the next start.
"""

import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from balancer.adapters.clock import SystemClock
from balancer.adapters.http.app import build_app
from balancer.adapters.http.server import HttpServer
from balancer.adapters.store.sqlite import SqliteStore
from balancer.assess.demand import demand_of
from balancer.collect import Sighting
from balancer.collect.cluster_choice import find_cluster
from balancer.config import Config
from balancer.cycle import CycleReport, Site, run_cycle
from balancer.early import EarlyCycles
from balancer.execute import Tools
from balancer.execute.server_checks import ServerChecks
from balancer.expose.health import Health
from balancer.expose.logs import bind
from balancer.expose.metrics import ClusterMetrics, Metrics
from balancer.model.changes import Change
from balancer.model.errors import BalancerError, SourceError
from balancer.model.fingerprint import fingerprint
from balancer.model.reasons import WITHHELD, Reason, Refusal
from balancer.model.units import Seconds
from balancer.policy.mode import Mode
from balancer.ports import Clock, ClusterRef, Store
from balancer.version import VERSION
from balancer.watch import Link, Watch
from balancer.wiring import cluster_metrics, health_of, watches_of

log = logging.getLogger(__name__)

STOP_WITHIN_S = 8.0
"""How long a stop takes, with the logouts; service managers expect an end within ten seconds."""

LOGOUT_WITHIN_S = 1.5
"""What the logouts have in any case."""

GIVE_UP_AFTER_S = 4.0
"""How long a stop waits for running cycles before it ends their reads of a vCenter that hangs."""

KEEP_ALIVE_EVERY_S = 60.0
"""How often it is looked whether a session has been idle for long."""

HEARTBEAT_S = 1.0
"""How often the main thread looks up while it waits for a signal."""

FIRST_RETRY_S = 2.0
"""Back-off after a vCenter did not answer: doubles until the cluster's own interval is shorter."""

MOST_DOUBLINGS = 12
"""Keeps the back-off a sane number; any interval is shorter by then."""


class ClusterJob:
    """The cycles of one cluster: never two at once, tried again with back-off after a failure."""

    def __init__(self, watch: Watch, daemon: "Daemon", metrics: ClusterMetrics) -> None:
        self.watch = watch
        self._daemon = daemon
        self._metrics = metrics
        metrics.on_progress(lambda: daemon.health.progressed(watch.key))
        self._busy = threading.Lock()
        self._failures = 0
        self._last: Sighting | None = None
        self._barred: Refusal | None = None
        self._early = EarlyCycles(daemon.clock, shortest_s=watch.shortest_interval_s)
        self._checks = ServerChecks()

    def run(self) -> None:
        """Run one cycle; every failure ends here, in the log and in the metrics."""
        if self._daemon.may_submit() is not None or not self._busy.acquire(blocking=False):
            return
        cycle_id = secrets.token_hex(4)
        self._early.begun()
        self._metrics.cycle_scheduled(self._daemon.next_turn(self.watch))
        try:
            with bind(cycle_id=cycle_id, vcenter=self.watch.link.name, cluster=self.watch.name):
                self._run(cycle_id)
        finally:
            self._busy.release()
            self._run_early(self._early.ended())

    def hinted(self, changes: tuple[Change, ...]) -> None:
        """Hear of changes in this cluster; a cycle runs early where they are worth one."""
        self._run_early(self._early.heard(changes))

    def _run_early(self, delay_s: Seconds | None) -> None:
        """Run a cycle after the delay, unless the next regular one comes first."""
        if delay_s is not None and self._daemon.is_before_next_turn(self.watch, delay_s):
            name = {"cluster": self.watch.name, "vcenter": self.watch.link.name}
            log.info("cycle runs early", extra={**name, "in_s": round(delay_s, 1)})
            self._daemon.run_later(self, delay_s, why="early")

    def _run(self, cycle_id: str) -> None:
        try:
            report = run_cycle(self._site(), cycle_id=cycle_id)
        except SourceError as error:
            self._daemon.health.vcenter_down(self.watch.link.name, str(error))
            self._retry(error)
            self._fail("vCenter could not be asked", error)
        except BalancerError as error:
            self._fail("cycle failed", error)
        except Exception as error:
            self._metrics.cycle_failed(error)
            self._daemon.health.cycle_failed(self.watch.key, "unexpected error")
            log.exception("cycle failed unexpectedly")
        else:
            self._succeed(report)

    def _site(self) -> Site:
        link, daemon = self.watch.link, self._daemon
        tools = Tools(
            vcenter=link.name,
            inventory=link.inventory,
            migrator=link.migrator,
            store=daemon.store,
            clock=daemon.clock,
            events=self._metrics,
            may_submit=daemon.may_submit,
            demand_of=demand_of,
            checks=self._checks,
        )
        cluster = find_cluster(link.inventory, self.watch.name)
        return Site(
            cluster=cluster,
            barred=self._asked_whether_barred(cluster),
            policy=self.watch.policy,
            mode=self.watch.mode,
            settings=self.watch.settings,
            tools=tools,
            last=self._last,
        )

    def _asked_whether_barred(self, cluster: ClusterRef) -> Refusal | None:
        """Ask before each cycle that may act: rights change, and a mended account needs no restart."""
        barred = None if self.watch.mode is Mode.OBSERVE else self.watch.link.barred(cluster)
        if barred is not None and barred != self._barred:
            told = {"configured": self.watch.mode.value, "reason": barred.reason.value}
            log.warning("observed only", extra={**told, "detail": barred.detail})
        elif barred is None and self._barred is not None:
            log.warning("acting again", extra={"configured": self.watch.mode.value})
        self._barred = barred
        return barred

    def _succeed(self, report: CycleReport) -> None:
        self._failures, self._last = 0, report.seen.sighting
        sent = {outcome.move.vm for outcome in report.outcomes if outcome.was_sent}
        self._early.moved(sent)
        if self.watch.link.changes is not None:
            self.watch.link.changes.follow(report.seen.snapshot.cluster.id, self.hinted)
        self._daemon.health.vcenter_up(self.watch.link.name)
        self._daemon.health.cycle_ended(self.watch.key)
        held = report.held if report.held and report.held.reason in WITHHELD else None
        self._daemon.health.acting_withheld(self.watch.key, str(held or ""))
        extra = {
            "status": report.plan.status.value,
            "moves_planned": len(report.plan.moves),
            "moves_done": sum(1 for outcome in report.outcomes if outcome.was_sent),
            "imbalance": round(report.plan.before.imbalance, 4),
            "held": held.reason.value if held else None,
        }
        log.info("cycle ended", extra=extra)

    def _fail(self, message: str, error: BalancerError) -> None:
        self._metrics.cycle_failed(error)
        self._daemon.health.cycle_failed(self.watch.key, str(error))
        log.error(message, extra={"error": str(error), "kind": type(error).__name__})

    def _retry(self, error: SourceError) -> None:
        """Come back before the next turn, unless the error says that only time or a person mends it."""
        self._failures += 1
        delay_s = FIRST_RETRY_S * 2 ** min(self._failures - 1, MOST_DOUBLINGS)
        if error.is_transient and delay_s < self.watch.interval_s:
            self._daemon.run_later(self, delay_s, why="again")

    def missed(self) -> None:
        """Count a cycle that did not start in time, as when the one before it still migrates VMs."""
        self._metrics.cycle_missed()
        log.info(
            "cycle skipped", extra={"cluster": self.watch.name, "vcenter": self.watch.link.name}
        )


class Daemon:
    """The scheduler and its jobs. `start`, then `stop` once; both are called from the main thread."""

    def __init__(
        self, watches: Sequence[Watch], *, store: Store, clock: Clock, health: Health
    ) -> None:
        self.store = store
        self.clock = clock
        self.health = health
        self._watches = tuple(watches)
        self._jobs: list[ClusterJob] = []
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(timezone="UTC")

    def may_submit(self) -> Refusal | None:
        """Return why nothing may be submitted now (S8), or None."""
        if self._stopping.is_set():
            return Refusal.of(Reason.STOPPING, "the daemon is stopping")
        return None

    def start(self, metrics_of: Callable[[Watch], ClusterMetrics]) -> None:
        """Start one interval job per cluster, the first cycle at once."""
        self._scheduler.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for link in self._links():
            self._add_workers(link)
        for watch in self._watches:
            job = ClusterJob(watch, self, metrics_of(watch))
            self._jobs.append(job)
            self._scheduler.add_job(
                job.run,
                "interval",
                seconds=watch.interval_s,
                id=watch.key,
                executor=watch.link.name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=max(int(watch.interval_s), 1),
                next_run_time=self.clock.now(),
            )
        self._scheduler.start()

    def run_later(self, job: ClusterJob, delay_s: Seconds, *, why: str) -> None:
        """Run a cluster's cycle once more before its next turn. One for each reason is kept."""
        if self._stopping.is_set():
            return
        self._scheduler.add_job(
            job.run,
            "date",
            run_date=self.clock.now() + timedelta(seconds=delay_s),
            id=f"{job.watch.key} {why}",
            executor=job.watch.link.name,
            misfire_grace_time=None,
            replace_existing=True,
        )

    def is_before_next_turn(self, watch: Watch, delay_s: Seconds) -> bool:
        """Whether a moment comes before the cluster's next regular cycle begins."""
        job = self._scheduler.get_job(watch.key)
        if job is None or job.next_run_time is None:
            return False
        is_before: bool = self.clock.now() + timedelta(seconds=delay_s) < job.next_run_time
        return is_before

    def _links(self) -> tuple[Link, ...]:
        return tuple({watch.link.name: watch.link for watch in self._watches}.values())

    def _add_workers(self, link: Link) -> None:
        """Give a vCenter a worker for each of its clusters, and one for what is done beside."""
        clusters = sum(1 for watch in self._watches if watch.link.name == link.name)
        self._scheduler.add_executor(ThreadPoolExecutor(clusters + 1), alias=link.name)
        self._scheduler.add_job(
            link.keep_alive,
            "interval",
            seconds=KEEP_ALIVE_EVERY_S,
            id=f"{link.name} keep alive",
            executor=link.name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )

    def next_turn(self, watch: Watch) -> datetime:
        """Return when the cluster's next cycle is due."""
        return self.clock.now() + timedelta(seconds=watch.interval_s)

    def stop(self) -> bool:
        """Submit nothing more, wait for the cycles to end, log out; whether all ended in time."""
        self._stopping.set()
        self.health.stopping()
        log.info("stopping: nothing more is submitted, running migrations go on")
        ends_at = self.clock.monotonic() + STOP_WITHIN_S
        ended = _alongside(partial(self._scheduler.shutdown, wait=True))
        ended.join(GIVE_UP_AFTER_S)
        if ended.is_alive():
            for link in self._links():
                link.give_up()
        ended.join(max(ends_at - self.clock.monotonic(), 0.0))
        is_clean = not ended.is_alive()
        leaving = [_alongside(link.close) for link in self._links()] if is_clean else []
        for thread in leaving:
            thread.join(max(ends_at - self.clock.monotonic(), LOGOUT_WITHIN_S))
        return is_clean and not any(thread.is_alive() for thread in leaving)

    def _missed(self, event: JobEvent) -> None:
        for job in self._jobs:
            if job.watch.key == event.job_id:
                job.missed()


def _alongside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def serve(config: Config) -> int:
    """Run the daemon until it is told to stop (SIGTERM, SIGINT); return the exit code.

    Raises:
        InputError: a policy or secret file is wrong.
        StoreError: the journal cannot be opened.
        BalancerError: the HTTP address cannot be listened on.
    """
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    clock = SystemClock()
    metrics = Metrics(clock)
    watches = watches_of(config, metrics)
    health = health_of(watches, clock)
    with closing(SqliteStore(config.journal.path)) as store:
        daemon = Daemon(watches, store=store, clock=clock, health=health)
        server = HttpServer(build_app(metrics, health), config.http.listen, config.http.port)
        server.start()
        log.info("serving", extra={"url": server.url, "port": server.port, "version": VERSION})
        metrics.config_loaded(fingerprint(config.model_dump_json()))
        daemon.start(partial(cluster_metrics, metrics))
        while not asked.wait(HEARTBEAT_S):
            metrics.store_size(_size_bytes(config.journal.path))
        is_clean = daemon.stop()
        server.stop()
    log.info("stopped", extra={"clean": is_clean})
    if not is_clean:
        _leave_at_once()
    return 0


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _leave_at_once() -> None:
    """End although a call to a vCenter still hangs: the journal is durable, its end is settled later."""
    logging.shutdown()
    os._exit(0)
