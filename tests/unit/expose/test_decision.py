"""Why a plan acts or stays quiet, as reports, status, log line, metrics and documents say it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from balancer.expose.decision_document import decision_entry
from balancer.expose.decision_words import (
    BALANCE_WORDS,
    CONTENTION_WORDS,
    decision_lines,
    log_fields,
)
from balancer.expose.metric_samples import decision_samples
from balancer.expose.status_view import status_text
from balancer.model.decision import Answer, Decision, Reading
from tests.support.builders import host, snapshot
from tests.support.decided import DECISION

SNAPSHOT = snapshot([host(1)], [])
ROOT = Path(__file__).parents[3]


def test_the_sentences_tell_the_figures_that_decided() -> None:
    assert tuple(decision_lines(DECISION, SNAPSHOT)) == (
        (
            "Hosts are relieved: esx1 at 91 % of its CPU, swings included, relieved above 85 % "
            "(so in 3 of 3 looks, 2 needed; 88.0 % on average of 15 min)"
        ),
        (
            "Balance is not sought yet: imbalance 6.0 %, sought above 5.0 % and then down to 2.5 % "
            "(so in 1 of 3 looks, 2 needed; 4.0 % on average of 15 min)"
        ),
        (
            "Within 2 h 2 moves for the load change unmet CPU demand 5.00 -> 1.00 GHz h and imbalance "
            "6.0 % -> 3.0 %, and cost 8.0 GiB to copy, 30 s, 0.04 GHz h of CPU on both hosts: worth it "
            "(gain 2,000, price 100 millionths of cost)"
        ),
    )


def test_every_answer_has_a_sentence_for_each_aim() -> None:
    assert CONTENTION_WORDS.keys() == BALANCE_WORDS.keys() == set(Answer)


def test_moves_that_bring_less_than_they_cost_are_not_called_worth_it() -> None:
    assert DECISION.bargain is not None
    poor = replace(DECISION, bargain=replace(DECISION.bargain, gain=5e-5))
    assert (
        "not worth it by the policy's prices (gain 50, price 100"
        in [*decision_lines(poor, SNAPSHOT)][2]
    )


def test_a_cluster_without_hosts_has_a_sentence_too() -> None:
    nothing = Reading(answer=Answer.BELOW_TRIGGER, now=0.0, trigger=0.85, aim=0.85)
    lines = tuple(decision_lines(Decision(contention=nothing, balance=nothing), None))
    assert lines[0] == "No host needs relief: no host serves"


def test_the_log_line_tells_both_answers() -> None:
    assert log_fields(DECISION) == {
        "contention": "acts",
        "contention_now": 0.91,
        "contention_sustained": 1.0,
        "balance": "not_sustained",
        "balance_sustained": 0.333,
        "relief_mhz_h": 4000.0,
        "gain_per_price": 20.0,
    }
    assert log_fields(None) == {}


def test_the_status_shows_the_sentences() -> None:
    told = list(decision_lines(DECISION, SNAPSHOT))
    page = status_text({"clusters": [{"cluster": "prod", "decision": {"told": told}}]}, width=None)
    assert f"  why         {told[0]}\n  why         {told[1]}\n" in page


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("plan_decision", ("contention", "acts"), 1.0),
        ("plan_decision", ("contention", "grave"), 0.0),
        ("plan_decision", ("balance", "not_sustained"), 1.0),
        ("trigger_sustained_ratio", ("contention",), 1.0),
        ("trigger_sustained_ratio", ("balance",), 1 / 3),
        ("plan_predicted_relief_hertz", (), 2e9),
        ("plan_gain_price_ratio", (), 20.0),
    ],
)
def test_metrics_tell_what_was_decided(name: str, labels: tuple[str, ...], value: float) -> None:
    assert values(DECISION)[f"balancer_{name}", labels] == pytest.approx(value)


def test_without_moves_there_is_no_ratio_of_gain_and_price() -> None:
    quiet = values(replace(DECISION, bargain=None))
    assert quiet["balancer_plan_predicted_relief_hertz", ()] == 0.0
    assert ("balancer_plan_gain_price_ratio", ()) not in quiet


def values(decision: Decision) -> Mapping[tuple[str, tuple[str, ...]], float]:
    return {(one.name, one.labels): one.value for one in decision_samples(decision)}


def test_the_document_keeps_to_its_schema() -> None:
    schema = json.loads((ROOT / "balancer/schemas/plan.v1.schema.json").read_text())
    part = schema["properties"]["decision"] | {"$defs": schema["$defs"]}
    entry = decision_entry(DECISION, SNAPSHOT)
    assert list(Draft202012Validator(part).iter_errors(entry)) == []
    answers = schema["$defs"]["reading"]["properties"]["answer"]["enum"]
    assert set(answers) == {answer.value for answer in Answer}
