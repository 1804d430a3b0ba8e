"""What the daemon is put together from: the health of its loops, and the caps of its planning."""

from pathlib import Path

import pytest

from balancer.adapters.planning import Caps
from balancer.config import Config, load_config
from balancer.expose.health import Health
from balancer.expose.metrics import Metrics
from balancer.policy.types import Policy
from balancer.watch import Link, Watch
from balancer.wiring import (
    LONGEST_READ_S,
    SILENT_CYCLES,
    caps_of,
    ears_of,
    recorder_of,
    watch_health,
)
from tests.support.builders import host, snapshot
from tests.support.fakes import FakeClock, ScriptedVCenter
from tests.support.policies import Always

CONFIG = """\
vcenters:
  - {name: vc1, host: vc.example.com, username: u, password_file: pw}
clusters:
  - {vcenter: vc1, name: prod}
planning: {memory_mib: 1024, patience_s: 30, processes: 4}
"""
INTERVAL_S = 300.0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return load_config(path)


def test_the_caps_of_planning_are_those_of_the_configuration(config: Config) -> None:
    assert caps_of(config) == Caps(memory_mib=1_024, patience_s=30.0, processes=4)


def watched(config: Config, clock: FakeClock) -> Watch:
    vcenter = ScriptedVCenter(snapshot([host(1)], []), clock)
    return Watch(
        name="prod",
        link=Link(name="vc1", inventory=vcenter, migrator=vcenter, close=lambda: None),
        mode=config.clusters[0].mode,
        policies=Always(Policy()),
        interval_s=INTERVAL_S,
    )


def test_a_loop_that_waits_for_its_turn_and_then_for_its_plan_is_alive(config: Config) -> None:
    clock = FakeClock()
    watch = watched(config, clock)
    health = Health(clock, vcenters={}, loops={})
    watch_health(health, config, [watch])

    clock.sleep(SILENT_CYCLES * INTERVAL_S + LONGEST_READ_S + 2 * 30.0)
    assert health.liveness().is_fine
    clock.sleep(1.0)
    assert not health.liveness().is_fine


@pytest.mark.parametrize(("record", "ears"), [("{}", 0), ("{folder: r}", 1)], ids=["off", "on"])
def test_a_cluster_is_listened_to_where_it_is_recorded(
    tmp_path: Path, record: str, ears: int
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{CONFIG}record: {record}\n", encoding="utf-8")
    config, clock = load_config(path), FakeClock()

    recorder = recorder_of(config, Metrics(clock))

    assert len(ears_of(recorder)(watched(config, clock))) == ears
