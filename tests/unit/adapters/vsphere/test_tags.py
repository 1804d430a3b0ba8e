"""Tags: read in bulk and kept, in either dialect; what cannot be known is said to be unknown."""

import http.client
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.rest import RestApi
from balancer.adapters.vsphere.settings import VsphereSettings
from balancer.adapters.vsphere.tags import ATTACHED_KEPT_S, NAMES_KEPT_S, PAUSE_S, Tags
from balancer.model.snapshot import Snapshot, TagsState
from balancer.model.units import HostId, VmId
from tests.support.builders import host, snapshot, vm
from tests.support.vsphere import HeardRequests

SETTINGS = VsphereSettings(name="t", host="vc.test", username="u", password="p")
SNAP = snapshot([host(1), host(2)], [vm(1, on=1), vm(2, on=1)])
TAGS = {"t:1": {"name": "gold", "category_id": "c:1"}, "t:2": {"name": "db", "category_id": "c:2"}}
CATEGORIES = {"c:1": {"name": "tier"}, "c:2": {"name": "app"}}
Answer = tuple[int, object]
LIST = "list-attached-tags-on-objects"


class Answered:
    """What `getresponse` gives."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status = status
        self.read = io.BytesIO(content).read


class FakeServer:
    """A REST API in memory; `dialect` is the one that it speaks, `changes` replace answers by call."""

    def __init__(self, dialect: str = "/api") -> None:
        self.dialect = dialect
        self.attached = {"vm-1": ["t:1", "t:2"], "host-2": ["t:1"]}
        self.calls: list[str] = []
        self.changes: dict[str, Callable[[], Answer]] = {}
        self.sessions = 0

    def connect(self) -> http.client.HTTPConnection:
        return FakeConnection(self)  # type: ignore[return-value]

    def answer(self, verb: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        if not path.startswith(self.dialect + "/"):
            return 404, {}
        name = self._name(verb, path)
        self.calls.append(name)
        if name in self.changes:
            return self.changes[name]()
        if name == "login":
            assert headers["Authorization"].startswith("Basic ")
            self.sessions += 1
            return 200, self._told("token")
        assert headers["vmware-api-session-id"] == "token"
        if name == "logout":
            self.sessions -= 1
            return 204, None
        return 200, self._told(self._found(name, body))

    def _name(self, verb: str, path: str) -> str:
        if path.endswith("/session"):
            return "login" if verb == "POST" else "logout"
        mark = "?action=" if self.dialect == "/api" else "?~action="
        if mark in path:
            return path.split(mark)[1]
        kind, key = path.split("/")[-2:]
        start = "" if self.dialect == "/api" else "id:"
        assert key.startswith(start)
        return f"{kind}/{key.removeprefix(start)}"

    def _found(self, name: str, body: Any) -> object:
        if name == LIST:
            asked = [entry["id"] for entry in body["object_ids"]]
            return [
                {"object_id": {"id": key, "type": "x"}, "tag_ids": self.attached[key]}
                for key in asked
                if key in self.attached
            ]
        kind, key = name.split("/")
        return {"tag": TAGS, "category": CATEGORIES}[kind][key]

    def _told(self, value: object) -> object:
        return value if self.dialect == "/api" else {"value": value}


class FakeConnection:
    """One connection to it."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._answer: Answer = (0, None)

    def request(self, verb: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        sent = None if body is None else json.loads(body)
        self._answer = self._server.answer(verb, path, sent, headers)

    def getresponse(self) -> Answered:
        status, value = self._answer
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        return Answered(status, b"" if value is None else content)

    def close(self) -> None:
        pass


class Desk:
    """Tags of one fake server, with a clock."""

    def __init__(self, server: FakeServer) -> None:
        self.server, self.now_s, self.heard = server, 1_000.0, HeardRequests()
        api = RestApi(SETTINGS, observer=self.heard, guard=LoginGuard(), connect=server.connect)
        self.tags = Tags(api, observer=self.heard, monotonic=lambda: self.now_s)

    def read(self, snap: Snapshot = SNAP) -> Snapshot:
        return self.tags.told(self.tags.put_on(snap))


def tags_of(read: Snapshot) -> dict[str, set[str]]:
    found = {str(vm.id): set(vm.tags) for vm in read.vms}
    found |= {str(host.id): set(host.tags) for host in read.hosts}
    return {key: tags for key, tags in found.items() if tags}


def raising(error: Exception) -> Callable[[], Answer]:
    def act() -> Answer:
        raise error

    return act


@pytest.mark.parametrize("dialect", ["/api", "/rest"])
def test_tags_of_vms_and_hosts_are_read_in_one_question_in_either_dialect(dialect: str) -> None:
    desk = Desk(FakeServer(dialect))
    read = desk.read()
    assert tags_of(read) == {"vm-1": {"tier:gold", "app:db"}, "host-2": {"tier:gold"}}
    assert read.source.tags is TagsState.KNOWN
    assert desk.server.calls.count(LIST) == 1
    assert desk.server.calls[-1] == "logout"
    assert desk.server.sessions == 0


def test_what_is_known_is_not_asked_again_until_it_is_old() -> None:
    desk = Desk(FakeServer())
    desk.read()
    asked = len(desk.server.calls)
    desk.now_s += ATTACHED_KEPT_S - 1
    desk.server.attached = {"vm-2": ["t:1"]}
    assert tags_of(desk.read()) == {"vm-1": {"tier:gold", "app:db"}, "host-2": {"tier:gold"}}
    assert len(desk.server.calls) == asked
    desk.now_s += 1
    assert tags_of(desk.read()) == {"vm-2": {"tier:gold"}}


def test_names_are_kept_longer_and_asked_anew_after_an_hour() -> None:
    desk = Desk(FakeServer())
    desk.read()
    desk.now_s += ATTACHED_KEPT_S
    desk.read()
    assert desk.server.calls.count("tag/t:1") == 1
    desk.now_s += NAMES_KEPT_S
    desk.read()
    assert desk.server.calls.count("tag/t:1") == 2


def test_only_new_objects_are_asked_for() -> None:
    desk = Desk(FakeServer())
    desk.read()
    desk.server.attached["vm-3"] = ["t:2"]
    more = snapshot([host(1), host(2)], [vm(1, on=1), vm(3, on=1)])
    assert tags_of(desk.read(more))["vm-3"] == {"app:db"}
    assert desk.server.calls.count(LIST) == 2


NO_JSON, DEEP = b"<html>", b"[" * 100_000
FAILURES: list[tuple[str, str, Callable[[], Answer], TagsState]] = [
    ("wrong password", "login", lambda: (401, {}), TagsState.REFUSED),
    ("no right", LIST, lambda: (403, {}), TagsState.REFUSED),
    ("no such service", LIST, lambda: (404, {}), TagsState.UNSUPPORTED),
    ("overloaded", LIST, lambda: (503, b"busy"), TagsState.UNREACHABLE),
    ("moved elsewhere", "login", lambda: (302, b""), TagsState.UNREACHABLE),
    ("reset", LIST, raising(ConnectionResetError("reset")), TagsState.UNREACHABLE),
    ("timed out", "login", raising(TimeoutError("late")), TagsState.UNREACHABLE),
    ("cut", LIST, raising(http.client.IncompleteRead(b"")), TagsState.UNREACHABLE),
    ("no json", LIST, lambda: (200, NO_JSON), TagsState.UNREADABLE),
    ("nested without end", LIST, lambda: (200, DEEP), TagsState.UNREADABLE),
    ("no list", LIST, lambda: (200, {"a": 1}), TagsState.UNREADABLE),
    ("no objects", LIST, lambda: (200, [1, None]), TagsState.UNREADABLE),
    ("no ids", LIST, lambda: (200, [{"object_id": {}, "tag_ids": []}]), TagsState.UNREADABLE),
    ("no session", "login", lambda: (200, {"x": 1}), TagsState.UNREADABLE),
    ("a session with a line break", "login", lambda: (200, "a\r\nb"), TagsState.UNREADABLE),
]


@pytest.mark.parametrize(
    ("call", "change", "expected"), [f[1:] for f in FAILURES], ids=[f[0] for f in FAILURES]
)
def test_what_cannot_be_read_is_unknown_and_counted_by_cause(
    call: str, change: Callable[[], Answer], expected: TagsState
) -> None:
    desk = Desk(FakeServer())
    desk.server.changes[call] = change
    read = desk.read()
    assert tags_of(read) == {}
    assert read.source.tags is expected
    assert not read.source.tags.is_known
    assert desk.heard.rejections == {
        ("tags", state.value): 0 for state in TagsState if not state.is_known
    } | {("tags", expected.value): 4}


def test_a_server_without_either_dialect_is_said_to_have_none() -> None:
    assert Desk(FakeServer("/none")).read().source.tags is TagsState.UNSUPPORTED


def test_after_a_failure_the_server_is_left_alone_for_a_minute() -> None:
    desk = Desk(FakeServer())
    desk.server.changes[LIST] = lambda: (503, b"")
    desk.read()
    asked = len(desk.server.calls)
    desk.server.changes.clear()
    desk.now_s += PAUSE_S - 1
    assert desk.read().source.tags is TagsState.UNREACHABLE
    assert len(desk.server.calls) == asked
    desk.now_s += 1
    assert desk.read().source.tags is TagsState.KNOWN


@pytest.mark.parametrize(
    ("status", "word"), [(503, "http_error"), (302, "http_error"), (403, "fault")]
)
def test_a_no_is_counted_in_the_words_of_every_other_call(status: int, word: str) -> None:
    desk = Desk(FakeServer())
    desk.server.changes[LIST] = lambda: (status, b"")
    desk.read()
    assert word in {result for called, result in desk.heard.requests if called == f"rest:{LIST}"}


def test_a_refused_password_is_not_sent_again() -> None:
    desk = Desk(FakeServer())
    desk.server.changes["login"] = lambda: (401, {})
    for _ in range(5):
        assert desk.read().source.tags is TagsState.REFUSED
        desk.now_s += PAUSE_S
    assert desk.server.calls.count("login") == 1


@pytest.mark.parametrize("status", [403, 404])
def test_a_tag_that_is_not_shown_leaves_the_others_and_a_word(status: int) -> None:
    desk = Desk(FakeServer())
    desk.server.changes["tag/t:2"] = lambda: (status, {})
    read = desk.read()
    assert tags_of(read) == {"vm-1": {"tier:gold"}, "host-2": {"tier:gold"}}
    assert read.source.tags is TagsState.INCOMPLETE


@pytest.mark.parametrize("shown", [[], {"name": 5}, {"name": "x"}, None, "tag"])
def test_a_tag_of_another_shape_leaves_the_others_and_a_word(shown: object) -> None:
    desk = Desk(FakeServer())
    desk.server.changes["tag/t:2"] = lambda: (200, shown)
    read = desk.read()
    assert tags_of(read)["vm-1"] == {"tier:gold"}
    assert read.source.tags is TagsState.INCOMPLETE


def test_tags_that_are_not_asked_for_are_not_said_to_be_absent() -> None:
    heard = HeardRequests()
    read = Tags(None, observer=heard).put_on(SNAP)
    assert read.source.tags is TagsState.OFF


def test_hostile_names_are_kept_as_they_are() -> None:
    desk = Desk(FakeServer())
    name = 'a"b\n\u202e<b>\ud800'
    desk.server.changes["tag/t:1"] = lambda: (200, {"name": name, "category_id": "c:1"})
    assert VmId("vm-1") in desk.read().vm_by_id
    assert desk.read().host_by_id[HostId("host-2")].tags == {f"tier:{name}"}


def test_objects_are_asked_for_in_batches() -> None:
    many = snapshot([host(1)], [vm(n, on=1) for n in range(1, 2_002)])
    desk = Desk(FakeServer())
    assert desk.read(many).source.tags is TagsState.KNOWN
    assert desk.server.calls.count(LIST) == 3


def test_a_logout_that_fails_costs_nothing() -> None:
    desk = Desk(FakeServer())
    desk.server.changes["logout"] = raising(ConnectionResetError())
    assert desk.read().source.tags is TagsState.KNOWN
