"""What a network and a sick vCenter do to reads: deadlines hold, and only errors of our own come out."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereConnection, VsphereSettings, connect
from balancer.model.errors import SourceAnswerInvalid, SourceError, SourceUnreachable
from balancer.model.units import ClusterId
from balancer.ports import ClusterRef
from tests.support.fault_proxy import FaultProxy, Request, Spoil, since, soap_fault
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import HeardRequests, settings_for, without_times
from tests.support.wire import document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")
READ = "RetrievePropertiesEx"
SLACK_S = 8.0
"""So much later than its deadline may a call end on a busy machine. Without a deadline it would take longer:
what is silent is so for half a minute and more, and what drips takes as long."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    doc = document([host_row(1)], [vm_row(number, 1) for number in range(1, 41)])
    with start_vcenter(write(tmp_path, doc)) as running:
        yield running


@pytest.fixture
def proxy(server: VCenterProcess) -> Iterator[FaultProxy]:
    with FaultProxy(server) as running:
        yield running


def through(proxy: FaultProxy, server: VCenterProcess, **others: object) -> VsphereSettings:
    return settings_for(server, port=proxy.port, ca_file=proxy.ca_file, **others)


@contextmanager
def black_hole() -> Iterator[int]:
    """Give a port that answers no connection attempt: its queue is full and nobody empties it."""
    with socket.socket() as listener, ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


def test_connecting_into_a_black_hole_ends_with_its_time_out(server: VCenterProcess) -> None:
    with black_hole() as port, connect(settings_for(server, port=port, connect_timeout_s=1.0)) as c:
        started = time.monotonic()
        with pytest.raises(SourceUnreachable, match="no connection within 1 s"):
            c.inventory.clusters()
        assert 0.9 < since(started) < 1.0 + SLACK_S


def test_a_resolver_that_never_answers_is_left_at_the_time_out(
    server: VCenterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, asked = threading.Event(), []
    real = socket.getaddrinfo

    def slow(host: object, *rest: object, **more: object) -> object:
        asked.append(host)
        answer.wait(30)
        return real("127.0.0.1", *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    settings = settings_for(server, host="vcenter.example", connect_timeout_s=0.5)
    with connect(settings) as vcenter:
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(SourceUnreachable, match=r"no connection within 0\.5 s"):
                vcenter.inventory.clusters()
            assert since(started) < 0.5 + SLACK_S
    answer.set()
    assert asked == ["vcenter.example"]  # one question, however many wait for it


def test_an_address_that_swallows_attempts_leaves_time_for_the_next(
    server: VCenterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with black_hole() as port:
        dead = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [dead, alive])
        with connect(settings_for(server, connect_timeout_s=2.0)) as vcenter:
            assert vcenter.inventory.clusters() == (CLUSTER,)


@pytest.mark.parametrize(
    ("what", "facts"),
    [(Spoil.DELAY, {"seconds": 60.0}), (Spoil.DRIP, {"seconds": 0.05})],
    ids=["silence", "drip"],
)
def test_a_read_ends_with_its_time_out(
    server: VCenterProcess, proxy: FaultProxy, what: Spoil, facts: dict[str, float]
) -> None:
    heard = HeardRequests()
    with connect(through(proxy, server, read_timeout_s=1.0), observer=heard) as vcenter:
        vcenter.inventory.clusters()
        proxy.spoil(what, READ, times=9, **facts)
        started = time.monotonic()
        with pytest.raises(SourceUnreachable, match="no complete answer within 1 s"):
            vcenter.inventory.clusters()
        assert 0.9 < since(started) < 1.0 + SLACK_S
        proxy.forget_rules()
    assert heard.requests[READ, "timeout"] == 1


@pytest.mark.parametrize(
    "method", ["/sdk/vimServiceVersions.xml", "RetrieveServiceContent", "Login"]
)
def test_a_login_as_a_whole_ends_with_the_time_out(
    server: VCenterProcess, proxy: FaultProxy, method: str
) -> None:
    proxy.spoil(Spoil.DRIP, method, seconds=0.05)
    with connect(through(proxy, server, read_timeout_s=1.0)) as vcenter:
        started = time.monotonic()
        with pytest.raises(SourceUnreachable):
            vcenter.inventory.clusters()
        assert since(started) < 1.0 + SLACK_S


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE lol [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 20) for name in range(98, 108))
    + b"]><lol>&k;</lol>"
)

