"""One table of every check: ours in their order, then cautions, and vCenter's own last."""

from dataclasses import replace

import jsonschema
import pytest

from balancer.expose.check_rows import SERVER, CheckRow, Outcome, check_rows
from balancer.expose.explain_text import explain_text
from balancer.expose.explain_view import vm_view
from balancer.model.insight import ServerAnswer, TargetInsight
from balancer.model.reasons import Reason, Refusal
from tests.unit.expose.test_explain import OLD, cluster, staying, target

SLOW = Refusal.of(Reason.VMOTION_LINK_SLOW, "esx3 has 1,000 Mb/s for vMotion", host="host-3")
NO = Refusal.of(Reason.DATASTORE, "CannotAccessVmDisk: not mounted", vm="vm-1", host="host-3")
BUSY = Refusal.of(Reason.SERVER_CHECK, "HAErrorsAtDest: agent down", vm="vm-1", host="host-3")


def outcomes(asked: TargetInsight) -> list[tuple[str, Outcome, Reason | None]]:
    return [(row.name, row.now, row.told and row.told.reason) for row in check_rows(asked)]


def test_every_check_has_its_outcome_ours_first_and_the_servers_last() -> None:
    asked = replace(target(3, OLD), cautions=(SLOW,), server=ServerAnswer(refusals=(NO, BUSY)))
    assert outcomes(asked) == [
        ("evc", Outcome.REFUSED, Reason.EVC),
        ("vmotion_link", Outcome.CAUTION, Reason.VMOTION_LINK_SLOW),
        ("vmotion_network", Outcome.PASSED, None),
        ("dirty_rate", Outcome.PASSED, None),
        ("swap_file", Outcome.PASSED, None),
        (SERVER, Outcome.REFUSED, Reason.DATASTORE),
        (SERVER, Outcome.REFUSED, Reason.SERVER_CHECK),
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, []),
        (ServerAnswer(), [CheckRow(name=SERVER, now=Outcome.PASSED)]),
        (
            ServerAnswer(unanswered="no connection"),
            [CheckRow(name=SERVER, now=Outcome.UNANSWERED, unanswered="no connection")],
        ),
        (
            ServerAnswer(warnings=(BUSY,)),
            [CheckRow(name=SERVER, now=Outcome.CAUTION, told=BUSY)],
        ),
    ],
    ids=["not asked", "a yes", "no answer", "a warning"],
)
def test_the_server_is_told_as_it_answered(
    answer: ServerAnswer | None, expected: list[CheckRow]
) -> None:
    rows = check_rows(replace(target(3), server=answer))
    assert [row for row in rows if row.name == SERVER] == expected


def test_the_text_shows_all_of_it_in_one_table_with_the_mends() -> None:
    asked = replace(target(3), cautions=(SLOW,), server=ServerAnswer(refusals=(NO,)))
    text = explain_text(vm_view(staying(asked), cluster(), of_pair=True), width=120)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "vmotion link care esx3 has 1,000 Mb/s for vMotion [vmotion_link_slow]" in lines
    assert "server check no CannotAccessVmDisk: not mounted [datastore]" in lines
    assert "to mend it Mount the datastore on the target. [datastore]" in lines
    assert "vCenter would refuse it: CannotAccessVmDisk: not mounted [datastore]" in lines


def test_a_warning_of_the_server_calls_for_care_and_forbids_nothing() -> None:
    asked = replace(target(3), server=ServerAnswer(warnings=(BUSY,)))
    text = " ".join(
        explain_text(vm_view(staying(asked), cluster(), of_pair=True), width=120).split()
    )
    assert "server check care HAErrorsAtDest: agent down [server_check]" in text
    assert "vCenter would do it, and warns: HAErrorsAtDest: agent down [server_check]" in text


def test_an_answer_that_never_came_is_told_with_its_reason() -> None:
    asked = replace(target(3), server=ServerAnswer(unanswered="no connection"))
    text = explain_text(vm_view(staying(asked), cluster(), of_pair=True), width=120)
    assert "server check ? no connection" in " ".join(text.split())


def test_the_document_carries_every_check_with_outcome_reason_and_mend() -> None:
    from balancer.expose.explain_document import vm_document
    from tests.unit.cli.test_explain import SCHEMA
    from tests.unit.plan.explained import planned, uneven

    snap = uneven()
    asked = replace(target(2, OLD), server=ServerAnswer(unanswered="gone"))
    document = vm_document(staying(asked), planned(snap), snap)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    checks = document["vm"]["targets"][0]["checks"]  # type: ignore[index]
    assert checks[0] | {"mend": ""} == {
        "name": "evc",
        "outcome": "refused",
        "then": "refused",
        "reason": "evc",
        "detail": "esx3: too old",
        "mend": "",
    }
    assert checks[0]["mend"]
    assert checks[-1] == {"name": SERVER, "outcome": "unanswered", "detail": "gone"}
