"""What a vCenter tells between cycles is heard, and losing it costs hints and nothing else."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from balancer.adapters.vsphere import VsphereConnection, connect
from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.session import Session
from balancer.adapters.vsphere.watcher import ChangeWatcher
from balancer.model.changes import Change, ChangeKind
from balancer.model.outcome import MigrationOrder
from balancer.model.plan import Priority
from balancer.model.units import ClusterId, HostId, VmId
from tests.support.fault_proxy import FaultProxy, Spoil, since, soap_fault
from tests.support.vcenter import VCenterProcess, start_vcenter
from tests.support.vsphere import HeardRequests, settings_for
from tests.support.wire import document, host_row, vm_row, write

pytestmark = pytest.mark.wire

CLUSTER = ClusterId("domain-c8")
WITHIN_S = 60.0
LONG_S = 600.0


class Ears:
    """Hears changes and what becomes of the listening; keeps nothing but what it was told."""

    def __init__(self) -> None:
        self.told: list[Change] = []
        self.states: list[bool] = []
        self.kinds: Counter[str] = Counter()
        self.forgotten: set[str] = set()
        self.forgot_all = 0
        self._news = threading.Condition()

    def tell(self, changes: tuple[Change, ...]) -> None:
        with self._news:
            self.told.extend(changes)
            self._news.notify_all()

    def listening(self, is_listening: bool) -> None:
        with self._news:
            self.states.append(is_listening)
            self._news.notify_all()

    def changed(self, kind: str) -> None:
        self.kinds[kind] += 1

    def forget(self, *, hosts: Iterable[HostId] = (), vms: Iterable[VmId] = ()) -> None:
        self.forgotten |= {*hosts, *vms}

    def forget_all(self) -> None:
        self.forgot_all += 1

    def await_(self, holds: Callable[["Ears"], bool], *, within_s: float = WITHIN_S) -> None:
        with self._news:
            assert self._news.wait_for(lambda: holds(self), within_s), (self.told, self.states)

    def heard(self, kind: ChangeKind, thing: str) -> bool:
        return any(c.kind is kind and thing in (c.vm, c.host, c.cluster) for c in self.told)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VCenterProcess]:
    hosts = [host_row(number) for number in (1, 2, 3)]
    doc = document(hosts, [vm_row(number, 1) for number in range(1, 41)])
    with start_vcenter(write(tmp_path, doc)) as running:
        yield running


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def proxy(server: VCenterProcess) -> Iterator[FaultProxy]:
    with FaultProxy(server) as running:
        yield running


@pytest.fixture
def watcher(server: VCenterProcess, proxy: FaultProxy, ears: Ears) -> Iterator[ChangeWatcher]:
    settings = settings_for(server, port=proxy.port, ca_file=proxy.ca_file)
    session = Session(settings, guard=LoginGuard(), observer=HeardRequests(), timeout_s=10.0)
    made = ChangeWatcher(session, observer=ears, caches=ears, first_pause_s=0.1)
    made.follow(CLUSTER, ears.tell)
    yield made
    made.close()


def listens(ears: Ears) -> bool:
    return bool(ears.states) and ears.states[-1]


def test_what_is_there_at_the_start_is_no_change(watcher: ChangeWatcher, ears: Ears) -> None:
    ears.await_(listens)
    assert ears.told == []


def test_a_move_by_somebody_else_is_told_at_its_start_and_at_its_end(
    server: VCenterProcess, watcher: ChangeWatcher, ears: Ears
) -> None:
    ears.await_(listens)
    server.control.move("vm1", "esx2", seconds=LONG_S)
    ears.await_(lambda e: e.heard(ChangeKind.MIGRATION, "vm-1"))
    assert server.control.end_migrations() == 1
    ears.await_(lambda e: e.heard(ChangeKind.VM_MOVED, "vm-1"))
    assert {change.vm for change in ears.told} == {"vm-1"}
    assert {change.cluster for change in ears.told} == {CLUSTER}
    assert "vm-1" in ears.forgotten
    assert ears.kinds["vm_moved"] == 1


@pytest.mark.parametrize(
    ("act", "kind", "thing"),
    [
        (
            lambda c: c.set_host_state("esx3", "maintenance"),
            ChangeKind.HOST_STATE,
            "host-3",
        ),
        (
            lambda c: c.set_host_state("esx1", "entering_maintenance"),
            ChangeKind.MAINTENANCE,
            "host-1",
        ),
        (lambda c: c.set_host_state("esx2", "disconnected"), ChangeKind.HOST_STATE, "host-2"),
        (lambda c: c.set_power("vm7", "off"), ChangeKind.VM_POWER, "vm-7"),
    ],
    ids=["maintenance", "entering maintenance", "disconnected", "power"],
)
def test_a_change_is_told_by_its_kind(
    server: VCenterProcess,
    watcher: ChangeWatcher,
    ears: Ears,
    act: Callable[[object], None],
    kind: ChangeKind,
    thing: str,
) -> None:
    ears.await_(listens)
    act(server.control)
    ears.await_(lambda e: e.heard(kind, thing))


def test_load_is_no_change(server: VCenterProcess, watcher: ChangeWatcher, ears: Ears) -> None:
    ears.await_(listens)
    server.control.set_demand("vm1", cpu_mhz=4_000)
    server.control.set_power("vm2", "off")  # comes after it
    ears.await_(lambda e: e.heard(ChangeKind.VM_POWER, "vm-2"))
    assert {change.vm for change in ears.told} == {"vm-2"}


def test_an_ended_session_is_renewed_and_what_was_kept_is_forgotten(
    server: VCenterProcess, watcher: ChangeWatcher, ears: Ears
) -> None:
    ears.await_(listens)
    server.control.expire_sessions()
    server.control.set_power("vm1", "off")  # unheard: the waiting call ends with the connection
    server.control.outage(0.0)
    ears.await_(lambda e: e.states[-2:] == [False, True])
    assert ears.forgot_all >= 1
    server.control.move("vm3", "esx3")
    ears.await_(lambda e: e.heard(ChangeKind.VM_MOVED, "vm-3"))


@pytest.mark.parametrize("fault", ["InvalidCollectorVersionFault", "NotSupportedFault"])
def test_a_refused_wait_is_begun_anew(
    server: VCenterProcess, watcher: ChangeWatcher, proxy: FaultProxy, ears: Ears, fault: str
) -> None:
    ears.await_(listens)
    proxy.spoil(Spoil.ANSWER, "WaitForUpdatesEx", status=500, body=soap_fault(fault))
    server.control.set_power("vm1", "off")  # ends the wait under way; the next one is refused
    ears.await_(lambda e: e.states[-2:] == [False, True])
    assert proxy.seen.count("DestroyPropertyCollector") == 1
    assert proxy.seen.count("DestroyPropertyFilter") >= 1
    assert proxy.seen.count("DestroyView") == 1
    server.control.move("vm3", "esx3")
    ears.await_(lambda e: e.heard(ChangeKind.VM_MOVED, "vm-3"))


def test_a_server_that_never_lets_us_wait_is_asked_ever_more_seldom(
    server: VCenterProcess, proxy: FaultProxy, ears: Ears, caplog: pytest.LogCaptureFixture
) -> None:
    body = soap_fault("NotSupportedFault")
    proxy.spoil(Spoil.ANSWER, "WaitForUpdatesEx", times=1000, status=500, body=body)
    settings = settings_for(server, port=proxy.port, ca_file=proxy.ca_file)
    session = Session(settings, guard=LoginGuard(), observer=HeardRequests(), timeout_s=10.0)
    watcher = ChangeWatcher(session, observer=ears, caches=ears, first_pause_s=0.1)
    watcher.follow(CLUSTER, ears.tell)
    ears.await_(lambda e: len(e.states) >= 4)
    watcher.close()
    assert not any(ears.states)
    told = [r for r in caplog.records if "no hints of changes" in r.message]
    assert len(told) == 1
    assert "NotSupported" in told[0].__dict__["error"]
    assert proxy.seen.count("WaitForUpdatesEx") <= 6


@pytest.mark.parametrize("state", ["waiting", "black hole", "between two tries"])
def test_the_thread_ends_at_once(
    server: VCenterProcess, proxy: FaultProxy, ears: Ears, state: str
) -> None:
    settings = settings_for(server, port=proxy.port, ca_file=proxy.ca_file)
    if state == "black hole":
        proxy.spoil(Spoil.DELAY, "RetrieveServiceContent", times=9, seconds=30.0)
    if state == "between two tries":
        proxy.spoil(Spoil.STATUS, "WaitForUpdatesEx", times=1000, status=503)
    session = Session(settings, guard=LoginGuard(), observer=HeardRequests(), timeout_s=60.0)
    watcher = ChangeWatcher(session, observer=ears, caches=ears, first_pause_s=60.0)
    watcher.follow(CLUSTER, ears.tell)
    if state == "waiting":
        ears.await_(listens)
    elif state == "between two tries":
        ears.await_(lambda e: e.states == [False])
    else:
        until(lambda: proxy.seen.count("RetrieveServiceContent") == 1)
    started = time.monotonic()
    watcher.close()
    assert since(started) < 20.0  # each of the three waits would last half a minute and more
    assert [t for t in threading.enumerate() if t.name == "changes"] == []


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_is_left_on_the_server_after_closing(server: VCenterProcess, ears: Ears) -> None:
    with connect(settings_for(server)) as vcenter:
        vcenter.watcher(ears).follow(CLUSTER, ears.tell)
        ears.await_(listens)
        moved_by_us(vcenter)
        ears.await_(lambda e: e.heard(ChangeKind.VM_MOVED, "vm-1"))
    assert server.control.expire_sessions() == 0


def test_a_login_that_was_sent_when_it_is_closed_is_logged_out(
    server: VCenterProcess, proxy: FaultProxy, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends such a call at once leaves a session that lives on for half an hour."""
    monkeypatch.setattr(
        "balancer.adapters.vsphere.session._LOGIN_SPARE_S", 7.0
    )  # on a busy machine
    proxy.spoil(Spoil.DELAY, "Login", seconds=0.4)
    settings = settings_for(server, port=proxy.port, ca_file=proxy.ca_file)
    session = Session(settings, guard=LoginGuard(), observer=HeardRequests(), timeout_s=60.0)
    watcher = ChangeWatcher(session, observer=ears, caches=ears)
    watcher.follow(CLUSTER, ears.tell)
    until(lambda: proxy.seen.count("Login") == 1)
    watcher.close()
    until(lambda: any(method == "Login" for method, _ in proxy.seen.passed))
    assert server.control.sessions() == 0


def moved_by_us(vcenter: VsphereConnection) -> None:
    vcenter.migrator().submit(
        MigrationOrder(
            vm=VmId("vm-1"), vm_name="vm1", target=HostId("host-2"), priority=Priority.DEFAULT
        )
    )
