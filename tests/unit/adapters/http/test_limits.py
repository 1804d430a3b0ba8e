"""Slow, greedy and many clients against the real server: each is cut off, and the scraper gets its page."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from balancer.adapters.clock import SystemClock
from balancer.adapters.http.app import Interface, build_app
from balancer.adapters.http.limits import (
    MOST_API_REQUESTS,
    MOST_BODY_BYTES,
    ImpatientProtocol,
    LimitBody,
)
from balancer.adapters.http.server import Certificate, HttpServer
from balancer.adapters.http.workers import Workers
from balancer.expose.health import Health
from balancer.expose.metrics import Metrics
from balancer.model.access import Role
from balancer.model.errors import BalancerError
from tests.support.asking import Asked, asked_of, bearer
from tests.support.certificates import certificate_in

TOKEN = bearer(Role.OPERATOR)["authorization"]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    with asked_of(tmp_path) as made:
        yield made


@pytest.fixture
def server(asked: Asked) -> Iterator[HttpServer]:
    running = HttpServer(asked.app())
    running.start()
    yield running
    running.stop()


def raw(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60.0)


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def read_until(word: bytes, connection: socket.socket, *, times: int) -> bytes:
    """Return what comes until a word was in it so many times."""
    found = b""
    while found.count(word) < times:
        part = connection.recv(65536)
        assert part, found
        found += part
    return found


def head(path: str, length: int, *, method: str = "POST") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def problem_in(answer: bytes) -> dict[str, object]:
    top, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in top
    found: dict[str, object] = json.loads(body)
    return found


def test_a_body_that_does_not_come_is_not_waited_for(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LimitBody, "timeout_s", 0.3)
    with raw(server) as connection:
        connection.sendall(head("/api/v1/pause", 20) + b'{"reason"')
        problem = problem_in(read_to_end(connection))
    assert problem["type"] == "urn:balancer:problem:body-too-slow"
    assert problem["status"] == 408


def test_a_body_that_is_too_large_is_a_problem_and_changes_nothing(
    asked: Asked, server: HttpServer
) -> None:
    with raw(server) as connection:
        connection.sendall(head("/api/v1/pause", MOST_BODY_BYTES + 1))
        assert problem_in(read_to_end(connection))["status"] == 413
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    with raw(server) as connection:
        top = head("/api/v1/pause", 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        connection.sendall(top + chunk * 5)
        assert problem_in(read_to_end(connection))["status"] == 413
    assert asked.store.pauses() == ()


def test_a_body_without_a_token_is_not_read(server: HttpServer) -> None:
    with raw(server) as connection:
        connection.sendall(head("/api/v1/pause", 20).replace(TOKEN.encode(), b"Bearer x"))
        assert connection.recv(64).startswith(b"HTTP/1.1 401")


def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImpatientProtocol, "reader_timeout_s", 0.3)

    class Large:
        def page(self, accept: str = "") -> tuple[bytes, str]:
            return b"x" * 64_000_000, "text/plain"

    running = HttpServer(build_app(Large(), Health(SystemClock(), vcenters={}, loops={})))
    running.start()
    try:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(10.0)
            connection.connect(("127.0.0.1", running.port))
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wait_for_reset(connection)
    finally:
        running.stop()


def wait_for_reset(connection: socket.socket) -> bool:
    """Wait without reading until the other side has ended the connection."""
    import select

    poller = select.poll()
    poller.register(connection, select.POLLERR | select.POLLHUP)
    return bool(poller.poll(10_000))


def test_a_new_connection_takes_the_place_of_the_one_that_is_idle_for_longest(
    asked: Asked,
) -> None:
    running = HttpServer(asked.app())
    running.most_connections = 8
    running.start()
    try:
        with ExitStack() as opened:
            idle = [opened.enter_context(raw(running)) for _ in range(7)]
            spoke = opened.enter_context(raw(running))
            spoke.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert spoke.recv(64).startswith(b"HTTP/1.1 200")
            answers = [
                httpx.get(f"{running.url}/healthz", trust_env=False, timeout=10).status_code
                for _ in range(4)
            ]
            assert answers == [200] * 4
            assert read_to_end(idle[0]) == b""
    finally:
        running.stop()


def test_where_all_speak_the_one_that_was_silent_for_longest_makes_room(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("balancer.adapters.http.server.KEEP_ALIVE_TIMEOUT_S", 600)
    running = HttpServer(asked.app())
    running.most_connections = 3
    running.start()
    try:
        with ExitStack() as opened:
            kept = [opened.enter_context(raw(running)) for _ in range(3)]
            for connection in kept:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert connection.recv(64).startswith(b"HTTP/1.1 200")
            assert (
                httpx.get(f"{running.url}/healthz", trust_env=False, timeout=60).status_code == 200
            )
            assert b"alive" in read_to_end(kept[0])
            kept[2].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP/1.1 200" in read_until(b"alive", kept[2], times=2)
    finally:
        running.stop()


def test_questions_that_take_long_leave_metrics_and_probes_alone(asked: Asked) -> None:
    """One thread, which hangs: what waits is bounded, what is more is told so, and the scraper is served."""
    hang, begun = threading.Event(), threading.Event()

    def now() -> object:
        begun.set()
        hang.wait(100)
        return clock.now()

    clock = SystemClock()
    object.__setattr__(asked.scene, "now", now)
    workers = Workers(1, 2)
    interface = Interface(scene=asked.scene, gate=asked.gate, workers=workers)
    health = Health(clock, vcenters={}, loops={})
    running = HttpServer(build_app(Metrics(clock), health, interface))
    running.start()
    try:
        with ExitStack() as opened:
            slow = [opened.enter_context(raw(running)) for _ in range(3)]
            slow[0].sendall(head("/api/v1/status", 0, method="GET"))
            assert begun.wait(10)
            for connection in slow[1:]:
                connection.sendall(head("/api/v1/status", 0, method="GET"))
            until(lambda: waiting_at(workers) == 2)
            assert (
                httpx.get(f"{running.url}/metrics", trust_env=False, timeout=60).status_code == 200
            )
            url, headers = f"{running.url}/api/v1/plans", {"authorization": TOKEN}
            busy = httpx.get(url, headers=headers, trust_env=False, timeout=60)
            assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
            assert busy.json()["type"] == "urn:balancer:problem:busy"
            hang.set()
            assert slow[0].recv(64).startswith(b"HTTP/1.1 200")
    finally:
        hang.set()
        running.stop()


def waiting_at(workers: Workers) -> int:
    assert workers._limiter is not None
    return workers._limiter.statistics().tasks_waiting


def until(holds: Callable[[], bool]) -> None:
    """Wait for something; the deadline is that of the test."""
    while not holds():
        threading.Event().wait(0.01)


def test_what_is_worked_on_at_a_time_is_fewer_than_waits_in_the_kernel() -> None:
    assert Workers()._most_waiting < MOST_API_REQUESTS


def test_a_slow_handshake_does_not_hold_the_server(asked: Asked, tmp_path: Path) -> None:
    files = certificate_in(tmp_path)
    running = HttpServer(asked.app(), tls=files)
    running.start()
    try:
        with ExitStack() as opened:
            for _ in range(20):
                opened.enter_context(raw(running)).sendall(b"\x16\x03\x01")
            trusted = ssl.create_default_context(cafile=str(files.certificate_file))
            answer = httpx.get(
                f"{running.url}/healthz", verify=trusted, trust_env=False, timeout=60
            )
            assert answer.status_code == 200
            with pytest.raises(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{running.port}/healthz", trust_env=False, timeout=60)
    finally:
        running.stop()


def shown(url: str) -> str:
    host, _, port = url.removeprefix("https://").partition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=10)


def test_a_changed_certificate_is_shown_and_a_wrong_one_is_not(
    asked: Asked, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = certificate_in(tmp_path)
    certificate = Certificate(files)
    before = files.certificate_file.read_bytes()
    certificate.look()
    assert caplog.messages == []
    key = files.key_file.read_bytes()
    certificate_in(tmp_path)
    files.key_file.write_bytes(key)
    certificate.look()
    certificate.look()
    assert caplog.messages == ["certificate refused, the old one stays"]
    assert "must be PEM" in str(vars(caplog.records[0])["error"])
    certificate_in(tmp_path)
    certificate.look()
    assert files.certificate_file.read_bytes() != before
    running = HttpServer(asked.app(), tls=files)
    running.start()
    try:
        assert shown(running.url).strip() == files.certificate_file.read_text().strip()
    finally:
        running.stop()


def test_a_certificate_that_is_none_is_told_at_the_start(asked: Asked, tmp_path: Path) -> None:
    files = certificate_in(tmp_path)
    files.key_file.write_text("no key")
    with pytest.raises(BalancerError, match=r"reading the certificate .*http.tls"):
        HttpServer(asked.app(), tls=files).start()
    files.key_file.unlink()
    with pytest.raises(BalancerError, match="No such file"):
        HttpServer(asked.app(), tls=files).start()


@pytest.mark.parametrize(("host", "has_tls", "told"), [("0.0.0.0", False, 1), ("0.0.0.0", True, 0)])
def test_what_others_could_read_on_the_way_is_told(
    asked: Asked,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    host: str,
    has_tls: bool,
    told: int,
) -> None:
    running = HttpServer(asked.app(), host, tls=certificate_in(tmp_path) if has_tls else None)
    running.start()
    running.stop()
    assert caplog.messages.count("served in clear beyond this machine") == told
