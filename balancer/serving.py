"""`balancer run` as a process: signals, HTTP, reload, what the service manager is told, and the clean end.

The composition root of the running daemon. Its main thread waits for a stop request and is the heartbeat: it
looks after files and wishes, and feeds the watchdog as long as the clusters' loops make progress. What works on
clusters is `daemon`.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from balancer.adapters.clock import SystemClock
from balancer.adapters.heap import leave_what_stays
from balancer.adapters.http.app import Interface, build_app
from balancer.adapters.http.server import STOP_WITHIN_S as HTTP_STOP_WITHIN_S
from balancer.adapters.http.server import HttpServer
from balancer.adapters.notify import Notifier
from balancer.adapters.recording import Recorder
from balancer.adapters.service_manager import ServiceManager
from balancer.adapters.stop_file import StopFile
from balancer.adapters.store.history_sqlite import SqliteHistory
from balancer.adapters.store.sqlite import SqliteStore
from balancer.config import Config
from balancer.daemon import Daemon
from balancer.expose.health import Health, HealthReport
from balancer.expose.metrics import Metrics
from balancer.interface import Shown
from balancer.model.errors import StoreError
from balancer.model.units import Seconds
from balancer.ports import Clock, Store
from balancer.recall import Recall
from balancer.reload import Reloading, version_of
from balancer.standing import Standing
from balancer.upkeep import keep_up
from balancer.version import VERSION
from balancer.watch import Watch
from balancer.wiring import (
    all_of,
    cluster_metrics,
    ears_of,
    health_of,
    heralds_of,
    links_of,
    notifier_of,
    planning_of,
    recorder_of,
    subjects_of,
    watch_health,
    watches_of,
)

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
"""How often the main thread looks up while it waits for a signal."""

TELL_HISTORY_EVERY_S = 15.0
"""How often the metrics of the history are told."""

LOOK_AT_FILES_EVERY_S = 5.0
"""How often it is looked whether the configuration or a policy has changed."""


class Requests:
    """What the outside asks by signals: SIGTERM and SIGINT to stop, SIGHUP to read the configuration."""

    def __init__(self) -> None:
        self.stop, self.reload = threading.Event(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop.set())
        signal.signal(signal.SIGHUP, lambda *_: self.reload.set())


def serve(config: Config, path: Path) -> int:
    """Run the daemon until it is told to stop (SIGTERM, SIGINT); return the exit code.

    `path` is the file that the configuration was read from; a changed one is taken up while it runs.

    Raises:
        InputError: a policy or secret file is wrong.
        StoreError: the journal cannot be opened.
        BalancerError: the HTTP address cannot be listened on.
    """
    requests, clock = Requests(), SystemClock()
    manager = ServiceManager(os.environ, os.getpid())
    metrics = Metrics(clock)
    links, version = links_of(config, metrics), version_of(path, config)
    watches = watches_of(config, links)
    health = health_of(config, watches, clock)
    with closing(manager), _stores(config, metrics) as (store, recall):
        planning, shown = planning_of(config, clock), Shown(config, watches, clock)
        notifier, recorder = notifier_of(config, metrics, clock), recorder_of(config, metrics)
        daemon = Daemon(
            watches,
            store=store,
            clock=clock,
            health=health,
            stop_switch=StopFile(config.stop_path),
            planning=planning,
            listeners_of=all_of(shown.listeners_of, heralds_of(notifier), ears_of(recorder)),
            foresight_of=lambda watch: recall.of(watch.key, watch.link.past),
        )
        server = _listening(config, metrics, health, shown.interface(store, daemon.next_run_of))

        def take(new: Sequence[Watch]) -> None:
            shown.take(reloading.config, new)  # before the first event of a new cluster
            _take(daemon, metrics, health, config, new)
            recall.keep([watch.key for watch in new])

        reloading = Reloading(
            version,
            links=links,
            take=take,
            metrics=metrics,
            health=health,
            announced=manager.reloading,
        )
        _start(notifier, recorder)
        leave_what_stays()
        daemon.start(partial(cluster_metrics, metrics))
        daemon.run_daily(partial(_keep_up, store, recall, clock, config))
        beats = (
            _sizes_told(metrics, config, recall, clock),
            daemon.look_at_wishes,
            planning.rest,
            _standing(daemon, metrics, store, clock),
            Pulse(manager, health).beat,
        )
        manager.ready()
        wait(requests, reloading, clock, beats, beat_s(manager))
        manager.stopping()
        is_clean = _stopped(daemon, server, notifier, recorder)
    return _left(is_clean=is_clean)


def _journal(config: Config, metrics: Metrics) -> SqliteStore:
    return SqliteStore(config.journal.path, on_failure=metrics.store_failed)


@contextmanager
def _stores(config: Config, metrics: Metrics) -> Iterator[tuple[SqliteStore, Recall]]:
    """Open the journal, and what is remembered of demand; close both at the end."""
    with closing(_journal(config, metrics)) as store, closing(recall_of(config, metrics)) as recall:
        yield store, recall


def recall_of(config: Config, metrics: Metrics) -> Recall:
    """Return what is remembered of demand; in memory alone where its file cannot be used."""
    given, store = config.history, None
    try:
        store = SqliteHistory(config.history_path, on_failure=metrics.history_failed)
    except StoreError as err:
        log.error("history in memory only", extra={"error": str(err)})
    return Recall(
        store,
        five_minute_days=given.five_minute_days,
        memory_days=given.remembered_days,
        hourly_days=given.hourly_days,
        most_bytes=given.most_mib * 2**20,
    )


def _keep_up(store: Store, recall: Recall, clock: Clock, config: Config) -> None:
    keep_up(store, clock, config.journal.retention_days)
    recall.keep_up(clock)


def _sizes_told(
    metrics: Metrics, config: Config, recall: Recall, clock: Clock
) -> Callable[[], None]:
    """Return how the sizes are told, each second; what is asked of the history's file less often."""
    due_s = clock.monotonic()

    def tell() -> None:
        nonlocal due_s
        metrics.store_size(_size_bytes(config.journal.path))
        if clock.monotonic() >= due_s:
            due_s = clock.monotonic() + TELL_HISTORY_EVERY_S
            oldest_s = recall.oldest_s()
            metrics.history_told(size_bytes=recall.size_bytes, oldest_s=oldest_s, vms=recall.vms)

    return tell


