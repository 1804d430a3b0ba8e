"""The daemon: runs one cycle job per cluster on APScheduler, stops cleanly.

What it works on is put together in `wiring`, and `serving` runs it as a process. The only importer of
APScheduler. A cycle that fails is logged and counted, and the daemon goes on; a vCenter that does not answer
is tried again with back-off while the others are worked on. After a stop request nothing more is submitted;
what runs is left to run and is settled at the next start.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from balancer.expose.health import Health
from balancer.expose.metrics import ClusterMetrics
from balancer.foresight import Foresight, NoForesight
from balancer.jobs import ClusterJob
from balancer.model.errors import StoreError
from balancer.model.reasons import Reason, Refusal
from balancer.model.units import Seconds
from balancer.planner import Planning, PlansHere
from balancer.ports import Clock, Events, Store
from balancer.upkeep import EVERY
from balancer.watch import Link, Watch
from balancer.wishes import StopSwitch, asked_of, no_stop

log = logging.getLogger(__name__)

STOP_WITHIN_S = 8.0
"""How long a stop takes, with the logouts; service managers expect an end within ten seconds."""

LOGOUT_WITHIN_S = 1.5
"""What the logouts have in any case."""

GIVE_UP_AFTER_S = 4.0
"""How long a stop waits for running cycles before it ends their reads of a vCenter that hangs."""

KEEP_ALIVE_EVERY_S = 60.0
"""How often it is looked whether a session has been idle for long."""

MOST_WORKERS = 64
"""Cycles of one vCenter's clusters at the same time; a worker that is not needed is no thread."""


JITTER_RATIO = 0.1
"""By this share of its interval a cycle begins sooner or later, so that many clusters do not read as one."""

APART_S = 1.0
APART_RATIO = 0.1
"""The first cycles of several clusters begin so many seconds apart, at most that share of the interval."""


def begins_after_s(watch: Watch, position: int) -> Seconds:
    """Return in how many seconds a cluster has its first cycle, by its place among those that begin with it."""
    return position * min(APART_S, APART_RATIO * watch.interval_s)


def nobody(watch: Watch) -> Sequence[Events]:
    """Return no listener."""
    del watch
    return ()