SPOILT: dict[str, tuple[dict[str, object], str]] = {
    "truncated": ({"what": Spoil.TRUNCATE}, "broken"),
    "reset": ({"what": Spoil.RESET}, "broken"),
    "no answer": ({"what": Spoil.DROP_REPLY}, "broken"),
    "request lost": ({"what": Spoil.DROP_REQUEST}, "broken"),
    "503": ({"what": Spoil.STATUS, "status": 503}, "http_error"),
    "302": ({"what": Spoil.STATUS, "status": 302}, "http_error"),
    "empty": ({"what": Spoil.ANSWER, "status": 200}, "unreadable"),
    "no XML": ({"what": Spoil.ANSWER, "status": 200, "body": b"{}"}, "unreadable"),
    "half an element": ({"what": Spoil.ANSWER, "status": 200, "body": b"<a><b"}, "unreadable"),
    "HTML with 500": ({"what": Spoil.ANSWER, "status": 500, "body": b"<html/>"}, "unreadable"),
    "an entity bomb": ({"what": Spoil.ANSWER, "status": 200, "body": BOMB}, "unreadable"),
    "a fault unheard of": (
        {"what": Spoil.ANSWER, "status": 500, "body": soap_fault("MoonPhaseFault")},
        "unreadable",
    ),
    "a known fault": (
        {"what": Spoil.ANSWER, "status": 500, "body": soap_fault("NoPermissionFault")},
        "fault",
    ),
    "a fault with 200": (
        {"what": Spoil.ANSWER, "status": 200, "body": soap_fault("NoPermissionFault")},
        "fault",
    ),
    "deeply nested": (
        {"what": Spoil.ANSWER, "status": 200, "body": b"<a>" * 200_000},
        "unreadable",
    ),
}


@pytest.mark.parametrize("method", [READ, "RetrieveServiceContent", "Login", "CreateContainerView"])
@pytest.mark.parametrize("name", list(SPOILT))
def test_a_spoilt_answer_ends_in_an_error_of_ours_and_is_counted_by_cause(
    server: VCenterProcess, proxy: FaultProxy, name: str, method: str
) -> None:
    facts, cause = SPOILT[name]
    heard = HeardRequests()
    proxy.spoil(method=method, times=50, **facts)  # type: ignore[arg-type]
    with connect(through(proxy, server), observer=heard) as vcenter:
        with pytest.raises(SourceError) as caught:
            vcenter.inventory.clusters()
        proxy.forget_rules()
    assert str(caught.value).startswith("Could not ")
    results = {result for called, result in heard.requests if called == method}
    assert cause in results, heard.requests


@pytest.mark.parametrize("name", ["empty", "an entity bomb", "503", "truncated"])
def test_a_spoilt_list_of_versions_ends_in_an_error_of_ours(
    server: VCenterProcess, proxy: FaultProxy, name: str
) -> None:
    facts, _ = SPOILT[name]
    heard = HeardRequests()
    proxy.spoil(method="/sdk/vimServiceVersions.xml", times=50, **facts)  # type: ignore[arg-type]
    with connect(through(proxy, server), observer=heard) as vcenter, pytest.raises(SourceError):
        vcenter.inventory.clusters()
    assert set(heard.logins) == {"failed"}


def test_a_gigantic_answer_is_given_up_at_the_cap(
    server: VCenterProcess, proxy: FaultProxy
) -> None:
    heard = HeardRequests()
    body = b"<a>" + b"x" * (2 << 20) + b"</a>"
    settings = through(proxy, server, most_answer_bytes=1 << 20)
    with connect(settings, observer=heard) as vcenter:
        vcenter.inventory.clusters()
        proxy.spoil(Spoil.ANSWER, READ, times=9, status=200, body=body)
        with pytest.raises(SourceError):
            vcenter.inventory.clusters()
    assert heard.requests[READ, "too_large"] == 1  # not asked for again


def calls_at(number: int, method: str, act: Callable[[], object]) -> Callable[[Request], None]:
    """Return a listener that acts right before the n-th call of a method is answered."""
    seen = {"count": 0}

    def listen(request: Request) -> None:
        if request.method == method:
            seen["count"] += 1
            if seen["count"] == number:
                act()

    return listen


@pytest.mark.parametrize("number", [1, 3, 5, 7])
def test_a_session_that_expires_in_the_middle_of_a_collection_costs_one_login(
    server: VCenterProcess, proxy: FaultProxy, number: int
) -> None:
    heard = HeardRequests()
    with connect(through(proxy, server, page_size=10), observer=heard) as vcenter:
        whole = without_times(vcenter.inventory.snapshot(CLUSTER))
        proxy.on_request = calls_at(number, READ, server.control.expire_sessions)
        again = without_times(vcenter.inventory.snapshot(CLUSTER))
    assert (again.hosts, again.vms, again.rules) == (whole.hosts, whole.vms, whole.rules)
    assert heard.logins == {"ok": 2}


