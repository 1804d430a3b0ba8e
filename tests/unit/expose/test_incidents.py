"""A failure of the solver that was contained is told everywhere: document, reports, metric."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from balancer.adapters.files.plan_file import parse_plan
from balancer.expose.document import document_text, plan_document
from balancer.expose.report_html import render_html
from balancer.expose.report_markdown import render_markdown
from balancer.expose.report_text import render_text
from balancer.expose.report_view import CONTAINED, INCIDENT_WORDS
from balancer.model.plan import Incident, IncidentKind
from tests.unit.expose.board import Board
from tests.unit.expose.plans import small_plan, small_snapshot

SCHEMA = Path(__file__).resolve().parents[3] / "balancer/schemas/plan.v1.schema.json"
CRASH = Incident(
    stage="polish",
    kind=IncidentKind.CRASHED,
    detail="its process was ended by signal 11 (Segmentation fault)",
)
PLAN = small_plan(incidents=(CRASH, replace(CRASH, stage="repair")))


def test_the_document_carries_them_as_the_schema_says_and_the_reader_takes_them() -> None:
    document = plan_document(PLAN, small_snapshot())
    schema = Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))

    assert [error.message for error in schema.iter_errors(document)] == []
    read = parse_plan(document_text(document).encode(), name="plan")
    assert read["incidents"][0] == {
        "stage": "polish",
        "kind": "crashed",
        "detail": "its process was ended by signal 11 (Segmentation fault)",
    }


def test_a_plan_without_any_has_no_such_key_and_no_such_section() -> None:
    plan, snap = small_plan(), small_snapshot()

    assert "incidents" not in plan_document(plan, snap)
    for render in (render_text, render_markdown, render_html):
        assert "Solver failures" not in render(plan, snap)


@pytest.mark.parametrize("render", [render_text, render_markdown, render_html])
def test_each_report_says_what_happened_and_what_it_means(render) -> None:
    told = " ".join(render(PLAN, small_snapshot()).replace("\\", "").split())

    assert "the solver crashed (polish): its process was ended by signal 11" in told
    assert "the solver crashed (repair)" in told
    assert CONTAINED in told


def test_every_kind_has_its_words() -> None:
    assert set(INCIDENT_WORDS) == set(IncidentKind)


def test_they_are_counted_by_kind_from_zero() -> None:
    board = Board()
    assert board.series("solver_incidents_total") == {(kind.value,): 0.0 for kind in IncidentKind}

    board.show(small_snapshot(), PLAN)
    assert board.value("solver_incidents_total", "crashed") == 2.0
    assert board.value("solver_incidents_total", "hung") == 0.0