class Daemon:
    """The scheduler and its jobs. `start`, `reconfigure` as often as needed, `stop` once: from one thread."""

    def __init__(  # noqa: PLR0913 - everything that one process has once
        self,
        watches: Sequence[Watch],
        *,
        store: Store,
        clock: Clock,
        health: Health,
        stop_switch: StopSwitch = no_stop,
        listeners_of: Callable[[Watch], Sequence[Events]] = nobody,
        planning: Planning | None = None,
        foresight_of: Callable[[Watch], Foresight] = lambda _: NoForesight(),
    ) -> None:
        self._foresight_of = foresight_of
        self.planning = planning or PlansHere()
        self.listeners_of = listeners_of
        self.store = store
        self.stop_switch = stop_switch
        self.clock = clock
        self.health = health
        self.holder = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
        self._watches = tuple(watches)
        self._links: dict[str, Link] = {}
        self._jobs: dict[str, ClusterJob] = {}
        self._stopping = threading.Event()
        self._is_deaf = False
        self._scheduler = BackgroundScheduler(timezone="UTC")

    @property
    def watches(self) -> tuple[Watch, ...]:
        """Return the clusters that are worked on at present."""
        return tuple(job.watch for job in self._jobs.values())

    def foresight_of(self, watch: Watch) -> Foresight:
        """Return the memory of a cluster's demand; the same one each time."""
        return self._foresight_of(watch)

    def may_submit(self) -> Refusal | None:
        """Return why nothing may be submitted now (S8), or None."""
        if self._stopping.is_set():
            return Refusal.of(Reason.STOPPING, "the daemon is stopping")
        return None

    def look_at_wishes(self) -> None:
        """Look what people ask, and let each cluster's job hear of it. Cheap: asked every second."""
        try:
            asked = asked_of(self.store)
        except StoreError as err:
            if not self._is_deaf:
                log.error("what people ask cannot be read", extra={"error": str(err)})
            self._is_deaf = True
            return
        self._is_deaf = False
        for job in self._jobs.values():
            job.asked(asked)

    def start(self, metrics_of: Callable[[Watch], ClusterMetrics]) -> None:
        """Start one interval job per cluster, the first cycle at once, those of further clusters a little later."""
        self._scheduler.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for position, watch in enumerate(self._watches):
            self._add(watch, metrics_of(watch), position)
        self._scheduler.start()

    def reconfigure(
        self, watches: Sequence[Watch], metrics_of: Callable[[Watch], ClusterMetrics]
    ) -> None:
        """Work on these clusters from now on: new ones, those that changed, and no others.

        What is new or changed has a cycle at once. A cluster that is gone sends nothing more; what runs
        there is watched to its end.
        """
        wanted = {watch.key: watch for watch in watches}
        for key in self._jobs.keys() - wanted.keys():
            self._remove(key)
        new = [key for key in wanted if self.job_of(key) is None]
        for key, watch in wanted.items():
            job = self.job_of(key)
            if job is None:
                self._add(watch, metrics_of(watch), new.index(key))
            elif job.watch != watch:
                self._change(job, watch)
                metrics_of(watch)

    def _add(self, watch: Watch, metrics: ClusterMetrics, position: int) -> None:
        """Add a cluster; `position` is its place among those that are added at the same time."""
        if watch.link.name not in self._links:
            self._links[watch.link.name] = watch.link
            self._add_workers(watch.link)
        job = ClusterJob(watch, self, metrics)
        self._jobs = {**self._jobs, watch.key: job}
        self._scheduler.add_job(
            job.run,
            "interval",
            seconds=watch.interval_s,
            jitter=JITTER_RATIO * watch.interval_s,
            id=watch.key,
            executor=watch.link.name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=max(int(watch.interval_s), 1),
            next_run_time=self.clock.now() + timedelta(seconds=begins_after_s(watch, position)),
        )

    def _change(self, job: ClusterJob, watch: Watch) -> None:
        if job.watch.interval_s != watch.interval_s:
            self._scheduler.reschedule_job(
                watch.key,
                trigger="interval",
                seconds=watch.interval_s,
                jitter=JITTER_RATIO * watch.interval_s,
            )
        job.reconfigured(watch)
        self.run_later(job, 0.0, why="reconfigured")

    def _remove(self, key: str) -> None:
        job = self._jobs[key]
        job.retired()
        self._jobs = {known: job for known, job in self._jobs.items() if known != key}
        for entry in self._scheduler.get_jobs():
            if entry.func == job.run:
                entry.remove()

    def job_of(self, key: str) -> ClusterJob | None:
        """Return the job of a cluster, by the key of its watch; None where it is not worked on."""
        return self._jobs.get(key)

    def run_later(self, job: ClusterJob, delay_s: Seconds, *, why: str) -> None:
        """Run a cluster's cycle once more before its next turn. One for each reason is kept."""
        if self._stopping.is_set() or self.job_of(job.watch.key) is not job:
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

    def _add_workers(self, link: Link) -> None:
        """Give a vCenter workers of its own, so that one that is dark delays no other."""
        self._scheduler.add_executor(ThreadPoolExecutor(MOST_WORKERS), alias=link.name)
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

    def run_daily(self, work: Callable[[], None]) -> None:
        """Run some upkeep now and once a day."""
        self._scheduler.add_job(
            work,
            "interval",
            seconds=EVERY.total_seconds(),
            id="upkeep",
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=self.clock.now(),
        )

    def next_run_of(self, key: str) -> datetime | None:
        """Return when a cluster's next regular cycle begins, by the key of its watch; None where it has none."""
        job = self._scheduler.get_job(key)
        at: datetime | None = job.next_run_time if job else None
        return at

    def next_turn(self, watch: Watch) -> datetime:
        """Return when the cluster's next regular cycle is due."""
        return self.next_run_of(watch.key) or self.clock.now() + timedelta(seconds=watch.interval_s)

    def stop(self) -> bool:
        """Submit nothing more, wait for the cycles to end, log out; whether all ended in time."""
        self._stopping.set()
        self.health.stopping()
        log.info("stopping: nothing more is submitted, running migrations go on")
        ends_at = self.clock.monotonic() + STOP_WITHIN_S
        self.planning.close()
        ended = _alongside(partial(self._scheduler.shutdown, wait=True))
        ended.join(GIVE_UP_AFTER_S)
        if ended.is_alive():
            for link in self._links.values():
                link.give_up()
        ended.join(max(ends_at - self.clock.monotonic(), 0.0))
        is_clean = not ended.is_alive()
        leaving = [_alongside(link.close) for link in self._links.values()]
        for thread in leaving:
            thread.join(max(ends_at - self.clock.monotonic(), LOGOUT_WITHIN_S))
        return is_clean and not any(thread.is_alive() for thread in leaving)

    def _missed(self, event: JobEvent) -> None:
        job = self.job_of(event.job_id)
        if job is not None:
            job.missed()


def _alongside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
