"""Answers with leaf values: what is read, what is left out and named, and what is refused."""

import io
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyVmomi import vim, vmodl
from pyVmomi.SoapAdapter import SoapResponseDeserializer, SoapStubAdapter

from balancer.adapters.vsphere.facts import Link
from balancer.adapters.vsphere.leaf_answer import LeafPage, Malformed, Refused, read_page
from balancer.adapters.vsphere.leaves import NotALeaf, is_leaf, shape_of

VERSION = "vim.version.v8_0_3_0"
PATHS = ("name", "runtime.host", "vm", "other")


def envelope(body: str, *, method: str = "RetrievePropertiesEx", prologue: str = "") -> bytes:
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>{prologue}"
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'"
        " xmlns:xsd='http://www.w3.org/2001/XMLSchema'"
        " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>"
        f"<s:Body><{method}Response xmlns='urn:vim25'>{body}</{method}Response></s:Body></s:Envelope>"
    ).encode("utf-8", "surrogatepass")


def prop(path: str, word: str, text: str, kind: str = "") -> str:
    of = f" type={quoteattr(kind)}" if kind else ""
    return f"<propSet><name>{path}</name><val{of} xsi:type={quoteattr(word)}>{text}</val></propSet>"


def one(*parts: str, key: str = "vm-1") -> str:
    return f"<objects><obj type='VirtualMachine'>{key}</obj>{''.join(parts)}</objects>"


def read(*objects: str, **options: Any) -> LeafPage:
    body = f"<returnval>{''.join(objects)}</returnval>"
    return read_page(io.BytesIO(envelope(body, **options)), PATHS)


def value(word: str, text: str, kind: str = "") -> Any:
    """Return the one value of an answer, with its class checked against pyVmomi's."""
    (facts,) = read(one(prop("name", word, text, kind))).objects
    return facts.values["name"]


def pyvmomis(word: str, text: str) -> Any:
    body = f"<returnval>{one(prop('name', word, text))}</returnval>"
    stub = SoapStubAdapter(host="nowhere", version=VERSION)
    kind = vmodl.query.PropertyCollector.RetrieveResult
    page = SoapResponseDeserializer(stub).Deserialize(envelope(body), kind)
    return page.objects[0].propSet[0].val


SCALARS = [
    ("xsd:string", "a &lt;b&gt; &amp; &#x202E;c", "a <b> & \u202ec"),
    ("xsd:string", "", ""),
    ("xsd:string", " kept \n ", " kept \n "),
    ("xsd:anyURI", "https://x", "https://x"),
    ("xsd:boolean", "true", True),
    ("xsd:boolean", "0", False),
    ("xsd:int", "-1", -1),
    ("xsd:short", "32767", 32_767),
    ("xsd:long", "9223372036854775807", 2**63 - 1),
    ("xsd:double", "1.5e3", 1500.0),
    ("xsd:float", "INF", float("inf")),
    ("xsd:dateTime", "2026-11-22T12:00:00.25Z", datetime(2026, 11, 22, 12, 0, 0, 250_000, UTC)),
    (
        "xsd:dateTime",
        "2026-11-22T12:00:00.123456789Z",
        datetime(2026, 11, 22, 12, 0, 0, 123_456, UTC),
    ),
    (
        "xsd:dateTime",
        "2026-11-22T12:00:00+05:30",
        datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=5.5))),
    ),
    ("VirtualMachinePowerState", "poweredOn", "poweredOn"),
    ("ArrayOfString", "<string>a</string><string></string>", ["a", ""]),
    ("ArrayOfString", "", []),
    ("ArrayOfInt", "<int>1</int><int>2</int>", [1, 2]),
]


@pytest.mark.parametrize(("word", "text", "expected"), SCALARS, ids=str)
def test_a_value_is_what_pyvmomi_makes_of_it(word: str, text: str, expected: Any) -> None:
    found, theirs = value(word, text), pyvmomis(word, text)
    assert found == expected == theirs
    assert isinstance(theirs, type(found)) or isinstance(found, type(theirs))


