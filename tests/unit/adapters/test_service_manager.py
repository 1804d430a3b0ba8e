"""What systemd is told, read from a real datagram socket."""

import logging
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.service_manager import MOST_STATUS_CHARACTERS, ServiceManager
from tests.support.hostile import EVERY
from tests.support.notified import Notified, notified

PROCESS = 4711


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Notified]:
    with notified(tmp_path) as manager:
        yield manager


def manager_at(address: str, **more: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": address, **more}, PROCESS)


def test_a_service_tells_its_life_in_the_words_of_the_protocol(listening: Notified) -> None:
    manager = manager_at(listening.address, WATCHDOG_USEC="60000000")
    before_us = time.monotonic_ns() // 1000

    manager.ready()
    with manager.reloading():
        pass
    manager.alive()
    manager.stopping()

    assert listening.next() == {"READY": "1"}
    reloading = listening.next()
    assert reloading["RELOADING"] == "1"
    assert before_us <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert [listening.next() for _ in range(3)] == [
        {"READY": "1"},
        {"WATCHDOG": "1"},
        {"STOPPING": "1"},
    ]
    manager.close()


def test_an_abstract_socket_is_told_too() -> None:
    listening = Notified(f"@balancer-{uuid.uuid4()}")
    manager = manager_at(listening.address)

    manager.ready()

    assert listening.next() == {"READY": "1"}
    manager.close()
    listening.close()


def test_a_reload_that_fails_ends_ready_all_the_same(listening: Notified) -> None:
    manager = manager_at(listening.address)

    with pytest.raises(ZeroDivisionError), manager.reloading():
        raise ZeroDivisionError

    assert [listening.next().popitem()[0] for _ in range(2)] == ["MONOTONIC_USEC", "READY"]
    manager.close()


def test_the_same_status_is_told_once(listening: Notified) -> None:
    manager = manager_at(listening.address)

    for words in ("ready", "ready", "vCenter a: away", "ready"):
        manager.status(words)

    told = [listening.next()["STATUS"] for _ in range(3)]
    assert told == ["ready", "vCenter a: away", "ready"]
    assert listening.is_quiet()
    manager.close()


def test_no_name_can_speak_for_the_service(listening: Notified) -> None:
    manager = manager_at(listening.address)

    for name in EVERY:
        manager.status(f"cluster {name}")
        assert set(listening.next()) == {"STATUS"}
    manager.status("x" * 10_000)

    assert len(listening.next()["STATUS"]) == MOST_STATUS_CHARACTERS
    manager.close()


def test_children_do_not_hear_of_the_socket_or_of_the_watchdog() -> None:
    given = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}

    ServiceManager(given, PROCESS)

    assert given == {"HOME": "/"}


@pytest.mark.parametrize(
    ("given", "beat_within_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(PROCESS)}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "a minute"}, None),
        ({}, None),
    ],
    ids=["on", "on for us", "for another process", "zero", "not a number", "off"],
)
def test_the_watchdog_is_fed_twice_in_its_time_where_it_is_meant_for_us(
    listening: Notified, given: dict[str, str], beat_within_s: float | None
) -> None:
    manager = manager_at(listening.address, **given)

    manager.alive()

    assert manager.beat_within_s == beat_within_s
    assert listening.is_quiet() is (beat_within_s is None)
    manager.close()


def test_without_a_service_manager_nothing_is_sent() -> None:
    manager = ServiceManager({"WATCHDOG_USEC": "60000000"}, PROCESS)

    manager.ready()
    manager.alive()

    assert manager.beat_within_s is None


def test_an_address_that_is_none_is_refused_in_words(caplog: pytest.LogCaptureFixture) -> None:
    manager = manager_at("vsock:2:1234")

    manager.ready()

    (record,) = caplog.records
    assert record.__dict__["found"] == "vsock:2:1234"
    assert "a path" in record.__dict__["allowed"]


def test_a_service_manager_that_is_gone_is_told_of_once_and_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with notified(tmp_path) as listening:
        manager = manager_at(listening.address)

    with caplog.at_level(logging.ERROR):
        manager.ready()
        manager.stopping()

    (record,) = caplog.records
    assert record.message == "the service manager cannot be told"
    assert record.__dict__["told"] == "READY=1"
    manager.close()
