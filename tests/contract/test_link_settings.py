"""How a vCenter is reached: through a proxy, with files that change, over TLS 1.2 or newer."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereSettings, connect
from balancer.adapters.vsphere.configured import settings_of
from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.session import Session
from balancer.adapters.vsphere.settings import ProxySettings
from balancer.adapters.vsphere.transport import tls_context
from balancer.config import Proxy, VCenter
from balancer.model.errors import (
    CredentialsUnreadable,
    InputError,
    LoginRefused,
    SourceUnreachable,
    UntrustedCertificate,
)
from balancer.model.units import ClusterId
from balancer.ports import ClusterRef
from tests.support.connect_proxy import ConnectProxy
from tests.support.fault_proxy import since
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import HeardRequests, SlowProxy, settings_for
from tests.support.wire import document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterRef(id=ClusterId("domain-c8"), name="prod")


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    return write(tmp_path, document([host_row(1)], [vm_row(1, 1)]))


@pytest.fixture
def server(inventory: Path) -> Iterator[VCenterProcess]:
    with start_vcenter(inventory) as running:
        yield running


def behind(
    proxy: ConnectProxy, server: VCenterProcess, login: str | None = None, **others: object
) -> VsphereSettings:
    way = ProxySettings(host="127.0.0.1", port=proxy.port, credentials=login)
    return settings_for(server, proxy=way, **others)


def read(settings: VsphereSettings) -> None:
    with connect(settings) as vcenter:
        assert vcenter.inventory.clusters() == (CLUSTER,)


@pytest.mark.parametrize("login", ["", "user:p@ss word"], ids=["open", "with login"])
def test_a_vcenter_is_read_through_a_proxy(server: VCenterProcess, login: str) -> None:
    with ConnectProxy(login=login) as proxy:
        read(behind(proxy, server, login or None))
        assert set(proxy.asked) == {f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"}


def test_the_certificate_behind_a_proxy_is_verified(server: VCenterProcess) -> None:
    with ConnectProxy() as proxy:
        settings = settings_for(
            server, ca_file=None, proxy=ProxySettings(host="127.0.0.1", port=proxy.port)
        )
        with pytest.raises(UntrustedCertificate):
            read(settings)


def test_refused_proxy_credentials_are_named_and_not_sent_again(server: VCenterProcess) -> None:
    with ConnectProxy(login="user:right") as proxy:
        with connect(behind(proxy, server, "user:wrong")) as vcenter:
            for _ in range(4):
                with pytest.raises(LoginRefused, match="HTTP proxy") as caught:
                    vcenter.inventory.clusters()
        assert proxy.refused == 1
        assert "wrong" not in str(caught.value)
        read(behind(proxy, server, "user:right"))


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "something else than HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurplus", "more than its answer"),
        (b"", "closed the connection"),
        (b"x" * 40_000, "longer than"),
    ],
    ids=["forbidden", "no HTTP", "surplus", "closed", "endless"],
)
def test_a_proxy_that_opens_no_way_is_told(
    server: VCenterProcess, answer: bytes, what: str
) -> None:
    with ConnectProxy(answer=answer) as proxy, pytest.raises(SourceUnreachable, match=what):
        read(behind(proxy, server))


def test_a_silent_proxy_is_left_at_the_connect_time_out(server: VCenterProcess) -> None:
    with ConnectProxy(silent=True) as proxy:
        started = time.monotonic()
        with pytest.raises(SourceUnreachable, match=r"within 1 s through the HTTP proxy"):
            read(behind(proxy, server, connect_timeout_s=1.0))
        assert 0.9 < since(started) < 20.0  # the proxy stays silent for a minute


def configured(server: VCenterProcess, folder: Path, **facts: object) -> VCenter:
    password = folder / "password"
    password.write_text(server.greeting.password)
    common = {
        "name": "vc1",
        "host": server.host,
        "port": server.port,
        "username": server.greeting.username,
        "password_file": password,
        "tls": {"ca_file": server.ca_file},
    }
    return VCenter.model_validate(common | facts)


def test_the_environment_names_no_proxy_unless_told(
    server: VCenterProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        read(settings_of(configured(server, tmp_path)))
        assert proxy.asked == []
        told = {"proxy": Proxy(from_environment=True)}
        read(settings_of(configured(server, tmp_path, **told)))
        assert proxy.asked
        proxy.asked.clear()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        read(settings_of(configured(server, tmp_path, **told)))
        assert proxy.asked == []


def test_an_address_of_the_environment_that_is_no_http_proxy_is_an_input_error(
    server: VCenterProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(InputError, match="https_proxy"):
        settings_of(configured(server, tmp_path, proxy=Proxy(from_environment=True)))


def test_the_proxy_of_the_configuration_reads_its_credentials_anew(
    server: VCenterProcess, tmp_path: Path
) -> None:
    login = tmp_path / "proxy-login"
    with ConnectProxy(login="user:right") as proxy:
        login.write_text("user:wrong\n")
        way = Proxy(host="127.0.0.1", port=proxy.port, credentials_file=login)
        with connect(settings_of(configured(server, tmp_path, proxy=way))) as vcenter:
            with pytest.raises(LoginRefused):
                vcenter.inventory.clusters()
            login.write_text("no colon")
            with pytest.raises(SourceUnreachable, match="does not hold user:password"):
                vcenter.inventory.clusters()
            login.write_text("user:right\n")
            assert vcenter.inventory.clusters() == (CLUSTER,)


def test_a_changed_user_name_file_counts_at_the_next_login(
    server: VCenterProcess, tmp_path: Path
) -> None:
    user = tmp_path / "user"
    user.write_text("nobody@vsphere.local")
    facts = {"username": None, "username_file": user}
    with connect(settings_of(configured(server, tmp_path, **facts))) as vcenter:
        with pytest.raises(LoginRefused, match="as nobody@"):
            vcenter.inventory.clusters()
        user.write_text(server.greeting.username)
        assert vcenter.inventory.clusters() == (CLUSTER,)


def test_a_password_file_that_is_being_exchanged_costs_one_try_and_locks_nothing(
    server: VCenterProcess, tmp_path: Path
) -> None:
    heard = HeardRequests()
    settings = settings_of(configured(server, tmp_path))
    with connect(settings, observer=heard) as vcenter:
        (tmp_path / "password").write_text("")
        for _ in range(4):
            with pytest.raises(CredentialsUnreadable, match="does not hold one line") as caught:
                vcenter.inventory.clusters()
        assert caught.value.is_transient
        (tmp_path / "password").write_text(server.greeting.password)
        assert vcenter.inventory.clusters() == (CLUSTER,)
    assert heard.logins == {"ok": 1}


def test_an_exchanged_authorities_file_is_read_without_a_restart(
    server: VCenterProcess, inventory: Path, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(server.greeting.certificate_pem)
    with start_vcenter(inventory) as renewed, SlowProxy(server.host, server.port) as proxy:
        settings = settings_for(server, port=proxy.port, ca_file=ca_file)
        with connect(settings) as vcenter:
            assert vcenter.inventory.clusters() == (CLUSTER,)
            proxy.turn_to(renewed.host, renewed.port)
            server.control.outage(0.0)
            with pytest.raises(UntrustedCertificate):
                vcenter.inventory.clusters()
            ca_file.write_text(renewed.greeting.certificate_pem)
            assert vcenter.inventory.clusters() == (CLUSTER,)


@pytest.mark.parametrize("pin", [None, "ab" * 32], ids=["authorities", "pin"])
def test_nothing_older_than_tls_1_2_is_spoken(pin: str | None) -> None:
    settings = VsphereSettings(
        name="vc", host="localhost", username="u", password="p", thumbprint_sha256=pin
    )
    context = tls_context(settings)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode is ssl.CERT_REQUIRED) is (pin is None)
    assert context.check_hostname is (pin is None)


def test_an_idle_session_is_kept_alive_and_a_used_one_is_left_alone(
    server: VCenterProcess,
) -> None:
    heard = HeardRequests()
    session = Session(settings_for(server), guard=LoginGuard(), observer=heard, timeout_s=10.0)
    session.keep_alive(0.0)
    assert heard.requests == {}  # nobody is logged in for this
    session.opened()
    session.keep_alive(600.0)
    assert heard.requests["CurrentTime", "ok"] == 0
    session.keep_alive(0.0)
    assert heard.requests["CurrentTime", "ok"] == 1
    server.control.expire_sessions()
    session.keep_alive(0.0)
    assert heard.logins == {"ok": 1}
    session.close()


def test_a_stopped_session_ends_its_calls_at_once_and_still_logs_out(
    server: VCenterProcess,
) -> None:
    with connect(settings_for(server)) as vcenter:
        vcenter.inventory.clusters()
        vcenter.give_up()
        started = time.monotonic()
        with pytest.raises(SourceUnreachable, match="stopped"):
            vcenter.inventory.clusters()
        assert since(started) < 10.0
    assert server.control.calls().calls["Logout"] == 1
    assert server.control.expire_sessions() == 0
