"""The certificate in documents and reports: every figure where it is known, a note where it is not."""

import json
from dataclasses import replace
from pathlib import Path

from jsonschema import Draft202012Validator

from balancer.adapters.files.plan_file import parse_plan
from balancer.expose.certificate_text import certificate_lines
from balancer.expose.document import document_text, plan_document
from balancer.expose.report_html import render_html
from balancer.expose.report_markdown import render_markdown
from balancer.expose.report_text import render_text
from balancer.model.certificate import Certificate
from balancer.model.plan import Plan
from tests.unit.expose.plans import plan, small_plan, small_snapshot

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "balancer/schemas/plan.v1.schema.json").read_text("utf-8")
)

FULL = Certificate(
    cost=0.0001,
    imbalance=0.008,
    gap=0.035,
    level=0.01,
    is_calm=True,
    price=0.00026,
    bound_price=0.0002,
    seconds=3512.0,
    bound_seconds=2789.0,
    makespan_bound_seconds=70.0,
    makespan_ideal_seconds=65.0,
)

EMPTY = Certificate(
    cost=None,
    imbalance=None,
    gap=None,
    level=None,
    is_calm=False,
    price=0.0,
    bound_price=None,
    seconds=0.0,
    bound_seconds=None,
    notes=("a bound is left out: it could not be computed within its limits",),
)


def certified(bound: Certificate) -> Plan:
    return replace(small_plan(), bound=bound)


def test_the_sentences_say_what_no_plan_can_beat_and_what_this_one_comes_to() -> None:
    assert certificate_lines(certified(FULL)) == (
        "No placement can be more level than 0.8 pp; this plan reaches 5.4 pp.",
        "Of the possible fall in cost (contention and imbalance) it attains 96 %.",
        (
            "Cheapest conceivable way to at most 1.0 pp and no host above its thresholds: 2,789 s "
            "of copying; this plan: 3,512 s, 1.26 times. By the policy's price of moves: 1.30 times."
        ),
        (
            "If each takes as long as predicted, no order of these moves ends before 70 s; "
            "this one takes 94 s, 1.34 times. "
            "It is not proven the fastest."
        ),
    )


def test_the_fastest_order_is_called_so() -> None:
    bound = replace(FULL, makespan_bound_seconds=120.0, is_fastest=True)
    assert certificate_lines(certified(bound))[-1] == (
        "If each takes as long as predicted, no order of these moves ends before 120 s, "
        "nor does this one take longer: "
        "it is proven the fastest."
    )


def test_what_could_not_be_computed_is_said_instead_of_a_number() -> None:
    (line,) = certificate_lines(certified(EMPTY))
    assert line == "Note: a bound is left out: it could not be computed within its limits."


def test_all_of_it_is_never_claimed_where_something_is_left() -> None:
    lines = certificate_lines(certified(replace(FULL, gap=0.000_001)))
    assert "attains more than 99.99 %." in lines[1]


def test_a_plan_that_nobody_certified_says_nothing() -> None:
    assert certificate_lines(small_plan()) == ()
    assert "bound" not in plan_document(small_plan(), small_snapshot())


def test_a_quiet_plan_tells_how_level_the_cluster_is() -> None:
    quiet = replace(plan(small_snapshot()), bound=FULL)
    assert certificate_lines(quiet)[0].endswith("; as it stands it has 29 pp.")
    assert len(certificate_lines(quiet)) == 2


def test_the_document_fits_the_schema_and_our_reader_with_and_without_figures() -> None:
    for bound in (FULL, EMPTY):
        document = plan_document(certified(bound), small_snapshot())
        Draft202012Validator(SCHEMA).validate(document)
        entry = parse_plan(document_text(document).encode(), name="p")["bound"]
        assert entry["calm"] is bound.is_calm
        assert ("cost" in entry) is (bound.cost is not None)
        assert ("fastest" in entry) is (bound.makespan_bound_seconds is not None)
    assert document["bound"] == {
        "plan_price": 0.0,
        "plan_seconds": 0.0,
        "calm": False,
        "notes": list(EMPTY.notes),
    }


def test_every_report_has_the_certificate() -> None:
    made, snap = certified(FULL), small_snapshot()
    for report in (render_text(made, snap), render_markdown(made, snap), render_html(made, snap)):
        flat = " ".join(report.split())
        assert "Certificate" in flat
        assert "2,789 s of copying" in flat
        assert "not proven the fastest" in flat
