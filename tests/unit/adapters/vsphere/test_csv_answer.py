"""The streaming parser of QueryPerf answers: what is no such answer is refused whole."""

from io import BytesIO
from xml.parsers.expat import ExpatError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.vsphere.csv_answer import _parsed, _taken_apart, read_rows
from balancer.adapters.vsphere.leaf_answer import Refused
from balancer.adapters.vsphere.samples import Row

HEAD = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
TAIL = "</e:Body></e:Envelope>"


def answer(inner: str, *, name: str = "QueryPerfResponse", before: str = "") -> BytesIO:
    text = f'{before}{HEAD}<{name} xmlns="urn:vim25">{inner}</{name}>{TAIL}'
    return BytesIO(text.encode("utf-8"))


def series(key: int, value: str, instance: str = "") -> str:
    named = f"<id><counterId>{key}</counterId><instance>{instance}</instance></id>"
    return f"<value>{named}<value>{value}</value></value>"


def entity(key: str, *inner: str) -> str:
    clock = "<sampleInfoCSV>20,2026-11-22T12:00:00Z</sampleInfoCSV>"
    return f'<returnval><entity type="VirtualMachine">{key}</entity>{clock}{"".join(inner)}</returnval>'


def test_entities_are_read_with_their_series() -> None:
    rows = read_rows(
        answer(entity("vm-1", series(7, "1"), series(8, "2", "4000")) + entity("vm-2"))
    )
    clock = "20,2026-11-22T12:00:00Z"
    assert rows == (
        Row(entity="vm-1", clock=clock, series=[("7", "", "1"), ("8", "4000", "2")]),
        Row(entity="vm-2", clock=clock),
    )


def test_an_answer_without_entities_is_one() -> None:
    assert read_rows(answer("")) == ()


def test_unknown_elements_are_passed_over() -> None:
    odd = "<novelty><deep><value>9</value></deep></novelty>"
    rows = read_rows(answer(entity("vm-1", odd, series(7, "1"), "<value><id/></value>")))
    assert rows[0].series == [("7", "", "1"), ("", "", "")]


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        pytest.param(answer("", name="LoginResponse"), Refused, id="another answer"),
        pytest.param(
            answer("", before='<!DOCTYPE e [<!ENTITY a "aaaa">]>'), Refused, id="entities"
        ),
        pytest.param(BytesIO(answer(entity("vm-1")).read()[:-20]), ExpatError, id="cut off"),
        pytest.param(BytesIO(b"<html>busy"), ExpatError, id="no SOAP"),
        pytest.param(BytesIO(b""), ExpatError, id="nothing"),
    ],
)
def test_what_is_no_answer_is_refused(stream: BytesIO, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_rows(stream)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    try:
        rows = read_rows(BytesIO(HEAD.encode() + noise + TAIL.encode()))
    except (Refused, ExpatError):
        return
    assert rows == ()


PIECES = [
    *("<returnval>", "</returnval>", "<entity type='x'>vm-1</entity>", "<entity>vm-2</entity>"),
    *("<sampleInfoCSV>20,t</sampleInfoCSV>", "<value>", "</value>", "<id>", "</id>"),
    *("<counterId>7</counterId>", "<instance></instance>", "<instance/>", "<value>1,2</value>"),
    *("<!-- a -->", "<![CDATA[1]]>", "&#49;", "&amp;", "\n", "\u00e4", "x"),
]
USUAL = [series(7, "1"), series(8, "2,-1,"), series(9, "", "cpu 0"), series(7, "1", "a>b"), "\n"]
INNER = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.lists(
        st.lists(st.sampled_from(USUAL), max_size=4).map(lambda some: entity("vm-1", *some)),
        max_size=3,
    ).map("".join),
)


@given(INNER)
def test_patterns_say_what_the_xml_parser_says(inner: str) -> None:
    try:
        expected: object = _parsed(answer(inner).read())
    except (Refused, ExpatError) as err:
        expected = type(err)
    try:
        found: object = read_rows(answer(inner))
    except (Refused, ExpatError) as err:
        found = type(err)
    assert found == expected


def test_the_usual_form_is_taken_apart_by_patterns_and_another_is_not() -> None:
    usual = entity("vm-1", series(7, "1"), series(8, "2", "4000"))
    for inner, is_usual in ((usual * 2, True), (usual + "\n" + usual, False)):
        rows = _taken_apart(inner, 0, len(inner))
        assert (rows is not None) is is_usual
        assert read_rows(answer(inner)) == _parsed(answer(inner).read())
