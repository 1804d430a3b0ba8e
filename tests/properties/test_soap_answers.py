"""Whatever bytes a server answers with, a read ends in facts or in an error of ours."""

import io
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyVmomi import vim

from balancer.adapters.vsphere import VsphereSettings
from balancer.adapters.vsphere.csv_answer import read_rows
from balancer.adapters.vsphere.guard import LoginGuard
from balancer.adapters.vsphere.leaf_answer import Stream, read_page
from balancer.adapters.vsphere.migrator import VsphereMigrator
from balancer.adapters.vsphere.reading import ReadClient
from balancer.adapters.vsphere.retrieve import Retrieved, Wanted, reference, retrieve_these
from balancer.adapters.vsphere.session import Opened, Session
from balancer.adapters.vsphere.stub import NotServed, WatchedStub
from balancer.adapters.vsphere.transport import tls_context
from balancer.adapters.vsphere.versions import NoCommonVersion, newest_common
from balancer.model.errors import SourceError, SubmitRefused, SubmitUnknown
from balancer.model.outcome import MigrationOrder
from balancer.model.plan import Priority
from balancer.model.units import HostId, VmId
from tests.support.searching import examples
from tests.support.vsphere import HeardRequests

WANTED = Wanted(
    kind=vim.VirtualMachine,
    paths=(
        "name",
        "runtime.powerState",
        "runtime.host",
        "runtime.bootTime",
        "config.hardware.numCPU",
    ),
)
ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope'
    ' xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{}</soapenv:Body>'
    "</soapenv:Envelope>"
)
PAGE = ENVELOPE.format(
    '<RetrievePropertiesExResponse xmlns="urn:vim25"><returnval><objects>'
    '<obj type="VirtualMachine">vm-1</obj>'
    '<propSet><name>name</name><val xsi:type="xsd:string">web &amp; co</val></propSet>'
    '<propSet><name>runtime.powerState</name><val xsi:type="VirtualMachinePowerState">poweredOn'
    "</val></propSet>"
    '<propSet><name>runtime.host</name><val type="HostSystem" xsi:type="ManagedObjectReference">'
    "host-1</val></propSet>"
    '<propSet><name>runtime.bootTime</name><val xsi:type="xsd:dateTime">2026-01-01T00:00:00Z</val>'
    "</propSet>"
    '<propSet><name>config.hardware.numCPU</name><val xsi:type="xsd:int">4</val></propSet>'
    "<missingSet><path>config.name</path><fault><fault xsi:type='NoPermission'>"
    '<object type="VirtualMachine">vm-1</object><privilegeId>System.Read</privilegeId></fault>'
    "<localizedMessage>no</localizedMessage></fault></missingSet>"
    "</objects></returnval></RetrievePropertiesExResponse>"
).encode()
TASK = ENVELOPE.format(
    '<RelocateVM_TaskResponse xmlns="urn:vim25"><returnval type="Task">task-9</returnval>'
    "</RelocateVM_TaskResponse>"
).encode()
CLOCK = ENVELOPE.format(
    '<CurrentTimeResponse xmlns="urn:vim25"><returnval>2026-01-01T00:00:00Z</returnval>'
    "</CurrentTimeResponse>"
).encode()

WORDS = [
    b"", b"<", b">", b"&", b"\0", b"\xff\xfe", b"xsi:type", b'"', b"</val>", b"<val>", b"xsd:int",
    b"xsd:float", b"vim25", b"NaN", b"99999999999999999999", b"-1", b"\xed\xa0\x80", b"&#0;",
    b"HostSystem", b"ArrayOfInt", b"<!-- -->", b"<![CDATA[x]]>", b"<?x?>", b"poweredSideways",
    b"\xe2\x80\xae", b"Fault", b"<returnval/>", b"xsi:nil='true'", b"DynamicData", b"MethodFault",
]  # fmt: skip


