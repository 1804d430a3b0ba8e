"""The running daemon as its service manager sees it: fed only while there is progress."""

import logging
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from balancer.adapters.service_manager import ServiceManager
from balancer.expose.health import Health
from balancer.serving import HEARTBEAT_S, Pulse, beat_s
from tests.support.fakes import FakeClock
from tests.support.notified import Notified, notified
from tests.support.stage import STOP_WITHIN_S, running_daemon

LIMIT_S = 100.0
WITHIN_S = 30.0


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


def written(folder: Path, *, port: int) -> Path:
    """Write a configuration of a vCenter at a port of this machine."""
    (folder / "pw").write_text("x", encoding="utf-8")
    vcenter = {"name": "vc1", "host": "127.0.0.1", "username": "u", "password_file": "pw"}
    document = {
        "vcenters": [{**vcenter, "port": port}],
        "clusters": [{"vcenter": "vc1", "name": "prod", "interval_s": 3600}],
        "journal": {"path": "journal.sqlite"},
        "http": {"port": 0},
        "log": {"format": "json"},
    }
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


def test_the_daemon_tells_its_whole_life(tmp_path: Path, listening: Notified) -> None:
    told = {"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": "60000000"}
    with running_daemon(tmp_path, written(tmp_path, port=9), environ=told) as daemon:
        assert listening.next(90.0) == {"READY": "1"}
        listening.next_of("WATCHDOG")
        daemon.process.send_signal(signal.SIGHUP)
        listening.next_of("RELOADING")
        assert listening.next() == {"READY": "1"}
        daemon.process.send_signal(signal.SIGTERM)
        listening.next_of("STOPPING")
        assert daemon.process.wait(STOP_WITHIN_S) == 0


def test_a_stop_waits_neither_for_a_silent_vcenter_nor_for_a_journal_nor_for_a_client(
    tmp_path: Path,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        running_daemon(tmp_path, written(tmp_path, port=silent.getsockname()[1])) as daemon,
        socket.create_connection(("127.0.0.1", daemon.port)) as client,
        closing(sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)) as other,
    ):
        silent.settimeout(WITHIN_S)
        silent.accept()[0].detach()  # it is asked, and does not answer
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        other.execute("begin exclusive")

        daemon.process.send_signal(signal.SIGTERM)

        assert daemon.process.wait(STOP_WITHIN_S) == 0
    assert daemon.events("stopped")
