"""A plan goes into its document and comes back; whatever is changed between is noticed."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.files.plan_values import plan_from_bytes
from balancer.expose.document import document_text, number, plan_document
from balancer.model.digest import plan_digest
from balancer.model.errors import BalancerError
from balancer.model.plan import MoveReason, Plan
from balancer.model.rule import RuleType
from balancer.plan import PlanSettings
from balancer.planner import plan_snapshot
from balancer.policy.types import Policy
from tests.support.builders import host, rule, snapshot, vm

SNAPSHOT = snapshot(
    [host(1), host(2), host(3)],
    [vm(n, on=1, cpu_demand_mhz=6e3, uuid=f"uuid-{n}") for n in range(1, 7)],
    [
        rule("apart", RuleType.ANTI_AFFINITY, [1, 2]),
        rule("soft", RuleType.ANTI_AFFINITY, [3, 4], mandatory=False),
    ],
)
PLAN = plan_snapshot(SNAPSHOT, Policy(), settings=PlanSettings())
DOCUMENT: dict[str, Any] = plan_document(PLAN, SNAPSHOT)


def read(document: dict[str, Any]) -> Plan:
    return plan_from_bytes(document_text(document).encode(), name="the plan")


def test_all_that_is_carried_out_comes_back() -> None:
    back = read(DOCUMENT)
    assert len(PLAN.moves) >= 3
    assert plan_digest(back) == plan_digest(PLAN) == DOCUMENT["digest"]
    assert [_exact(m) for m in back.moves] == [_exact(m) for m in PLAN.moves]
    assert back.rules == PLAN.rules
    assert {mark.name for mark in back.rules} == {"apart", "soft"}
    assert (back.id, back.created_at, back.cluster_id) == (
        PLAN.id,
        PLAN.created_at,
        PLAN.cluster_id,
    )
    assert back.before.violations == PLAN.before.violations
    assert back.before.imbalance == number(PLAN.before.imbalance)


def _exact(move: Any) -> tuple[object, ...]:
    return (
        move.id,
        move.vm,
        move.vm_uuid,
        move.source,
        move.target,
        move.reason,
        move.priority,
        move.after,
    )


def test_a_should_rule_and_a_must_rule_come_back_as_what_they_were() -> None:
    assert {MoveReason.RULE} <= {move.reason for move in PLAN.moves}
    document = deepcopy(DOCUMENT)
    entry = next(e for e in document["moves"] if e["reason"] == "rule" and e["mandatory"])
    entry["mandatory"] = False
    with pytest.raises(BalancerError, match="was changed after it was made"):
        read(document)


def test_a_document_without_digest_is_refused_and_says_how_to_make_one() -> None:
    document = {key: value for key, value in DOCUMENT.items() if key != "digest"}
    with pytest.raises(BalancerError, match=r"has no digest[^$]*balancer plan --config"):
        read(document)


def test_the_same_document_written_otherwise_is_the_same_plan() -> None:
    text = json.dumps(dict(reversed(DOCUMENT.items())), indent=4)
    assert plan_digest(plan_from_bytes(text.encode(), name="x")) == DOCUMENT["digest"]


ONLY_SAID = {
    *("why", "from_name", "to_name", "this_run", "benefit_share", "blocks", "rules"),
    *("low_seconds", "high_seconds", "copy_mib", "stun_seconds"),
    *("risk", "risk_because", "approval"),
}
"""Of a move: for people, or decided anew when the plan is carried out."""


@given(data=st.data())
def test_law_whatever_is_changed_of_what_is_carried_out_is_refused(data: st.DataObject) -> None:
    document = deepcopy(DOCUMENT)
    _change(document, data)
    with pytest.raises(BalancerError):
        read(document)


def _change(document: dict[str, Any], data: st.DataObject) -> None:
    moves = document["moves"]
    place = data.draw(st.integers(0, len(moves) - 1), label="move")
    what = data.draw(st.sampled_from(["field", "drop", "twice", "swap", "cluster", "time", "rule"]))
    match what:
        case "field":
            keys = sorted(moves[place].keys() - ONLY_SAID)
            key = data.draw(st.sampled_from(keys), label="field")
            moves[place][key] = _other(moves[place][key], data)
        case "drop":
            del moves[place]
        case "twice":
            moves.append({**moves[place], "id": "m99"})
        case "swap":
            other = (place + 1) % len(moves)
            moves[place], moves[other] = moves[other], moves[place]
        case "cluster":
            document["cluster"]["id"] += "9"
        case "time":
            document["created_at"] = "2031-01-01T00:00:00Z"
        case "rule":
            document["rules"][0]["mark"] += "0"


def _other(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + data.draw(st.integers(1, 1000))
    if isinstance(value, list):
        return [*value, "m1"]
    return value + data.draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5))