class Answer(io.BytesIO):
    """One HTTP answer, as far as pyVmomi looks at it."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body)
        self.status, self.reason = status, "Said"

    def getheader(self, name: str, default: str | None = None) -> str | None:
        return default


class Connection:
    """Gives the same answer to every call; another one to the clock."""

    sock = None

    def __init__(self, status: int, body: bytes) -> None:
        self._status, self._body, self._asks_clock = status, body, False

    def connect(self) -> None:
        """Connect to nothing."""

    def close(self) -> None:
        """Close nothing."""

    def request(self, verb: str, path: str, body: bytes, headers: object) -> None:
        self._asks_clock = b"CurrentTime" in body

    def getresponse(self) -> Answer:
        return Answer(200, CLOCK) if self._asks_clock else Answer(self._status, self._body)


def session_with(status: int, body: bytes, heard: HeardRequests) -> Session:
    """Return a session that is logged in at a server which always answers the same."""
    facts = VsphereSettings(name="vc", host="vc.example", username="u", password="p")
    made = Session(facts, guard=LoginGuard(), observer=heard, timeout_s=60.0)
    stub: Any = WatchedStub(
        facts, CONTEXT, version="vim.version.v8_0_3_0", timeout_s=60.0, observer=heard
    )
    stub.scheme = lambda **_: Connection(status, body)
    opened = Opened(
        stub=stub,
        content=vim.ServiceInstanceContent(
            propertyCollector=vim.PropertyCollector("collector", stub)
        ),
        sessions=vim.SessionManager("sessions", stub),
        version="vim.version.v8_0_3_0",
        instance_uuid="uuid",
        api_version="8.0.3.0",
    )
    made._opened = opened
    made.renewed = lambda dead: opened  # type: ignore[method-assign]
    return made


CONTEXT = tls_context(VsphereSettings(name="vc", host="vc.example", username="u", password="p"))


def read(status: int, body: bytes) -> tuple[Retrieved | None, HeardRequests]:
    heard = HeardRequests()
    client = ReadClient(session_with(status, body, heard), sleep=lambda _: None)

    def work(opened: Opened) -> Retrieved:
        ref = reference(opened, vim.VirtualMachine, "vm-1")
        return retrieve_these(opened, [ref], WANTED, page_size=10)

    try:
        return client.run("read the VMs", work), heard
    except SourceError as err:
        is_ours = str(err).startswith("Could not read the VMs at vCenter vc")
    assert is_ours
    return None, heard


@st.composite
def spoilt(draw: st.DrawFn, sound: bytes) -> bytes:
    """Draw an answer with up to four pieces replaced, removed or repeated."""
    body = sound
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(start + 60, len(body))))
        piece = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)))
        twice = body[start:end] if draw(st.booleans()) else b""
        body = body[:start] + piece + twice + twice + body[end:]
    return body


@pytest.mark.parametrize("parse", [partial(read_page, paths=("name",)), read_rows])
def test_an_answer_to_another_question_is_one_word_whoever_parses_it(
    parse: Callable[[Stream], object],
) -> None:
    heard = HeardRequests()
    opened = session_with(200, PAGE, heard).opened()
    clock: Any = vim.ServiceInstance.CurrentTime
    with pytest.raises(NotServed):
        opened.stub.parsed(opened.service(), clock.info, (), parse)
    assert heard.requests == {("CurrentTime", "http_error"): 1}


def test_a_sound_answer_is_read() -> None:
    found, heard = read(200, PAGE)
    assert found is not None
    (facts,) = found.objects
    assert (facts.text("name"), facts.count("config.hardware.numCPU")) == ("web & co", 4)
    assert heard.requests == {("RetrievePropertiesEx", "ok"): 1}


@examples(400)
@given(body=spoilt(PAGE), status=st.sampled_from([200, 200, 200, 500, 503]))
def test_a_spoilt_answer_ends_in_facts_or_in_an_error_of_ours(body: bytes, status: int) -> None:
    found, heard = read(status, body)
    results = {result for (_, result), count in heard.requests.items() if count}
    assert results
    if found is None:
        assert results & {"fault", "unreadable", "http_error"}


@examples(300)
@given(
    body=st.one_of(spoilt(TASK), spoilt(PAGE), st.binary(max_size=200)),
    status=st.sampled_from([200, 500]),
)
def test_a_spoilt_answer_to_a_submit_is_never_taken_for_not_sent(body: bytes, status: int) -> None:
    heard = HeardRequests()
    migrator = VsphereMigrator(session_with(status, body, heard))
    order = MigrationOrder(
        vm=VmId("vm-1"), vm_name="vm1", target=HostId("host-2"), priority=Priority.DEFAULT
    )
    with suppress(SubmitUnknown, SubmitRefused):
        assert migrator.submit(order)
    assert sum(n for (method, _), n in heard.requests.items() if method == "RelocateVM_Task") == 1


@examples(300)
@given(
    body=spoilt(
        b'<?xml version="1.0"?><namespaces version="1.0"><namespace><name>urn:vim25</name>'
        b"<version>8.0.3.0</version><priorVersions><version>7.0</version></priorVersions>"
        b"</namespace></namespaces>"
    )
)
def test_a_spoilt_list_of_versions_is_refused_or_understood(body: bytes) -> None:
    with suppress(NoCommonVersion):
        assert newest_common(body).startswith("vim.version.")
