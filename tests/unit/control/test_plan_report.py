"""The report of a kept plan: as it was when the plan was made, whatever became of the cluster since."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from balancer.api.plan_report import html_report, markdown_report, text_report
from balancer.board import NOTHING_SEEN, Seen
from balancer.expose.report_html import html_of
from balancer.expose.report_markdown import markdown_of
from balancer.expose.report_text import text_of
from balancer.expose.report_view import report_view
from balancer.expose.text_layout import Paper
from balancer.keeping import KEPT, stored
from balancer.model.control import StoredPlan
from balancer.model.errors import BalancerError
from tests.support.journal import SHARD
from tests.unit.expose.reported import every_reason


def kept() -> StoredPlan:
    plan, snapshot, policy = every_reason()
    return stored(plan, snapshot, SHARD, policy=policy)


def as_text(plan: StoredPlan, seen: Seen) -> str:
    return text_report(plan, seen, 100)


@pytest.mark.parametrize(
    ("render", "form"),
    [
        (as_text, lambda view: text_of(view, Paper())),
        (markdown_report, markdown_of),
        (html_report, html_of),
    ],
    ids=["text", "markdown", "html"],
)
def test_a_kept_plan_is_shown_as_it_was_made(
    render: Callable[[StoredPlan, Seen], str], form: Callable[..., str]
) -> None:
    plan, snapshot, policy = every_reason()
    assert render(kept(), NOTHING_SEEN) == form(report_view(plan, snapshot, policy, origin=KEPT))


def test_a_plan_that_an_older_version_kept_is_shown_by_its_moves() -> None:
    document = json.loads(kept().document)
    del document["report"]
    old = replace(kept(), document=json.dumps(document))
    text = as_text(old, NOTHING_SEEN)
    assert text.startswith("Plan: 9 moves in 3 waves")
    assert "app-01" in text
    assert "Policy         not known" in text


def test_a_report_that_was_damaged_is_refused_with_what_is_left() -> None:
    document = json.loads(kept().document) | {"report": {"headline": 1}}
    with pytest.raises(BalancerError, match="Its moves can still be read as JSON"):
        html_report(replace(kept(), document=json.dumps(document)), NOTHING_SEEN)
