"""Reports, documents and metrics say the mode in force, and what holds it there."""

from typing import Any

import pytest

from balancer.expose.document import plan_document
from balancer.expose.headline import run_note
from balancer.expose.metrics import Metrics
from balancer.expose.report_markdown import render_markdown
from balancer.expose.report_text import render_text
from balancer.model.events import PlanMade
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.policy.mode import Mode
from balancer.policy.types import Policy
from tests.support.fakes import FakeClock
from tests.unit.expose.plans import small_plan, small_snapshot

CLOSED = Refusal.of(Reason.WINDOW_CLOSED, "window 'nights' opens 2026-11-27 22:00 Europe/Zurich")


def held(mode: Mode, because: Refusal | None = CLOSED) -> Plan:
    return small_plan(mode=mode.value, mode_because=because)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (Mode.OBSERVE, "Nothing is moved now"),
        (Mode.MANUAL, "Nothing is moved now that nobody approved"),
        (Mode.PARTIAL, "Only evacuations and rule repairs are made now"),
    ],
)
def test_the_reports_say_what_is_done_now_and_why(mode: Mode, words: str) -> None:
    plan, snap = held(mode), small_snapshot()
    said = f"{words}: {CLOSED.detail}."

    assert run_note(plan).startswith(said)
    assert "opens 2026-11-27 22:00" in " ".join(render_text(plan, snap).split())
    assert words in render_markdown(plan, snap)


def test_automatic_mode_needs_no_words() -> None:
    free = held(Mode.AUTOMATIC, None)

    assert run_note(free) == run_note(small_plan())


@pytest.mark.parametrize(
    ("plan", "mode"),
    [
        (held(Mode.AUTOMATIC, None), {"in_force": "automatic"}),
        (
            held(Mode.PARTIAL),
            {"in_force": "partial", "reason": "window_closed", "detail": CLOSED.detail},
        ),
    ],
    ids=["automatic", "held"],
)
def test_the_document_has_the_mode(plan: Plan, mode: dict[str, Any]) -> None:
    assert plan_document(plan, small_snapshot())["mode"] == mode


def test_the_metric_follows_the_last_plan_and_ends_with_its_cluster() -> None:
    metrics = Metrics(FakeClock())
    cluster = metrics.for_cluster("vc1", "prod", policy=Policy(), mode=Mode.AUTOMATIC)

    cluster.tell(PlanMade(plan=held(Mode.PARTIAL)))

    page = metrics.page()[0].decode()
    name = 'balancer_cluster_mode_in_force{cluster="prod",mode="'
    assert f'{name}partial",vcenter="vc1"}} 1.0' in page
    assert f'{name}automatic",vcenter="vc1"}} 0.0' in page
    metrics.keep_clusters([])
    assert name not in metrics.page()[0].decode()
