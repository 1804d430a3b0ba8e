"""The HTTP side against the real server on a free port: pages, probes, limits, start and stop."""

import logging
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from balancer.adapters.clock import SystemClock
from balancer.adapters.http.app import build_app
from balancer.adapters.http.limits import (
    KEEP_ALIVE_TIMEOUT_S,
    MOST_BODY_BYTES,
    MOST_HEAD_BYTES,
    ImpatientProtocol,
)
from balancer.adapters.http.server import HttpServer
from balancer.expose.health import Health, HealthProblem, HealthReport
from balancer.expose.metrics import Metrics
from balancer.model.errors import BalancerError


class Views:
    """Health that says what the test wants."""

    def __init__(self) -> None:
        self.alive = HealthReport()
        self.ready = HealthReport()

    def liveness(self) -> HealthReport:
        return self.alive

    def readiness(self) -> HealthReport:
        return self.ready


@pytest.fixture
def views() -> Views:
    return Views()


@pytest.fixture
def server(views: Views) -> Iterator[HttpServer]:
    running = HttpServer(build_app(Metrics(SystemClock()), views))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def client(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60.0, trust_env=False) as made:
        yield made


def raw(server: HttpServer, *, timeout_s: float = 60.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s)


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def test_metrics_are_served_as_text_by_default(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "balancer_build_info{" in answer.text


def test_metrics_are_served_as_openmetrics_on_request(client: httpx.Client) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer = client.get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("accept", ["", "\xff", "application/openmetrics-text;version=x;" * 99])
def test_a_strange_accept_header_does_no_harm(client: httpx.Client, accept: str) -> None:
    headers = {b"accept": accept.encode("latin-1")}
    assert client.get("/metrics", headers=headers).status_code == 200


def test_a_live_process_says_so(client: httpx.Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "alive", "problems": [], "notes": []}


def test_a_stuck_loop_is_unhealthy_and_named(client: httpx.Client, views: Views) -> None:
    problem = HealthProblem(subject="cluster vc1/prod", why="no progress for 2 h")
    views.alive = HealthReport(problems=(problem,))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "stuck",
        "problems": [{"subject": "cluster vc1/prod", "why": "no progress for 2 h"}],
        "notes": [],
    }
    assert client.get("/readyz").status_code == 200


def test_readiness_says_what_is_not_ready_and_why(client: httpx.Client, views: Views) -> None:
    problem = HealthProblem(subject="vCenter \udc80", why="\x1b[31mrefused")
    views.ready = HealthReport(problems=(problem,))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["problems"] == [{"subject": "vCenter \\udc80", "why": "\\x1b[31mrefused"}]
    assert answer.headers["cache-control"] == "no-store"


def test_a_note_is_told_and_makes_nobody_unready(client: httpx.Client, views: Views) -> None:
    note = HealthProblem(subject="cluster vc1/prod", why="observed only: \x1b")
    views.ready = HealthReport(notes=(note,))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["notes"] == [
        {"subject": "cluster vc1/prod", "why": "observed only: \\x1b"}
    ]


def test_readiness_follows_the_vcenters() -> None:
    health = Health(SystemClock(), vcenters={"vc1": 60.0}, loops={})
    server = HttpServer(build_app(Metrics(SystemClock()), health))
    server.start()
    try:
        before = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=60)
        health.vcenter_up("vc1")
        after = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=60)
    finally:
        server.stop()
    assert (before.status_code, after.status_code) == (503, 200)
    assert before.json()["problems"] == [
        {"subject": "vCenter vc1", "why": "it has not answered yet"}
    ]


def test_the_interface_is_described_and_has_no_other_pages(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/metrics", "/healthz", "/readyz"}
    for path in ("/docs", "/redoc", "/", "/metrics/x"):
        assert client.get(path).status_code == 404


def test_nothing_can_be_changed(client: httpx.Client) -> None:
    assert {client.request(m, "/metrics").status_code for m in ("POST", "PUT", "DELETE")} == {405}


def test_the_server_does_not_name_its_software(client: httpx.Client) -> None:
    assert "server" not in client.get("/healthz").headers


def test_a_large_body_is_refused_before_it_is_read(server: HttpServer) -> None:
    with raw(server) as connection:
        head = f"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: {MOST_BODY_BYTES + 1}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


def test_a_long_head_is_refused(server: HttpServer) -> None:
    with raw(server) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"a" * (MOST_HEAD_BYTES + 1024))
        assert read_to_end(connection).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("requests_before", "sent"),
    [
        pytest.param(0, b"", id="nothing"),
        pytest.param(0, b"GET /healthz HTTP/1.1\r\nHost:", id="half a head"),
        pytest.param(1, b"GET /heal", id="half of a second head"),
    ],
)
def test_a_head_that_does_not_come_is_not_waited_for(
    requests_before: int, sent: bytes, monkeypatch: pytest.MonkeyPatch, server: HttpServer
) -> None:
    monkeypatch.setattr(ImpatientProtocol, "head_timeout_s", 0.3)
    with raw(server) as connection:
        for _ in range(requests_before):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(sent)
        began_s = time.monotonic()
        read_to_end(connection)
        assert time.monotonic() - began_s < KEEP_ALIVE_TIMEOUT_S - 1.0


def test_a_connection_is_kept_for_the_next_request(client: httpx.Client) -> None:
    kept = [client.get("/healthz").extensions["network_stream"] for _ in range(3)]
    ports = {stream.get_extra_info("client_addr") for stream in kept}
    assert len(ports) == 1


def test_it_listens_on_loopback_only(server: HttpServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_a_port_in_use_is_told_in_a_sentence(server: HttpServer, views: Views) -> None:
    second = HttpServer(build_app(Metrics(SystemClock()), views), port=server.port)
    with pytest.raises(BalancerError, match=rf"listening on 127.0.0.1 port {server.port}.*in use"):
        second.start()


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be_listened_on_is_told(views: Views, host: str, port: int) -> None:
    server = HttpServer(build_app(Metrics(SystemClock()), views), host=host, port=port)
    with pytest.raises(BalancerError, match="Set another address or port"):
        server.start()


def test_it_starts_once_stops_twice_and_starts_again(views: Views) -> None:
    server = HttpServer(build_app(Metrics(SystemClock()), views))
    server.stop()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = server.port
    server.start()
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    first = server.port
    server.stop()
    server.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", first), timeout=1.0)
    server.start()
    assert httpx.get(f"{server.url}/healthz", trust_env=False, timeout=60).status_code == 200
    server.stop()


def test_it_stops_without_waiting_for_connections_that_are_open(views: Views) -> None:
    server = HttpServer(build_app(Metrics(SystemClock()), views))
    server.start()
    idle = [raw(server) for _ in range(5)]
    idle[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    idle[0].recv(4096)
    idle[1].sendall(b"GET /healthz HT")
    began_s = time.monotonic()
    server.stop()
    took_s = time.monotonic() - began_s
    for connection in idle:
        connection.close()
    assert took_s < KEEP_ALIVE_TIMEOUT_S  # after which an idle connection ends by itself


def test_it_leaves_the_loggers_of_the_process_alone(views: Views) -> None:
    before = list(logging.getLogger("uvicorn").handlers)
    server = HttpServer(build_app(Metrics(SystemClock()), views))
    server.start()
    server.stop()
    assert logging.getLogger("uvicorn").handlers == before
