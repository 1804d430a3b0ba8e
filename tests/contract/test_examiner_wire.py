"""The examination over the wire: certificate, login, clock, rights and vMotion set-up, and each of them failing."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters.vsphere import VsphereSettings, connect
from balancer.adapters.vsphere.examiner import Examiner, examiner
from balancer.model.checkup import Certificate, Checkup, ObjectKind, Rights, Trust, Unread
from balancer.model.privileges import Role, needed_ids
from balancer.model.reasons import Reason
from balancer.model.snapshot import Snapshot
from balancer.model.units import ClusterId, VmId
from balancer.ports import ClusterRef
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import SlowProxy, settings_for
from tests.support.wire import document, host_row, vm_row, write

pytestmark = pytest.mark.wire

EXECUTOR = needed_ids(Role.EXECUTOR)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    vms = [
        vm_row(1, 1, hardware_version=13),
        vm_row(2, 1, evc_mode="intel-haswell", hardware_version=20),
        vm_row(3, 2, power="off"),
    ]
    with start_vcenter(write(tmp_path, document([host_row(1), host_row(2)], vms))) as process:
        yield process


def looked_over(settings: VsphereSettings, *clusters: str) -> Checkup:
    with examiner(settings) as looker:
        return looker.checkup(clusters or ("prod",))


def is_blank(checkup: Checkup) -> bool:
    """Whether nothing behind the login was read, and each part says so."""
    parts = (checkup.server, checkup.clock, checkup.rights, checkup.cluster_names)
    return all(isinstance(part, Unread) and part.is_consequence for part in parts)


def test_a_vcenter_is_looked_over_with_one_login(server: VCenterProcess) -> None:
    checkup = looked_over(settings_for(server))
    assert not isinstance(checkup.server, Unread)
    assert (checkup.server.api_version, checkup.server.negotiated) == ("8.0.3.0", "8.0.3.0")
    assert checkup.cluster_names == ("prod",)
    assert not isinstance(checkup.clock, Unread)
    assert abs(checkup.clock.ahead_s) < 2.0
    assert isinstance(checkup.clusters[0].snapshot, Snapshot)
    calls = server.control.calls().calls
    assert (calls["Login"], calls["Logout"]) == (1, 1)
    assert "RelocateVM_Task" not in calls


def test_the_clock_is_compared_with_the_middle_of_the_call(server: VCenterProcess) -> None:
    ticks = iter([timedelta(seconds=-3600), timedelta(seconds=-3599)])
    start = datetime.now(tz=UTC)
    looker = Examiner(settings_for(server), now=lambda: start + next(ticks))
    checkup = looker.checkup(())
    looker.close()
    assert not isinstance(checkup.clock, Unread)
    assert checkup.clock.ahead_s == pytest.approx(3599.5, abs=10)
    assert checkup.clock.uncertain_s == pytest.approx(0.5)


# -- certificate


def shown(checkup: Checkup) -> Certificate:
    assert isinstance(checkup.certificate, Certificate)
    return checkup.certificate


def test_a_trusted_certificate_is_told_with_what_verified_it(server: VCenterProcess) -> None:
    found = shown(looked_over(settings_for(server)))
    assert (found.subject, found.issuer, found.refused) == ("CN=localhost", "CN=localhost", "")
    assert found.trust is Trust.CA_FILE
    assert "localhost" in found.names
    assert timedelta(hours=46) < found.not_after - datetime.now(tz=UTC) < timedelta(hours=49)
    pin = server.greeting.thumbprint_sha256
    assert found.thumbprint_sha256 == pin.replace(":", "").lower()
    pinned = shown(looked_over(settings_for(server, ca_file=None, thumbprint_sha256=pin)))
    assert (pinned.trust, pinned.refused) == (Trust.PIN, "")


@pytest.mark.parametrize(
    ("facts", "trust", "refused"),
    [
        ({"ca_file": None}, Trust.SYSTEM, "self-signed certificate"),
        ({"ca_file": None, "thumbprint_sha256": "ab" * 32}, Trust.PIN, "another thumbprint"),
    ],
    ids=["by no authority", "another pin"],
)
def test_an_untrusted_certificate_is_shown_and_no_password_is_sent(
    server: VCenterProcess, facts: dict[str, Any], trust: Trust, refused: str
) -> None:
    checkup = looked_over(settings_for(server, **facts))
    found = shown(checkup)
    assert (found.subject, found.trust) == ("CN=localhost", trust)
    assert refused in found.refused.replace("self signed", "self-signed")
    assert is_blank(checkup)
    assert server.control.calls().calls == {}


def test_a_certificate_for_another_name_is_shown(
    server: VCenterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def resolved(host: str, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "vcenter.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    checkup = looked_over(settings_for(server, host="vcenter.example"))
    assert "vcenter.example" in shown(checkup).refused
    assert is_blank(checkup)


def test_where_nobody_listens_that_is_all_that_is_said(server: VCenterProcess) -> None:
    with socket.socket() as reserved:  # bound and not listening: refuses every connection
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        checkup = looked_over(settings_for(server, host="127.0.0.1", port=port))
    assert isinstance(checkup.certificate, Unread)
    assert checkup.certificate.why == "nothing listens there (connection refused)"
    assert is_blank(checkup)


def test_a_server_that_never_answers_is_given_up_in_time(server: VCenterProcess) -> None:
    with SlowProxy(server.host, server.port) as proxy:
        proxy.go_silent()
        settings = settings_for(server, port=proxy.port, connect_timeout_s=0.3, read_timeout_s=0.5)
        started = time.monotonic()
        checkup = looked_over(settings)
        took_s = time.monotonic() - started
    assert took_s < 20.0  # the proxy would stay silent for ever
    assert isinstance(checkup.certificate, Unread)
    assert checkup.certificate.why == "no connection within 0.3 s"
    assert is_blank(checkup)


def test_a_server_that_speaks_no_tls_is_told(server: VCenterProcess) -> None:
    control = int(server.greeting.control.rpartition(":")[2])
    checkup = looked_over(settings_for(server, host="127.0.0.1", port=control))
    assert isinstance(checkup.certificate, Unread)
    assert "TLS handshake failed" in checkup.certificate.why


def test_a_refused_login_is_told_once(server: VCenterProcess) -> None:
    checkup = looked_over(settings_for(server, password="wrong"))
    assert isinstance(checkup.server, Unread)
    assert checkup.server.why.startswith("the server refused (InvalidLogin")
    assert checkup.server.mend.startswith("Check user name and password")
    assert not checkup.server.is_consequence
    assert server.control.calls().calls["Login"] == 1


# -- rights


def rights_of(checkup: Checkup) -> Rights:
    assert isinstance(checkup.rights, Rights)
    return checkup.rights


def test_rights_are_told_object_by_object(server: VCenterProcess) -> None:
    server.control.rights(EXECUTOR, {"vm-2": ["System.View"], "host-1": []})
    found = rights_of(looked_over(settings_for(server)))
    held = {holding.name: holding.held for holding in found.holdings}
    assert held["vm1"] == EXECUTOR
    assert held["vm2"] == {"System.View"}
    assert held["esx1"] == frozenset()
    kinds = {holding.kind for holding in found.holdings}
    assert kinds == {ObjectKind.ROOT, ObjectKind.CLUSTER, ObjectKind.HOST, ObjectKind.VM}
    assert found.unread == ()


def test_the_root_and_clusters_are_asked_for_every_privilege(server: VCenterProcess) -> None:
    found = rights_of(looked_over(settings_for(server)))
    asked = {holding.kind: holding.asked for holding in found.holdings}
    assert "Authorization.ModifyRoles" in asked[ObjectKind.ROOT]
    assert "Authorization.ModifyRoles" in asked[ObjectKind.CLUSTER]
    assert asked[ObjectKind.HOST] == EXECUTOR


def test_an_object_of_which_the_server_does_not_speak_hides_no_other(
    server: VCenterProcess,
) -> None:
    server.control.add_fault("NoPermission", at="call", method="HasPrivilegeOnEntities", times=1)
    found = rights_of(looked_over(settings_for(server)))
    assert found.unread == ()
    server.control.add_fault("NoPermission", at="call", method="HasPrivilegeOnEntities")
    found = rights_of(looked_over(settings_for(server)))
    assert found.holdings == ()
    assert any("esx1: NoPermission" in line for line in found.unread)


# -- vMotion set-up


# -- whether the daemon may act as this account

PROD = ClusterRef(id=ClusterId("domain-c8"), name="prod")
ADMIN = "Authorization.ModifyPermissions"


def barred(server: VCenterProcess) -> str:
    """Return why the account must not act, empty where it may."""
    with connect(settings_for(server)) as vcenter:
        found = vcenter.barred(PROD)
    assert found is None or found.reason is Reason.EXCESS_PRIVILEGES
    return found.detail if found else ""


def test_an_account_with_the_executors_role_may_act(server: VCenterProcess) -> None:
    server.control.rights(EXECUTOR)
    assert barred(server) == ""
    assert server.control.calls().calls["HasPrivilegeOnEntities"] == 1


@pytest.mark.parametrize(
    ("everywhere", "on", "where"),
    [
        (EXECUTOR | {ADMIN}, {"domain-c8": EXECUTOR}, "on the root folder of the vCenter"),
        (EXECUTOR, {"domain-c8": EXECUTOR | {ADMIN}}, "on cluster prod"),
    ],
    ids=["root", "cluster"],
)
def test_an_administrator_must_not_act(
    server: VCenterProcess, everywhere: set[str], on: dict[str, set[str]], where: str
) -> None:
    server.control.rights(everywhere, on)
    told = barred(server)
    assert told.startswith(f"the account {server.greeting.username} is an administrator: it holds")
    assert told.endswith(f"{ADMIN} {where}")


def test_an_account_of_which_the_server_does_not_tell_must_not_act(server: VCenterProcess) -> None:
    server.control.rights(EXECUTOR)
    server.control.add_fault("NoPermission", at="call", method="HasPrivilegeOnEntities")
    assert "it cannot be told whether the account" in barred(server)


def test_the_set_up_of_hosts_is_read_with_links_and_options(server: VCenterProcess) -> None:
    server.control.host_setup(
        "esx1",
        version="7.0.1",
        adapters=[
            {"links_mbps": [25_000, 0], "address": "192.0.2.9", "netmask": "255.255.255.0"},
            {"links_mbps": [10_000], "address": "192.0.2.10", "netmask": "255.255.255.0"},
        ],
        options={"Migrate.VMotionStreamHelpers": 4},
    )
    setups = looked_over(settings_for(server)).clusters[0].setups
    assert not isinstance(setups, Unread)
    changed, plain = setups
    assert changed.version == (7, 0, 1)
    assert [adapter.links_mbps for adapter in changed.adapters] == [(25_000.0, 0.0), (10_000.0,)]
    assert [adapter.address for adapter in changed.adapters] == ["192.0.2.9", "192.0.2.10"]
    assert not isinstance(changed.options, Unread)
    assert changed.options["Migrate.VMotionStreamHelpers"] == "4"
    assert plain.version == (8, 0, 3)
    assert len(plain.adapters) == 1


def test_options_that_the_server_refuses_are_unread_and_the_rest_is_there(
    server: VCenterProcess,
) -> None:
    server.control.add_fault("NoPermission", at="call", method="QueryOptions")
    setups = looked_over(settings_for(server)).clusters[0].setups
    assert not isinstance(setups, Unread)
    assert all(isinstance(setup.options, Unread) for setup in setups)
    assert all(setup.adapters for setup in setups)


def test_a_cluster_that_is_not_there_hides_no_other(server: VCenterProcess) -> None:
    there, missing = looked_over(settings_for(server), "prod", "nowhere").clusters
    assert isinstance(there.snapshot, Snapshot)
    assert isinstance(missing.snapshot, Unread)
    assert "It shows: prod" in missing.snapshot.why


# -- EVC of single VMs


def test_the_own_evc_mode_of_a_vm_is_read_from_its_masks(server: VCenterProcess) -> None:
    with examiner(settings_for(server)) as looker:
        snapshot = looker.snapshot("prod")
    modes = {vm.id: (vm.evc_mode, vm.hardware_version) for vm in snapshot.vms}
    assert modes[VmId("vm-1")] == (None, 13)
    assert modes[VmId("vm-2")] == ("intel-haswell", 20)
