"""The running daemon as its service manager sees it: fed only while there is progress."""

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from balancer.adapters.service_manager import ServiceManager
from balancer.expose.health import Health
from balancer.serving import HEARTBEAT_S, Pulse, beat_s
from tests.support.fakes import FakeClock
from tests.support.notified import Notified, notified
from tests.support.stage import environment

BALANCER = Path(sys.executable).parent / "balancer"
LIMIT_S = 100.0


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Notified]:
    with notified(tmp_path) as manager:
        yield manager


class Scene:
    """A pulse over the health of one cluster's loop, told to a socket of ours."""

    def __init__(self, listening: Notified) -> None:
        given = {"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": "60000000"}
        self.manager = ServiceManager(given, 1)
        self.clock = FakeClock()
        self.health = Health(self.clock, vcenters={"vc1": LIMIT_S}, loops={"vc1/a": LIMIT_S})
        self.pulse = Pulse(self.manager, self.health)


def test_a_loop_that_makes_progress_feeds_the_watchdog(listening: Notified) -> None:
    scene = Scene(listening)
    scene.health.vcenter_up("vc1")

    scene.pulse.beat()

    assert listening.next() == {"WATCHDOG": "1"}
    assert listening.next() == {"STATUS": "ready"}
    scene.manager.close()


def test_a_vcenter_that_is_away_is_told_and_is_no_reason_to_starve_the_watchdog(
    listening: Notified,
) -> None:
    scene = Scene(listening)
    scene.health.vcenter_down("vc1", "no answer")

    scene.pulse.beat()

    assert listening.next() == {"WATCHDOG": "1"}
    assert listening.next() == {"STATUS": "vCenter vc1: no answer"}
    scene.manager.close()


def test_a_loop_that_hangs_starves_the_watchdog_and_says_so_once(
    listening: Notified, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(listening)
    scene.clock.sleep(LIMIT_S + 1.0)

    with caplog.at_level(logging.ERROR):
        scene.pulse.beat()
        scene.pulse.beat()

    told = listening.next()
    assert "WATCHDOG" not in told
    assert told["STATUS"].startswith("cluster vc1/a: no progress for")
    assert listening.is_quiet()
    (record,) = caplog.records
    assert record.message == "no progress: the watchdog is not fed"

    scene.health.progressed("vc1/a")
    scene.pulse.beat()
    assert listening.next() == {"WATCHDOG": "1"}
    scene.manager.close()


@pytest.mark.parametrize(
    ("watchdog_us", "expected_s"), [("60000000", HEARTBEAT_S), ("500000", 0.25)]
)
def test_a_short_watchdog_makes_the_heart_beat_faster(
    listening: Notified, watchdog_us: str, expected_s: float
) -> None:
    given = {"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": watchdog_us}

    assert beat_s(ServiceManager(given, 1)) == expected_s


def test_the_daemon_tells_its_whole_life(tmp_path: Path, listening: Notified) -> None:
    config = tmp_path / "config.yaml"
    (tmp_path / "pw").write_text("x", encoding="utf-8")
    document = {
        "vcenters": [
            {"name": "vc1", "host": "127.0.0.1", "port": 9, "username": "u", "password_file": "pw"}
        ],
        "clusters": [{"vcenter": "vc1", "name": "prod", "interval_s": 3600}],
        "journal": {"path": "journal.sqlite"},
        "http": {"port": 0},
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    told = {"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": "60000000"}
    with (tmp_path / "log").open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            [str(BALANCER), "run", "--config", str(config)],
            stderr=sink,
            env={**environment(), **told},
        )
        try:
            assert listening.next(90.0) == {"READY": "1"}
            listening.next_of("WATCHDOG")
            process.send_signal(signal.SIGHUP)
            listening.next_of("RELOADING")
            assert listening.next() == {"READY": "1"}
            process.send_signal(signal.SIGTERM)
            listening.next_of("STOPPING")
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait(10)
