"""The doctor's findings as text and as JSON."""

import json
from pathlib import Path

import jsonschema
import pytest

from balancer.expose.doctor_document import doctor_document
from balancer.expose.doctor_text import doctor_text
from balancer.expose.document import document_text
from balancer.expose.escape import cells
from balancer.model.checkup import Unread
from balancer.model.finding import Check, Diagnosis, Finding, Outcome
from tests.support import builders, checkups

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "balancer/schemas/doctor.v1.schema.json").read_text("utf-8")
)
GONE = Unread("there was no connection", is_consequence=True)
NO_LOGIN = Unread("there was no login", is_consequence=True)


def unreachable() -> Diagnosis:
    return checkups.diagnosis(
        certificate=Unread("connection refused", "Check the address."),
        server=GONE,
        clock=NO_LOGIN,
        rights=NO_LOGIN,
        cluster_names=NO_LOGIN,
        snapshot=NO_LOGIN,
        setups=NO_LOGIN,
    )


def with_finding(finding: Finding) -> Diagnosis:
    return Diagnosis(vcenter="vc1", address="vc1:443", user="balancer", findings=(finding,))


def advice(**facts: object) -> Finding:
    given = {"check": Check.VMOTION_MIXED_SPEED, "outcome": Outcome.ADVICE, "found": "a difference"}
    return Finding(**(given | {"mend": "Level it."} | facts))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [80, 81, 100, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    names = tuple(f"a-host-with-a-long-name-{n}.example.com" for n in range(40))
    found = [checkups.diagnosis(), unreachable(), with_finding(advice(objects=names))]
    text = doctor_text(found, width=width)
    assert max(cells(line) for line in text.splitlines()) <= width


def test_each_check_has_its_line_with_outcome_name_and_words() -> None:
    lines = doctor_text([checkups.diagnosis()], width=100).splitlines()
    assert lines[0] == "vCenter vc1 (vc1.example.com:443) as balancer"
    assert "  ok         login               user name and password are right" in lines
    assert "cluster prod, mode automatic" in lines
    assert lines[-1].startswith("0 problems, 0 pieces of advice, 0 unchecked, ")


def test_what_to_do_stands_below_and_the_names_between() -> None:
    text = doctor_text([with_finding(advice(objects=("esx1", "esx2")))])
    assert text.splitlines()[1:4] == [
        "  advice     vmotion_mixed_speed  a difference",
        "                                  esx1, esx2",
        "                                  -> Level it.",
    ]


def test_many_names_are_counted() -> None:
    names = tuple(f"h{n}" for n in range(12))
    assert "h7 and 4 more" in doctor_text([with_finding(advice(objects=names))])


def test_checks_that_were_not_made_for_one_reason_share_it() -> None:
    text = doctor_text([unreachable()])
    vcenter, _, cluster = text.partition("cluster prod")
    assert vcenter.count("there was no connection") == 1
    assert vcenter.count("there was no login") == 1
    assert cluster.count("there was no login") == 1
    for check in ("login", "api_version", "clock", "privileges_missing", "clusters"):
        assert check in vcenter


def test_colour_is_left_out_unless_it_is_wanted() -> None:
    found = [with_finding(advice())]
    assert "\x1b" not in doctor_text(found)
    assert "\x1b[33madvice" in doctor_text(found, color=True)


def test_a_hostile_name_does_no_harm() -> None:
    found = [with_finding(advice(objects=("esx\x1b[2J\n\u202e1",), found="<b>\x07"))]
    text = doctor_text(found)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\x07" not in text
    assert doctor_text(found, ascii_only=True).isascii()


@pytest.mark.parametrize("found", [checkups.diagnosis(), unreachable()], ids=["well", "gone"])
def test_the_document_is_as_published(found: Diagnosis) -> None:
    document = doctor_document([found], checked_at=builders.NOON)
    jsonschema.validate(document, SCHEMA)
    assert json.loads(document_text(document)) == document
    assert document["checked_at"] == "2026-11-22T12:00:00Z"


def test_the_document_counts_outcomes_and_keeps_every_name() -> None:
    names = tuple(f"h{n}" for n in range(12))
    document = doctor_document([with_finding(advice(objects=names))], checked_at=builders.NOON)
    assert document["summary"] == {"ok": 0, "advice": 1, "problem": 0, "unchecked": 0}
    (vcenter,) = document["vcenters"]  # type: ignore[misc]
    assert vcenter["findings"][0]["objects"] == list(names)


def test_the_words_of_the_schema_are_those_of_the_model() -> None:
    finding = SCHEMA["$defs"]["finding"]["properties"]
    assert finding["check"]["enum"] == [check.value for check in Check]
    assert finding["outcome"]["enum"] == [outcome.value for outcome in Outcome]