def _take(
    daemon: Daemon, metrics: Metrics, health: Health, config: Config, new: Sequence[Watch]
) -> None:
    """Take up the clusters of a new version; the caps of planning are those of the start."""
    watch_health(health, config, new)
    daemon.reconfigure(new, partial(cluster_metrics, metrics))
    metrics.keep_clusters((watch.link.name, watch.name) for watch in new)


def _standing(daemon: Daemon, metrics: Metrics, store: Store, clock: Clock) -> Callable[[], None]:
    """Return how it is looked, each second, whose the leases are and which plans wait."""
    standing = Standing(store, clock, daemon.holder)
    return lambda: standing.look(subjects_of(metrics, daemon.watches, clock))


def _start(notifier: Notifier, recorder: Recorder) -> None:
    notifier.start()
    recorder.start()


def _listening(
    config: Config, metrics: Metrics, health: Health, interface: Interface
) -> HttpServer:
    app = build_app(metrics, health, interface)
    server = HttpServer(app, config.http.listen, config.http.port, tls=config.http.tls)
    server.start()
    log.info("serving", extra={"url": server.url, "port": server.port, "version": VERSION})
    return server


class Pulse:
    """Tells the service manager how it is, and that it lives: only while every loop makes progress."""

    def __init__(self, manager: ServiceManager, health: Health) -> None:
        self._manager, self._health = manager, health
        self._was_alive = True

    def beat(self) -> None:
        """Feed the watchdog, unless a loop has stopped. For the main thread: where that hangs, nobody calls."""
        alive = self._health.liveness()
        if alive.is_fine:
            self._manager.alive()
        elif self._was_alive:
            log.error("no progress: the watchdog is not fed", extra={"detail": _words(alive)})
        self._was_alive = alive.is_fine
        ready = self._health.readiness()
        self._manager.status(_words(alive) or _words(ready) or "ready")


def _words(report: HealthReport) -> str:
    return "; ".join(f"{problem.subject}: {problem.why}" for problem in report.problems)


def beat_s(manager: ServiceManager) -> Seconds:
    """Return how long the main thread may sleep: a heartbeat, or less for a short watchdog."""
    within_s = manager.beat_within_s
    return HEARTBEAT_S if within_s is None else min(HEARTBEAT_S, within_s)


def wait(
    requests: Requests,
    reloading: Reloading,
    clock: Clock,
    beats: Sequence[Callable[[], None]],
    every_s: Seconds,
) -> None:
    """Wait for a stop request, and look after the configuration meanwhile."""
    look_s = clock.monotonic() + LOOK_AT_FILES_EVERY_S
    while not requests.stop.wait(every_s):
        try:
            for beat in beats:
                beat()
            if requests.reload.is_set():
                requests.reload.clear()
                reloading.reload()
            elif clock.monotonic() >= look_s:
                look_s = clock.monotonic() + LOOK_AT_FILES_EVERY_S
                reloading.look()
        except Exception:  # the clusters are worked on with what is in force
            log.exception("looking after files and wishes failed unexpectedly")


def _stopped(daemon: Daemon, server: HttpServer, notifier: Notifier, recorder: Recorder) -> bool:
    """Stop all, HTTP beside the rest, so that slow clients take nothing of the time of cycles and logouts."""
    leaving = threading.Thread(target=server.stop, daemon=True)
    leaving.start()
    is_clean = daemon.stop()
    notifier.stop()
    recorder.stop()
    leaving.join(HTTP_STOP_WITHIN_S)
    return is_clean


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _left(*, is_clean: bool) -> int:
    """Return the exit code; end at once where a call to a vCenter still hangs: the journal is durable."""
    log.info("stopped", extra={"clean": is_clean})
    if not is_clean:
        logging.shutdown()
        os._exit(0)
    return 0