def test_references_are_links_with_class_and_id() -> None:
    many = "<ManagedObjectReference type='VirtualMachine'>vm-7</ManagedObjectReference>"
    (facts,) = read(
        one(
            prop("runtime.host", "ManagedObjectReference", "host-2", "vim25:HostSystem"),
            prop("vm", "ArrayOfManagedObjectReference", many * 2),
        )
    ).objects
    assert facts.values["runtime.host"] == Link("HostSystem", "host-2")
    assert (facts.ref("runtime.host"), facts.ref_kind("runtime.host")) == ("host-2", "HostSystem")
    assert facts.values["vm"] == [Link("VirtualMachine", "vm-7")] * 2


BAD = [
    ("xsd:int", "many"),
    ("xsd:int", ""),
    ("xsd:int", "9" * 5_000),
    ("xsd:boolean", "perhaps"),
    ("xsd:dateTime", "yesterday"),
    ("VirtualMachinePowerState", "hibernating"),
    ("VirtualMachineQuickStats", "<overallCpuUsage>1</overallCpuUsage>"),
    ("ArrayOfCustomFieldValue", "<CustomFieldValue><key>1</key></CustomFieldValue>"),
    ("TypeOfTomorrow", "x"),
    ("", "x"),
    ("xsd:string", "a<b>c</b>"),
    ("ManagedObjectReference", "host-1"),
    ("ArrayOfInt", "<int>1</int><int>x</int>"),
    ("ArrayOfManagedObjectReference", "<ManagedObjectReference>vm-1</ManagedObjectReference>"),
]


@pytest.mark.parametrize(("word", "text"), BAD, ids=lambda text: str(text)[:30])
def test_an_object_with_a_bad_value_is_named_and_its_page_goes_on(word: str, text: str) -> None:
    good = prop("name", "xsd:string", "fine")
    bad = one(good, prop("other", word, text), good, key="vm-2")
    page = read(one(good), bad, one(good, key="vm-3"))
    assert [facts.id for facts in page.objects] == ["vm-1", "vm-3"]
    assert [facts.values for facts in page.objects] == [{"name": "fine"}] * 2
    assert page.unreadable == {"vm-2"}


def test_a_property_that_was_not_asked_for_makes_the_object_unreadable() -> None:
    assert read(one(prop("config", "xsd:string", "x"))).unreadable == {"vm-1"}


def test_what_the_server_does_not_show_is_denied_by_path() -> None:
    fault = "<fault><fault xsi:type='NoPermission'><name>x</name><path>y</path></fault></fault>"
    missing = f"<missingSet><path>other</path>{fault}</missingSet>"
    (facts,) = read(one(prop("name", "xsd:string", "a"), missing)).objects
    assert (facts.denied, facts.values) == ({"other"}, {"name": "a"})


def test_a_session_that_ended_is_not_taken_for_a_missing_right() -> None:
    fault = "<fault><fault xsi:type='NotAuthenticated'/></fault>"
    with pytest.raises(vim.fault.NotAuthenticated):
        read(one(f"<missingSet><path>name</path>{fault}</missingSet>"))


def test_a_page_tells_where_it_goes_on() -> None:
    body = f"<returnval><token>7</token>{one()}</returnval>"
    page = read_page(io.BytesIO(envelope(body, method="ContinueRetrievePropertiesEx")), PATHS)
    assert (page.token, len(page.objects)) == ("7", 1)


def test_an_empty_answer_is_an_empty_page() -> None:
    page = read_page(io.BytesIO(envelope("")), PATHS)
    assert page == LeafPage(objects=(), unreadable=frozenset(), token="")


def test_text_that_arrives_in_pieces_is_one_value() -> None:
    class Dripping(io.BytesIO):
        def read(self, amount: int | None = None) -> bytes:
            return super().read(1)

    long = "ä&amp;" * 9_000
    body = f"<returnval>{one(prop('name', 'xsd:string', long))}</returnval>"
    (facts,) = read_page(Dripping(envelope(body)), PATHS).objects
    assert facts.values["name"] == "ä&" * 9_000


