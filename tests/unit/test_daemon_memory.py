"""The daemon and its memory of demand: used by the cycles, there again after a restart, never in their way."""

import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.store.memory import MemoryStore
from balancer.config import Config, load_config
from balancer.daemon import Daemon
from balancer.expose.health import Health
from balancer.expose.metrics import Metrics
from balancer.jobs import ClusterJob
from balancer.model.history import HistoryView
from balancer.model.rollup import Measure
from balancer.model.scale import worst_error_ratio
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from balancer.recall import Recall
from balancer.serving import recall_of
from balancer.watch import Link, Watch
from tests.support.builders import host, snapshot, vm
from tests.support.fakes import FakeClock, ScriptedVCenter
from tests.support.policies import Always

CONFIG = """\
vcenters:
  - {name: vc1, host: vc.example.com, username: u, password_file: pw}
clusters:
  - {vcenter: vc1, name: prod}
journal: {path: journal.sqlite}
history: {five_minute_days: 2, memory_days: 1}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return load_config(path)


class Scene:
    """A daemon that has just started, over a vCenter whose VMs want more from cycle to cycle."""

    def __init__(self, config: Config, clock: FakeClock) -> None:
        self.clock, self.metrics = clock, Metrics(clock)
        self.recall: Recall = recall_of(config, self.metrics)
        self.daemon = Daemon(
            [],
            store=MemoryStore(),
            clock=clock,
            health=Health(clock, vcenters={"vc1": 60.0}, loops={"vc1/prod": 60.0}),
            foresight_of=lambda watch: self.recall.of(watch.key),
        )

    def cycles(self, number: int) -> None:
        for _ in range(number):
            self.clock.sleep(300.0)
            wanted = self.clock.monotonic()
            vms = [vm(1, 1, cpu_demand_mhz=wanted), vm(2, 2, cpu_demand_mhz=2 * wanted)]
            self._cycle(ScriptedVCenter(snapshot([host(1), host(2)], vms), self.clock))

    def _cycle(self, vcenter: ScriptedVCenter) -> None:
        link = Link(name="vc1", inventory=vcenter, migrator=vcenter, close=lambda: None)
        watch = Watch(
            name="prod",
            link=link,
            mode=Mode.OBSERVE,
            policies=Always(Policy()),
            interval_s=300.0,
        )
        metrics = self.metrics.for_cluster("vc1", "prod", policy=Policy(), mode=Mode.OBSERVE)
        ClusterJob(watch, self.daemon, metrics).run()

    def remembered(self) -> HistoryView:
        return self.recall.of("vc1/prod").history.view()


def test_after_a_restart_the_daemon_remembers_what_it_had_seen(config: Config) -> None:
    clock = FakeClock(datetime(2026, 11, 22, 11, 5, tzinfo=UTC))
    first = Scene(config, clock)
    first.cycles(20)
    first.recall.close()
    before = first.remembered()
    assert np.isfinite(before.cpu_mhz).sum() == 40

    with closing(Scene(config, clock).recall) as recall:
        recall.of("vc1/prod").load(before.ends_at + timedelta(seconds=1))
        view = recall.of("vc1/prod").history.view(steps=289)
    assert view.vms == before.vms
    np.testing.assert_allclose(
        view.cpu_mhz[:-1], before.cpu_mhz[1:], rtol=2.1 * worst_error_ratio(Measure.CPU)
    )
    assert config.history_path.name == "history.sqlite"


def test_a_file_that_is_no_history_leaves_the_daemon_with_its_memory_alone(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    config.history_path.write_bytes(b"not a database at all" * 500)
    with caplog.at_level(logging.ERROR):
        scene = Scene(config, FakeClock())
    assert "history in memory only" in caplog.messages
    assert "balancer_history_errors_total 1.0" in scene.metrics.page()[0].decode()
    with closing(scene.recall):
        scene.cycles(3)
        assert np.isfinite(scene.remembered().cpu_mhz).sum() == 6
