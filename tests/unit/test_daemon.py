"""The daemon's jobs: failures end in log and metrics, are tried again with back-off, and stops are clean."""

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from balancer.adapters.clock import SystemClock
from balancer.adapters.store.memory import MemoryStore
from balancer.collect.cluster_choice import find_cluster
from balancer.daemon import APART_S, Daemon, begins_after_s
from balancer.expose.health import Health
from balancer.expose.metrics import ClusterMetrics, Metrics
from balancer.foresight import Foresight, NoForesight
from balancer.jobs import ClusterJob
from balancer.model.errors import (
    LoginRefused,
    PlanningFailed,
    PlanningStopped,
    PlanningTimedOut,
    SourceError,
    SourceUnreachable,
)
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from balancer.model.units import VmId
from balancer.planner import PlansHere
from balancer.policy.mode import Mode
from balancer.policy.rule_types import PolicyRule, RuleKind, VmMode
from balancer.policy.selector import Selector
from balancer.policy.types import Policy
from balancer.policy.window_types import Effect, Window
from balancer.ports import ClusterRef, Events
from balancer.watch import Link, Watch
from tests.support.builders import host, snapshot, vm
from tests.support.fakes import FakeClock, ScriptedVCenter
from tests.support.policies import Always

WITHIN_S = 60.0


@dataclass
class Flaky(ScriptedVCenter):
    """A scripted vCenter whose reads fail with the errors given, one after another."""

    errors: list[SourceError] = field(default_factory=list)
    read: threading.Event = field(default_factory=threading.Event)
    recovered: threading.Event = field(default_factory=threading.Event)

    def snapshot(self, cluster: ClusterRef) -> Snapshot:
        self.read.set()
        if self.errors:
            raise self.errors.pop(0)
        self.recovered.set()
        return super().snapshot(cluster)