@pytest.mark.parametrize("text", ["\x00", "&#0;", "&#xD800;", "\x1b", "\ud800", "<", "&nbsp;"])
def test_what_is_not_xml_is_told(text: str) -> None:
    with pytest.raises(ExpatError):
        read(one(prop("name", "xsd:string", text)))


BOMB = "<!DOCTYPE a [<!ENTITY a 'xx'><!ENTITY b '&a;&a;&a;&a;'>]>"


@pytest.mark.parametrize(
    ("prologue", "text"),
    [(BOMB, "&b;"), ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'>", "x")],
    ids=["bomb", "external"],
)
def test_a_document_type_is_refused(prologue: str, text: str) -> None:
    with pytest.raises(Refused, match="document type"):
        read(one(prop("name", "xsd:string", text)), prologue=prologue)


@pytest.mark.parametrize(
    "answer", [b"<html/>", envelope("", method="CurrentTime")], ids=["html", "another method"]
)
def test_something_else_is_refused(answer: bytes) -> None:
    with pytest.raises(Refused, match="not one of the property collector"):
        read_page(io.BytesIO(answer), PATHS)


def test_a_truncated_answer_is_told() -> None:
    whole = envelope(f"<returnval>{one(prop('name', 'xsd:string', 'a'))}</returnval>")
    with pytest.raises(ExpatError):
        read_page(io.BytesIO(whole[:-20]), PATHS)


def test_an_object_without_an_id_is_told() -> None:
    with pytest.raises(Malformed):
        read("<objects></objects>")


XML_TEXT = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff")
)


@given(XML_TEXT)
def test_any_text_survives_the_way_over_xml(text: str) -> None:
    assert value("xsd:string", escape(text)) == text


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_any_whole_number_survives(number: int) -> None:
    assert value("xsd:long", str(number)) == number


@given(st.floats(allow_nan=False))
def test_any_number_survives(number: float) -> None:
    assert value("xsd:double", repr(number)) == number


@given(st.datetimes(timezones=st.just(UTC)))
def test_any_instant_survives(moment: datetime) -> None:
    assert value("xsd:dateTime", moment.isoformat().replace("+00:00", "Z")) == moment


WORDS = st.sampled_from([word for word, _, _ in SCALARS] + [word for word, _ in BAD])


@given(WORDS, XML_TEXT)
def test_whatever_the_text_an_object_is_read_as_pyvmomi_does_or_named(word: str, text: str) -> None:
    page = read(one(prop("name", word, escape(text))))
    assert len(page.objects) + len(page.unreadable) == 1
    if page.objects and not word.startswith("ArrayOf"):
        found, expected = page.objects[0].values["name"], pyvmomis(word, escape(text))
        assert found == expected or (found != found and expected != expected)  # noqa: PLR0124, NaN


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=900))
def test_damage_anywhere_is_told_and_raises_nothing_else(noise: bytes, at: int) -> None:
    whole = envelope(f"<returnval>{one(prop('name', 'xsd:string', 'a'))}</returnval>")
    damaged = whole[:at] + noise + whole[at + len(noise) :]
    try:
        page = read_page(io.BytesIO(damaged), PATHS)
    except (ExpatError, Refused, Malformed, vim.fault.NotAuthenticated):
        return
    assert len(page.objects) + len(page.unreadable) <= 1


@pytest.mark.parametrize("word", ["VirtualMachineSummary", "anyType", "x:y:z", ""])
def test_a_structure_has_no_shape(word: str) -> None:
    with pytest.raises(NotALeaf):
        shape_of(word)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("runtime.host", True),
        ("datastore", True),
        ("disabledMethod", True),
        ("runtime.bootTime", True),
        ("config.cpuAffinity.affinitySet", True),
        ("customValue", False),
        ("config.hardware.device", False),
        ("summary", False),
        ("no.such.path", False),
    ],
)
def test_leaf_paths_are_told_from_structures(path: str, expected: bool) -> None:
    assert is_leaf(vim.VirtualMachine, path) is expected
