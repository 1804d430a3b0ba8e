"""Logging in at a vCenter: trust, refusals, deadlines, and sessions that die."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from balancer.adapters.vsphere import Logins, VsphereConnection, VsphereSettings, connect
from balancer.model.errors import (
    LoginRefused,
    SourceAnswerInvalid,
    SourceUnreachable,
    SubmitNotSent,
    UntrustedCertificate,
)
from balancer.model.outcome import MigrationOrder
from balancer.model.plan import Priority
from balancer.model.units import ClusterId, HostId, VmId
from balancer.ports import ClusterRef
from tests.support.fault_proxy import since
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vcenter_control import wait_for
from tests.support.vsphere import HeardRequests, SlowProxy, settings_for, without_times
from tests.support.wire import document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")
LEFT_WITHIN_S = 9.0
"""In this time a call of a second or less has ended, also on a busy machine. One without a deadline would last
ten seconds and more."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    doc = document([host_row(1)], [vm_row(number, 1) for number in range(1, 41)])
    with start_vcenter(write(tmp_path, doc)) as running:
        yield running


def read_once(settings: VsphereSettings, observer: HeardRequests | None = None) -> None:
    with connect(settings, observer=observer) as vcenter:
        vcenter.inventory.snapshot(CLUSTER)


def test_a_wrong_password_is_refused_with_a_readable_paragraph(server: VCenterProcess) -> None:
    with pytest.raises(LoginRefused) as caught:
        read_once(settings_for(server, password="S3cret-but-wrong"))
    message = str(caught.value)
    assert message.startswith(
        f"Could not log in at vCenter test (127.0.0.1:{server.port}) as {server.greeting.username}:"
    )
    assert "InvalidLogin" in message
    assert "Check user name and password" in message
    assert "S3cret" not in message


def test_a_refused_password_is_not_sent_again(server: VCenterProcess) -> None:
    heard = HeardRequests()
    with connect(settings_for(server, password="wrong"), observer=heard) as vcenter:
        for _ in range(5):
            with pytest.raises(LoginRefused):
                vcenter.inventory.clusters()
        order = MigrationOrder(
            vm=VmId("vm-1"), vm_name="vm1", target=HostId("host-1"), priority=Priority.DEFAULT
        )
        with pytest.raises(SubmitNotSent, match="a login was refused a short time ago"):
            vcenter.migrator().submit(order)
    assert heard.requests["Login", "fault"] == 1


def test_a_changed_password_is_tried_at_once(server: VCenterProcess) -> None:
    words = ["wrong"]
    settings = settings_for(server, password=lambda: words[0])
    with connect(settings) as vcenter:
        with pytest.raises(LoginRefused):
            vcenter.inventory.clusters()
        words[0] = server.greeting.password
        assert vcenter.inventory.clusters() == (CLUSTER,)


def test_no_more_than_two_wrong_passwords_are_sent(server: VCenterProcess) -> None:
    heard, words = HeardRequests(), iter(["one", "two", "three", server.greeting.password])
    with connect(settings_for(server, password=lambda: next(words)), observer=heard) as vcenter:
        for _ in range(4):
            with pytest.raises(LoginRefused):
                vcenter.inventory.clusters()
    assert heard.logins == {"refused": 2}


def test_two_vcenters_with_one_account_send_two_wrong_logins_together(
    server: VCenterProcess, tmp_path: Path
) -> None:
    heard, words, logins = HeardRequests(), itertools.count(), Logins()

    def another() -> str:
        return f"wrong {next(words)}"

    with (
        start_vcenter(write(tmp_path, document([host_row(1)], []))) as linked,
        connect(settings_for(server, password=another), observer=heard, logins=logins) as one,
        connect(settings_for(linked, password=another), observer=heard, logins=logins) as two,
    ):
        for _ in range(3):
            for vcenter in (one, two):
                with pytest.raises(LoginRefused):
                    vcenter.inventory.clusters()
        assert heard.logins["refused"] == 2
        assert [each.control.calls().calls["Login"] for each in (server, linked)] == [1, 1]


def test_what_one_vcenter_refuses_another_with_that_account_still_tries_once(
    server: VCenterProcess, tmp_path: Path
) -> None:
    logins, password = Logins(), server.greeting.password
    with (
        start_vcenter(write(tmp_path, document([host_row(1)], [])), password="own") as other,
        connect(settings_for(other, password=password), logins=logins) as refusing,
        connect(settings_for(server), logins=logins) as trusting,
    ):
        with pytest.raises(LoginRefused):
            refusing.inventory.clusters()
        assert trusting.inventory.clusters() == (CLUSTER,)


