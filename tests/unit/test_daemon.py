"""The daemon's jobs: failures end in log and metrics, are tried again with back-off, and stops are clean."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from balancer.adapters.clock import SystemClock
from balancer.adapters.store.memory import MemoryStore
from balancer.collect.cluster_choice import find_cluster
from balancer.daemon import Daemon
from balancer.expose.health import Health
from balancer.expose.metrics import ClusterMetrics, Metrics
from balancer.jobs import ClusterJob
from balancer.model.errors import LoginRefused, SourceError, SourceUnreachable
from balancer.model.snapshot import Snapshot
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.ports import ClusterRef
from balancer.watch import Link, Watch
from tests.support.builders import host, snapshot, vm
from tests.support.fakes import FakeClock, ScriptedVCenter
from tests.support.policies import Always

WITHIN_S = 10.0


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
        self.daemon = Daemon([self.watch], store=MemoryStore(), clock=clock, health=self.health)

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
    assert not scene.vcenter.recovered.wait(3.0)


def test_an_unexpected_error_ends_at_the_job(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.vcenter.errors.append(ZeroDivisionError("a bug"))  # type: ignore[arg-type]

    with caplog.at_level(logging.ERROR):
        scene.job().run()

    assert "cycle failed unexpectedly" in caplog.text
    assert "ZeroDivisionError" in caplog.text


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