class Plans(PlansHere):
    """Plans here, unless it is to fail, or to hang until it is closed."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.hangs = False
        self.hung, self.closed = threading.Event(), threading.Event()

    def plan(self, *args: Any, **named: Any) -> Plan:
        if self.hangs:
            self.hung.set()
            self.closed.wait()
            raise PlanningStopped("the daemon stops")
        if self.errors:
            raise self.errors.pop(0)
        return super().plan(*args, **named)

    def close(self) -> None:
        self.closed.set()


class Scene:
    """A daemon over one flaky vCenter, started on request."""

    def __init__(
        self, *errors: SourceError, interval_s: float = 3600.0, cluster: str = "prod"
    ) -> None:
        snap = snapshot([host(1), host(2)], [vm(1, 1), vm(2, 2)])
        now = SystemClock().now()  # the clocks of vCenter and daemon agree
        self.vcenter = Flaky(snap, FakeClock(now), errors=list(errors))
        self.closed = threading.Event()
        link = Link(
            name="vc1", inventory=self.vcenter, migrator=self.vcenter, close=self.closed.set
        )
        self.watch = Watch(
            name=cluster,
            link=link,
            mode=Mode.OBSERVE,
            policies=Always(Policy()),
            interval_s=interval_s,
        )
        clock = SystemClock()
        self.health = Health(clock, vcenters={"vc1": 60.0}, loops={"vc1/prod": 60.0})
        self.metrics = Metrics(clock)
        self.planning = Plans()
        self.daemon = Daemon(
            [self.watch],
            store=MemoryStore(),
            clock=clock,
            health=self.health,
            planning=self.planning,
        )

    def metrics_of(self, watch: Watch) -> ClusterMetrics:
        return self.metrics.for_cluster(
            "vc1", watch.name, policy=Policy(), mode=watch.mode, interval_s=watch.interval_s
        )

    def job(self) -> ClusterJob:
        return ClusterJob(self.watch, self.daemon, self.metrics_of(self.watch))

    def page(self) -> str:
        return self.metrics.page()[0].decode()


@pytest.fixture
def started() -> Iterator[list[Scene]]:
    scenes: list[Scene] = []
    yield scenes
    for scene in scenes:
        scene.daemon.stop()


def test_a_cycle_that_ends_makes_the_daemon_ready() -> None:
    scene = Scene()
    assert not scene.health.readiness().is_fine

    scene.job().run()

    assert scene.health.readiness().is_fine
    assert (
        'balancer_cycles_total{cluster="prod",result="no_change",vcenter="vc1"} 1.0' in scene.page()
    )


def test_a_vcenter_that_does_not_answer_is_told_and_not_ready(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene(SourceUnreachable("reading vc1: no answer; check the network"))

    with caplog.at_level(logging.ERROR):
        scene.job().run()

    report = scene.health.readiness()
    assert not report.is_fine
    assert "no answer" in report.problems[0].why
    assert [record.msg for record in caplog.records] == ["vCenter could not be asked"]
    assert 'balancer_cycles_total{cluster="prod",result="error",vcenter="vc1"} 1.0' in scene.page()


def test_a_lost_vcenter_is_asked_again_before_the_next_turn(started: list[Scene]) -> None:
    scene = Scene(SourceUnreachable("no answer"))
    started.append(scene)

    scene.daemon.start(scene.metrics_of)

    assert scene.vcenter.recovered.wait(WITHIN_S)


def test_a_refused_login_is_not_tried_again_at_once(started: list[Scene]) -> None:
    scene = Scene(LoginRefused("wrong password"))
    started.append(scene)

    scene.daemon.start(scene.metrics_of)

    assert scene.vcenter.read.wait(WITHIN_S)
    assert turns_after_this_cycle(scene) == [scene.watch.key]


def turns_after_this_cycle(scene: Scene) -> list[str]:
    """Wait for the end of the cycle under way; return the names of those that are to come."""
    with scene.daemon._jobs[scene.watch.key]._busy:
        return [e.id for e in scene.daemon._scheduler.get_jobs() if scene.watch.key in e.id]


def test_an_unexpected_error_ends_at_the_job(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.vcenter.errors.append(ZeroDivisionError("a bug"))  # type: ignore[arg-type]

    with caplog.at_level(logging.ERROR):
        scene.job().run()

    assert "cycle failed unexpectedly" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (PlanningFailed("its process was ended by signal 11", signal=11), "error"),
        (PlanningTimedOut("planning took more than 60 s"), "timed_out"),
    ],
    ids=["crashed", "hung"],
)
def test_planning_that_fails_is_counted_and_logged_and_the_next_cycle_goes_on(
    caplog: pytest.LogCaptureFixture, error: PlanningFailed, result: str
) -> None:
    scene = Scene()
    scene.planning.errors.append(error)
    job = scene.job()

    with caplog.at_level(logging.ERROR):
        job.run()

    (record,) = caplog.records
    assert record.message == "planning failed"
    assert record.__dict__["error"] == str(error)
    assert record.__dict__.get("signal") == error.facts.get("signal")
    assert 'cycles_total{cluster="prod",result="error",vcenter="vc1"} 1.0' in scene.page()
    labels = f'{{cluster="prod",result="{result}",trigger="interval",vcenter="vc1"}}'
    assert f"balancer_plans_total{labels} 1.0" in scene.page()
    assert scene.health.liveness().is_fine

    job.run()

    assert 'cycles_total{cluster="prod",result="no_change",vcenter="vc1"} 1.0' in scene.page()
    assert scene.health.readiness().is_fine


def test_a_stop_does_not_wait_for_planning_and_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    scene.planning.hangs = True
    scene.daemon.start(scene.metrics_of)
    assert scene.planning.hung.wait(WITHIN_S)

    with caplog.at_level(logging.ERROR):
        assert scene.daemon.stop()

    assert scene.closed.is_set()
    assert caplog.records == []
    assert 'cycles_total{cluster="prod",result="error",vcenter="vc1"} 0.0' in scene.page()


def test_a_planner_that_cannot_be_ended_does_not_keep_the_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("balancer.daemon.STOP_WITHIN_S", 0.5)
    monkeypatch.setattr("balancer.daemon.GIVE_UP_AFTER_S", 0.2)
    scene = Scene()
    scene.planning.hangs = True
    scene.planning.close = lambda: None  # type: ignore[method-assign]
    scene.daemon.start(scene.metrics_of)
    assert scene.planning.hung.wait(WITHIN_S)

    assert not scene.daemon.stop()

    assert scene.closed.is_set()
    scene.planning.closed.set()


def test_a_cluster_that_is_not_there_is_named_with_those_that_are() -> None:
    vcenter = Scene().vcenter

    with pytest.raises(SourceError, match=r"looking for cluster 'prodd'.*It shows: prod"):
        find_cluster(vcenter, "prodd")
    assert find_cluster(vcenter, "prod").id == find_cluster(vcenter, "domain-c1").id


def test_a_stop_runs_nothing_more_and_logs_out() -> None:
    scene = Scene()
    scene.daemon.start(scene.metrics_of)
    assert scene.vcenter.recovered.wait(WITHIN_S)

    assert scene.daemon.stop()

    assert scene.closed.is_set()
    assert not scene.health.readiness().is_fine
    scene.vcenter.recovered.clear()
    scene.job().run()
    assert not scene.vcenter.recovered.is_set()


def other(scene: Scene, **facts: object) -> Watch:
    return replace(scene.watch, **facts)  # type: ignore[arg-type]


def test_a_changed_cluster_has_a_cycle_at_once_with_its_new_settings(started: list[Scene]) -> None:
    scene = Scene()
    started.append(scene)
    scene.daemon.start(scene.metrics_of)
    assert scene.vcenter.recovered.wait(WITHIN_S)
    scene.vcenter.recovered.clear()

    scene.daemon.reconfigure([other(scene, mode=Mode.MANUAL)], scene.metrics_of)

    assert scene.vcenter.recovered.wait(WITHIN_S)
    assert 'balancer_cluster_mode{cluster="prod",mode="manual",vcenter="vc1"} 1.0' in scene.page()


def test_the_first_cycles_of_several_clusters_begin_apart_and_later_ones_are_jittered() -> None:
    scene = Scene()
    watches = [other(scene, name=f"c{number}", interval_s=100.0) for number in range(3)]
    scene.daemon = Daemon(
        watches,
        store=MemoryStore(),
        clock=FakeClock(datetime(2100, 1, 1, tzinfo=UTC)),  # so that nothing begins
        health=scene.health,
    )

    scene.daemon.start(scene.metrics_of)

    first = [scene.daemon.next_turn(watch) for watch in watches]
    assert [(at - first[0]).total_seconds() for at in first] == [0.0, APART_S, 2 * APART_S]
    triggers = [entry.trigger for entry in scene.daemon._scheduler.get_jobs() if "/c" in entry.id]
    after = {trigger.get_next_fire_time(first[0], first[0]) for trigger in triggers for _ in "xyz"}
    delays = sorted((at - first[0]).total_seconds() for at in after)
    assert len(delays) == 9
    assert 90.0 <= delays[0] < delays[-1] <= 110.0
    scene.daemon.stop()


def test_a_short_interval_has_its_first_cycles_closer_together() -> None:
    watch = other(Scene(), interval_s=2.5)

    assert [begins_after_s(watch, position) for position in range(3)] == [0.0, 0.25, 0.5]


def test_a_cycle_that_cannot_begin_in_time_is_counted(started: list[Scene]) -> None:
    scene = Scene(interval_s=1.0)
    scene.planning.hangs = True
    started.append(scene)
    missed = threading.Event()
    metrics = scene.metrics_of(scene.watch)
    count = metrics.cycle_missed
    metrics.cycle_missed = lambda: (count(), missed.set())  # type: ignore[method-assign]

    scene.daemon.start(lambda _: metrics)

    assert missed.wait(WITHIN_S)
    assert re.search(r"balancer_cycles_missed_total\{[^}]*\} [1-9]", scene.page())


def test_a_cluster_that_stays_as_it_is_has_no_cycle_for_a_reload(started: list[Scene]) -> None:
    scene = Scene()
    started.append(scene)
    scene.daemon.start(scene.metrics_of)
    assert scene.vcenter.recovered.wait(WITHIN_S)
    scene.vcenter.recovered.clear()

    scene.daemon.reconfigure([other(scene)], scene.metrics_of)

    assert not scene.vcenter.recovered.wait(1.0)


def test_a_cluster_that_is_gone_has_no_more_cycles_and_sends_nothing(started: list[Scene]) -> None:
    scene = Scene()
    started.append(scene)
    scene.watch = other(scene, mode=Mode.AUTOMATIC)
    scene.daemon = Daemon(
        [scene.watch], store=MemoryStore(), clock=SystemClock(), health=scene.health
    )
    scene.daemon.start(scene.metrics_of)
    assert scene.vcenter.recovered.wait(WITHIN_S)
    job = scene.daemon.job_of(scene.watch.key)
    assert job is not None

    scene.daemon.reconfigure([], scene.metrics_of)

    assert scene.daemon.job_of(scene.watch.key) is None
    held = job.in_force(scene.watch, scene.vcenter.truth).held
    assert held is not None
    assert held.reason is Reason.OBSERVE_MODE
    assert not scene.daemon.is_before_next_turn(scene.watch, 0.0)


def test_a_cluster_that_is_new_is_worked_on(started: list[Scene]) -> None:
    scene = Scene(cluster="other")
    started.append(scene)
    scene.daemon.start(scene.metrics_of)

    scene.daemon.reconfigure([scene.watch, other(scene, name="prod")], scene.metrics_of)

    assert scene.vcenter.recovered.wait(WITHIN_S)


def test_a_mode_that_was_freed_during_a_cycle_counts_from_the_next_one_on() -> None:
    scene = Scene()
    job = scene.job()
    begun = job.watch

    job.reconfigured(other(scene, mode=Mode.AUTOMATIC))

    snap = scene.vcenter.truth
    assert job.in_force(begun, snap).mode is Mode.OBSERVE
    assert job.in_force(job.watch, snap).mode is Mode.AUTOMATIC


def test_a_mode_that_became_more_careful_during_a_cycle_counts_at_once() -> None:
    scene = Scene()
    scene.watch = other(scene, mode=Mode.AUTOMATIC)
    job = scene.job()
    begun = job.watch

    job.reconfigured(other(scene, mode=Mode.PARTIAL))

    assert job.in_force(begun, scene.vcenter.truth).mode is Mode.PARTIAL


def test_modes_of_single_vms_are_those_of_the_policy_in_force_now() -> None:
    scene = Scene()
    scene.watch = other(scene, mode=Mode.AUTOMATIC)
    job = scene.job()
    begun = job.watch
    careful = Policy(vm_modes=(VmMode(vms=Selector(names=("vm1",)), mode=Mode.PARTIAL),))
    snap = scene.vcenter.truth
    assert job.in_force(begun, snap).vm_modes == {}

    job.reconfigured(other(scene, mode=Mode.AUTOMATIC, policies=Always(careful)))

    assert job.in_force(begun, snap).vm_modes == {VmId("vm-1"): Mode.PARTIAL}


class Turns:
    """What a job needs of the daemon, with a clock that is turned by hand; the next turn is an hour away."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.health = Health(self.clock, vcenters={}, loops={})
        self.holder = "test"
        self.planning = PlansHere()
        self.asked: list[tuple[float, str]] = []

    def stop_switch(self) -> Refusal | None:
        return None

    def may_submit(self) -> Refusal | None:
        return None

    def run_later(self, job: ClusterJob, delay_s: float, *, why: str) -> None:
        del job
        self.asked.append((delay_s, why))

    def is_before_next_turn(self, watch: Watch, delay_s: float) -> bool:
        del watch
        return delay_s < 3600.0

    def listeners_of(self, watch: Watch) -> tuple[Events, ...]:
        return ()

    def next_turn(self, watch: Watch) -> datetime:
        del watch
        return self.clock.now() + timedelta(hours=1)

    def foresight_of(self, watch: Watch) -> Foresight:
        del watch
        return NoForesight()