def test_a_vcenter_that_sends_no_login_says_whose_refusals_hold_it_back(
    server: VCenterProcess, tmp_path: Path
) -> None:
    logins, words = Logins(), itertools.count()
    with (
        start_vcenter(write(tmp_path, document([host_row(1)], []))) as linked,
        connect(
            settings_for(linked, password=lambda: f"wrong {next(words)}"), logins=logins
        ) as wrong,
        connect(settings_for(server), logins=logins) as held,
    ):
        for _ in range(2):
            with pytest.raises(LoginRefused):
                wrong.inventory.clusters()
        with pytest.raises(LoginRefused, match="refused at other vCenters a short time ago"):
            held.inventory.clusters()
    assert "Login" not in server.control.calls().calls


def test_a_certificate_of_an_unknown_authority_is_not_trusted_even_on_localhost(
    server: VCenterProcess,
) -> None:
    with pytest.raises(UntrustedCertificate, match="is not trusted") as caught:
        read_once(settings_for(server, ca_file=None))
    assert "ca_file" in str(caught.value)
    assert server.control.calls().calls == {}


def test_a_certificate_for_another_name_is_not_trusted(server: VCenterProcess) -> None:
    with SlowProxy(server.host, server.port, listen_on="127.0.0.2") as proxy:
        settings = settings_for(server, host="127.0.0.2", port=proxy.port)
        with pytest.raises(UntrustedCertificate, match="IP address mismatch"):
            read_once(settings)


def test_the_pinned_certificate_is_accepted(server: VCenterProcess) -> None:
    pin = server.greeting.thumbprint_sha256
    assert ":" in pin
    read_once(settings_for(server, ca_file=None, thumbprint_sha256=pin))


def test_another_certificate_than_the_pinned_one_gets_nothing(server: VCenterProcess) -> None:
    with pytest.raises(UntrustedCertificate) as caught:
        read_once(settings_for(server, thumbprint_sha256="ab" * 32))
    shown = server.greeting.thumbprint_sha256.replace(":", "").lower()
    assert shown in str(caught.value)
    assert server.control.calls().calls == {}


def test_a_ca_file_that_cannot_be_read_is_named(server: VCenterProcess, tmp_path: Path) -> None:
    missing = tmp_path / "no-such-ca.pem"
    with pytest.raises(UntrustedCertificate, match=r"no-such-ca\.pem"):
        read_once(settings_for(server, ca_file=missing))


def test_a_closed_port_is_unreachable(server: VCenterProcess) -> None:
    with socket.socket() as reserved:  # bound and not listening: refuses every connection
        reserved.bind(("127.0.0.1", 0))
        port = int(reserved.getsockname()[1])
        with pytest.raises(SourceUnreachable, match="nothing listens there"):
            read_once(settings_for(server, port=port))


def test_a_name_without_address_is_unreachable(server: VCenterProcess) -> None:
    with pytest.raises(SourceUnreachable, match="cannot be resolved"):
        read_once(settings_for(server, host="vcenter.invalid"))


