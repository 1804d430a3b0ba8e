"""What of a policy has no effect is told in every form of a plan."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from balancer.adapters.files.plan_file import parse_plan
from balancer.expose.document import document_text, plan_document
from balancer.expose.report_html import render_html
from balancer.expose.report_markdown import render_markdown
from balancer.expose.report_text import render_text
from tests.unit.expose.plans import small_plan, small_snapshot

SCHEMA = Path(__file__).resolve().parents[3] / "balancer/schemas/plan.v1.schema.json"
NOTE = "site.yaml:7:3: rule 'web' selects no VM"
PLAN = small_plan(notes=(NOTE,))


def test_the_document_carries_them_as_the_schema_says_and_the_reader_takes_them() -> None:
    document = plan_document(PLAN, small_snapshot())
    schema = Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))

    assert [error.message for error in schema.iter_errors(document)] == []
    assert parse_plan(document_text(document).encode(), name="plan")["notes"] == [NOTE]
    assert "notes" not in plan_document(small_plan(), small_snapshot())


@pytest.mark.parametrize("render", [render_text, render_markdown, render_html])
def test_each_report_tells_them_where_there_are_some(render) -> None:
    told = " ".join(render(PLAN, small_snapshot()).replace("\\", "").split())
    assert "Policy notes" in told
    assert "selects no VM" in told
    assert "Policy notes" not in render(small_plan(), small_snapshot())