@pytest.mark.parametrize(
    ("cron", "asked"),
    [("20 12 * * *", [(1200.0, "window")]), ("0 13 * * *", [])],
    ids=["within the hour", "later"],
)
def test_a_window_that_opens_before_the_next_turn_has_a_cycle_of_its_own(
    cron: str, asked: list[tuple[float, str]]
) -> None:
    turns = Turns()
    vcenter = ScriptedVCenter(snapshot([host(1)], [vm(1, 1)]), turns.clock)
    link = Link(name="vc1", inventory=vcenter, migrator=vcenter, close=lambda: None)
    opens = Window(name="w", effect=Effect.ALLOW, cron=cron, duration_s=60.0)
    watch = Watch(
        name="prod",
        link=link,
        mode=Mode.AUTOMATIC,
        policies=Always(Policy(windows=(opens,))),
        interval_s=3600.0,
    )
    metrics = Metrics(turns.clock).for_cluster("vc1", "prod", policy=Policy(), mode=Mode.AUTOMATIC)

    ClusterJob(watch, turns, metrics).run()

    assert turns.asked == asked


def test_what_a_policy_says_in_vain_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    nobody = PolicyRule(name="r", kind=RuleKind.AFFINITY, vms=Selector(names=("nobody",)))
    scene.watch = replace(scene.watch, policies=Always(Policy(rules=(nobody,))))
    job = scene.job()
    with caplog.at_level(logging.WARNING, "balancer.jobs"):
        job.run()
        job.run()
    told = [r for r in caplog.records if r.message == "policy has no such effect"]
    assert [record.detail for record in told] == ["rule 'r' selects no VM"]