@contextmanager
def talking(answer: bytes, pause_s: float) -> Iterator[int]:
    """Listen, and send a byte of the answer every so often; nothing at all where it is empty."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        thread = threading.Thread(target=_talk, args=(listener, answer, pause_s, over))
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            over.set()
            thread.join()


def _talk(listener: socket.socket, answer: bytes, pause_s: float, over: threading.Event) -> None:
    with ExitStack() as clients:
        while not over.is_set():
            with suppress(TimeoutError):
                client = clients.enter_context(listener.accept()[0])
                _say(client, answer, pause_s, over)


def _say(client: socket.socket, answer: bytes, pause_s: float, over: threading.Event) -> None:
    with suppress(OSError):  # the other side has left
        for byte in answer:
            if over.wait(pause_s):
                return
            client.sendall(bytes([byte]))


HANDSHAKE_START = bytes([22, 3, 3, 0, 100]) + bytes(100)


@pytest.mark.parametrize(
    ("answer", "what"),
    [(b"", "no connection within"), (HANDSHAKE_START, "no connection within")],
    ids=["silent server", "server that drips its handshake"],
)
def test_a_server_that_never_gets_to_tls_is_left_at_the_connect_time_out(
    server: VCenterProcess, answer: bytes, what: str
) -> None:
    with talking(answer, 0.1) as port:
        started = time.monotonic()
        with pytest.raises(SourceUnreachable, match=what):
            read_once(settings_for(server, port=port, connect_timeout_s=0.5))
        assert 0.4 < since(started) < LEFT_WITHIN_S


def test_something_that_is_no_tls_is_named(server: VCenterProcess) -> None:
    with (
        talking(b"HTTP/1.1 400 Bad Request\r\n\r\n", 0.0) as port,
        pytest.raises(SourceUnreachable, match="TLS handshake failed"),
    ):
        read_once(settings_for(server, port=port))


@pytest.mark.parametrize("how", ["go_silent", "drip"])
def test_a_slow_answer_is_left_at_the_deadline_of_the_whole_call(
    server: VCenterProcess, how: str
) -> None:
    heard = HeardRequests()
    with SlowProxy(server.host, server.port) as proxy:
        settings = settings_for(server, port=proxy.port, read_timeout_s=1.0)
        with connect(settings, observer=heard) as vcenter:
            vcenter.inventory.clusters()
            getattr(proxy, how)()
            started = time.monotonic()
            with pytest.raises(SourceUnreachable, match="no complete answer within 1 s"):
                vcenter.inventory.snapshot(CLUSTER)
            assert 0.9 < since(started) < LEFT_WITHIN_S
    assert sum(n for (_, result), n in heard.requests.items() if result == "timeout") >= 1


def test_a_slow_list_of_versions_is_left_at_the_deadline(server: VCenterProcess) -> None:
    with SlowProxy(server.host, server.port) as proxy:
        proxy.drip()
        settings = settings_for(server, port=proxy.port, read_timeout_s=0.5, connect_timeout_s=60.0)
        started = time.monotonic()
        with pytest.raises(SourceUnreachable):
            read_once(settings)
        assert since(started) < LEFT_WITHIN_S


def test_an_expired_session_is_renewed_once(server: VCenterProcess) -> None:
    heard = HeardRequests()
    with connect(settings_for(server), observer=heard) as vcenter:
        before = vcenter.inventory.snapshot(CLUSTER)
        server.control.expire_sessions()
        after = vcenter.inventory.snapshot(CLUSTER)
        assert without_times(after).vms == without_times(before).vms
    assert heard.logins == {"ok": 2}


def test_many_threads_renew_an_expired_session_with_one_login(server: VCenterProcess) -> None:
    heard = HeardRequests()
    with connect(settings_for(server), observer=heard) as vcenter:
        vcenter.inventory.clusters()
        server.control.expire_sessions()
        threads = [threading.Thread(target=vcenter.inventory.clusters) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert heard.logins == {"ok": 2}


def test_a_broken_connection_is_tried_again(server: VCenterProcess) -> None:
    heard = HeardRequests()
    with connect(settings_for(server), observer=heard) as vcenter:
        vcenter.inventory.clusters()
        server.control.drop_reply("RetrievePropertiesEx", times=2)
        assert vcenter.inventory.clusters() == (CLUSTER,)
    assert heard.requests["RetrievePropertiesEx", "broken"] == 2


def test_retries_end(server: VCenterProcess) -> None:
    heard = HeardRequests()
    with connect(settings_for(server), observer=heard) as vcenter:
        vcenter.inventory.clusters()
        server.control.drop_reply("RetrievePropertiesEx", times=50)
        with pytest.raises(SourceUnreachable, match="the connection broke"):
            vcenter.inventory.clusters()
    assert heard.requests["RetrievePropertiesEx", "broken"] == 3


def test_closing_logs_out(server: VCenterProcess) -> None:
    read_once(settings_for(server))
    assert server.control.calls().calls["Logout"] == 1
    assert server.control.expire_sessions() == 0


def test_a_logout_whose_connection_has_died_is_sent_on_another(server: VCenterProcess) -> None:
    vcenter = connect(settings_for(server))
    vcenter.inventory.clusters()
    server.control.drop_request("Logout")

    vcenter.close()

    assert server.control.sessions() == 0


def test_closing_does_not_wait_for_a_server_that_went_silent(server: VCenterProcess) -> None:
    with SlowProxy(server.host, server.port) as proxy:
        vcenter = connect(settings_for(server, port=proxy.port))
        vcenter.inventory.clusters()
        proxy.go_silent()
        started = time.monotonic()
        vcenter.close()
        assert since(started) < LEFT_WITHIN_S


def test_reads_work_again_after_an_outage(server: VCenterProcess) -> None:
    with connect(settings_for(server)) as vcenter:
        vcenter.inventory.clusters()
        server.control.outage(0.3)
        clusters = wait_for(
            lambda: clusters_or_none(vcenter), lambda found: found is not None, what="the vCenter"
        )
        assert clusters == (CLUSTER,)


def clusters_or_none(vcenter: VsphereConnection) -> tuple[ClusterRef, ...] | None:
    with suppress(SourceUnreachable):
        return vcenter.inventory.clusters()
    return None


def test_nothing_is_sent_before_the_first_read(server: VCenterProcess) -> None:
    with connect(settings_for(server)):
        pass
    assert server.control.calls().calls == {}


def test_a_fault_of_a_read_is_told_with_its_name(server: VCenterProcess) -> None:
    server.control.add_fault("NoPermission", at="call", method="CurrentTime", message="not for you")
    with pytest.raises(SourceAnswerInvalid, match="NoPermission") as caught:
        read_once(settings_for(server))
    assert "read the clock" in str(caught.value)
