"""The plan v1 document: true to its schema, the same bytes for the same plan, safe with any name."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from balancer.expose.document import document_text, number, plan_document
from balancer.expose.refusal_groups import (
    MOST_GROUPS_PER_REASON,
    group_by_reason,
    group_refusals,
)
from balancer.model.plan import Plan
from balancer.model.reasons import Reason, Refusal
from balancer.model.snapshot import Snapshot
from tests.support.builders import NOON
from tests.unit.expose.plans import (
    big_plan,
    big_snapshot,
    hostile,
    plan,
    small_plan,
    small_snapshot,
)

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "balancer/schemas/plan.v1.schema.json").read_text("utf-8")
)


def formats() -> FormatChecker:
    checker = FormatChecker(formats=())

    @checker.checks("date-time", raises=ValueError)
    def is_date_time(value: object) -> bool:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None

    return checker


VALIDATOR = Draft202012Validator(SCHEMA, format_checker=formats())


def everyday() -> tuple[Plan, Snapshot]:
    return small_plan(), small_snapshot()


def big() -> tuple[Plan, Snapshot]:
    snap = big_snapshot()
    return big_plan(snap), snap


def quiet() -> tuple[Plan, Snapshot]:
    snap = small_snapshot()
    return plan(snap), snap


@pytest.mark.parametrize("case", [everyday, big, quiet, hostile], ids=lambda case: case.__name__)
def test_every_document_is_true_to_the_schema(case) -> None:
    problems = [error.message for error in VALIDATOR.iter_errors(plan_document(*case()))]
    assert problems == []


def test_the_schema_check_notices_a_wrong_time_and_a_wrong_word() -> None:
    document = plan_document(*everyday()) | {"created_at": "yesterday", "status": "perfect"}
    assert len(list(VALIDATOR.iter_errors(document))) == 2


def test_a_document_survives_the_way_through_json() -> None:
    document = plan_document(*everyday())
    assert json.loads(document_text(document)) == document


def test_the_same_plan_gives_the_same_bytes_but_for_times() -> None:
    first, snap = everyday()
    later = replace(
        first,
        created_at=NOON + timedelta(hours=1),
        snapshot_taken_at=NOON + timedelta(hours=1),
        stage_seconds=MappingProxyType({"search": 99.0}),
        refusals=tuple(reversed(first.refusals)),
    )
    times = ("created_at", "snapshot_taken_at", "elapsed_seconds", "digest", "report")
    one, other = (
        document_text({k: v for k, v in plan_document(p, snap).items() if k not in times})
        for p in (first, later)
    )
    assert one == other


def test_moves_carry_ids_under_from_and_to_and_names_beside_them() -> None:
    move = plan_document(*everyday())["moves"][0]  # type: ignore[index]
    assert (move["from"], move["from_name"]) == ("host-4", "esx4")
    assert (move["to"], move["to_name"]) == ("host-3", "esx3")
    assert move["why"] == "esx4 is entering maintenance"


def test_the_budget_of_this_run_is_shown_move_by_move() -> None:
    moves = plan_document(*everyday())["moves"]
    assert [move["this_run"] for move in moves] == [True, True, True, False]  # type: ignore[union-attr]


def test_elapsed_seconds_add_up() -> None:
    assert plan_document(*everyday())["elapsed_seconds"] == {
        "total": 1.5,
        "search": 1.25,
        "sequence": 0.25,
    }


def test_a_quiet_plan_says_why_and_a_plan_with_moves_needs_no_reason() -> None:
    assert plan_document(*quiet())["reason"] == "nothing to do"
    assert "reason" not in plan_document(*big())


def test_a_document_is_pure_ascii_whatever_the_names_are() -> None:
    text = document_text(plan_document(*hostile()))
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text)["moves"][3]["from_name"] == "\x1b[2J\x1b[31mred\x07"


def test_a_figure_that_is_no_number_is_never_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        document_text({"cost": number(float("nan"))})


def test_rounding_hides_the_last_bits_and_the_sign_of_zero() -> None:
    assert number(0.1 + 0.2) == 0.3
    assert str(number(-0.0)) == "0.0"


def test_pairs_of_one_vm_become_one_group_with_its_hosts() -> None:
    pairs = [Refusal.of(Reason.EVC, f"h{n}", vm="vm-1", host=f"host-{n}") for n in (2, 1)]
    (group,) = group_refusals(pairs)
    assert group.hosts == ("host-1", "host-2")
    assert (group.count, group.detail) == (2, "for example h1")


def test_one_detail_is_kept_as_it_is() -> None:
    same = [Refusal.of(Reason.EVC, "needs x", vm="vm-1", host=f"host-{n}") for n in (1, 2)]
    assert group_refusals(same)[0].detail == "needs x"


@pytest.mark.parametrize(
    ("vms", "groups"),
    [
        pytest.param(MOST_GROUPS_PER_REASON, MOST_GROUPS_PER_REASON, id="few stand alone"),
        pytest.param(MOST_GROUPS_PER_REASON + 1, 1, id="many become one"),
    ],
)
def test_a_reason_with_many_vms_becomes_one_group(vms: int, groups: int) -> None:
    refusals = [Refusal.of(Reason.USB_DEVICE, vm=f"vm-{n:03}") for n in range(vms)]
    found = group_refusals(refusals)
    assert len(found) == groups
    assert sum(group.count for group in found) == vms
    assert sorted(vm for group in found for vm in group.vms) == sorted(
        r.vm for r in refusals if r.vm
    )


def test_groups_by_reason_come_in_the_order_of_the_enumeration() -> None:
    refusals = [Refusal.of(r) for r in (Reason.RUN_BUDGET, Reason.EVC, Reason.USB_DEVICE)]
    reasons = [group.reason for group in group_by_reason(refusals)]
    assert reasons == [Reason.USB_DEVICE, Reason.EVC, Reason.RUN_BUDGET]