def test_a_vcenter_that_restarts_in_the_middle_of_a_collection_is_read_to_the_end(
    server: VCenterProcess, proxy: FaultProxy, tmp_path: Path
) -> None:
    doc = document([host_row(1)], [vm_row(number, 1) for number in range(1, 41)])
    (tmp_path / "again").mkdir()
    heard = HeardRequests()
    with start_vcenter(write(tmp_path / "again", doc)) as restarted:
        with connect(through(proxy, server, page_size=10), observer=heard) as vcenter:
            whole = vcenter.inventory.snapshot(CLUSTER)
            proxy.on_request = calls_at(4, READ, lambda: proxy.turn_to(restarted))
            again = vcenter.inventory.snapshot(CLUSTER)
        assert [vm.id for vm in again.vms] == [vm.id for vm in whole.vms]
        assert restarted.control.calls().calls["Login"] == 1
    assert heard.logins["ok"] == 2


def run_in_threads(count: int, work: Callable[[], object]) -> list[object]:
    """Run the same at once in several threads; return what each returned or raised."""
    outcomes: list[object] = []
    gate = threading.Barrier(count)

    def one() -> None:
        gate.wait(10)
        try:
            outcomes.append(work())
        except SourceError as err:
            outcomes.append(err)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_twenty_threads_renew_a_session_with_one_login(
    server: VCenterProcess, proxy: FaultProxy
) -> None:
    heard = HeardRequests()
    with connect(through(proxy, server), observer=heard) as vcenter:
        vcenter.inventory.clusters()
        server.control.expire_sessions()
        outcomes = run_in_threads(20, vcenter.inventory.clusters)
    assert outcomes == [(CLUSTER,)] * 20
    assert heard.logins == {"ok": 2}
    assert proxy.seen.count("Login") == 2


def test_twenty_threads_wait_for_one_failing_login_not_for_twenty(server: VCenterProcess) -> None:
    with black_hole() as port, connect(settings_for(server, port=port, connect_timeout_s=1.0)) as c:
        started = time.monotonic()
        outcomes = run_in_threads(20, c.inventory.clusters)
        assert since(started) < 1.0 + SLACK_S  # one after another would take 20 s
    assert {type(outcome) for outcome in outcomes} == {SourceUnreachable}
    assert len(outcomes) == 20


def test_no_more_connections_are_open_than_the_pool_may_have(
    server: VCenterProcess, proxy: FaultProxy
) -> None:
    with connect(through(proxy, server, pool_size=2)) as vcenter:
        vcenter.inventory.clusters()
        outcomes = run_in_threads(12, vcenter.inventory.clusters)
        assert outcomes == [(CLUSTER,)] * 12
    assert proxy.connections <= 3  # two, and the one of the version negotiation


def test_logins_without_an_answer_are_held_back(server: VCenterProcess, proxy: FaultProxy) -> None:
    proxy.spoil(Spoil.DROP_REPLY, "Login", times=50)
    with connect(through(proxy, server)) as vcenter:
        for _ in range(5):
            with pytest.raises(SourceUnreachable):
                vcenter.inventory.clusters()
    assert proxy.seen.count("Login") == 2


def test_an_answer_without_what_every_vcenter_tells_is_not_understood(
    server: VCenterProcess, proxy: FaultProxy
) -> None:
    heard = HeardRequests()
    with connect(through(proxy, server), observer=heard) as vcenter:
        vcenter.inventory.clusters()
        empty = (
            b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
            b'<soapenv:Body><CreateContainerViewResponse xmlns="urn:vim25"/></soapenv:Body>'
            b"</soapenv:Envelope>"
        )
        proxy.spoil(Spoil.ANSWER, "CreateContainerView", status=200, body=empty)
        with pytest.raises(SourceAnswerInvalid, match="cannot be read"):
            vcenter.inventory.clusters()
    assert heard.requests["Answer", "unreadable"] == 1


def calm(vcenter: VsphereConnection) -> bool:
    return vcenter.inventory.clusters() == (CLUSTER,)


@pytest.mark.parametrize("what", [Spoil.TRUNCATE, Spoil.STATUS, Spoil.RESET])
def test_a_single_spoilt_answer_is_made_good(
    server: VCenterProcess, proxy: FaultProxy, what: Spoil
) -> None:
    with connect(through(proxy, server)) as vcenter:
        proxy.spoil(what, READ)
        assert calm(vcenter)
