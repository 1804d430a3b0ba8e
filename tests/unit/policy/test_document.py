import dataclasses
import json
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from balancer.model.plan import MoveReason
from balancer.policy import document, types
from balancer.policy.document import PolicyDocument, policy_from, policy_schema

PUBLISHED = Path(__file__).parents[3] / "balancer/schemas/policy.v1.schema.json"
EMPTY = PolicyDocument.model_validate({"apiVersion": "balancer/v1", "kind": "Policy"})

SECTIONS = {
    "goals": (document.GoalsDocument, types.Goals),
    "thresholds": (document.ThresholdsDocument, types.Thresholds),
    "prices": (document.PricesDocument, types.Prices),
    "limits": (document.LimitsDocument, types.Limits),
}


@pytest.mark.parametrize(("model", "values"), SECTIONS.values(), ids=SECTIONS.keys())
def test_a_section_has_the_names_and_defaults_of_its_values(
    model: type[BaseModel], values: type[Any]
) -> None:
    assert model().model_dump() == dataclasses.asdict(values())


def test_the_whole_document_has_the_names_of_the_policy() -> None:
    names = {field.name for field in dataclasses.fields(types.Policy)} - {"evacuating"}
    assert set(PolicyDocument.model_fields) == names | {"api_version", "kind"}


def test_every_reason_of_a_move_has_a_priority() -> None:
    given = document.PrioritiesDocument().model_dump()
    assert given == {reason.value: types.Policy().priorities[reason] for reason in MoveReason}


def test_a_document_that_sets_nothing_is_the_default_policy() -> None:
    assert policy_from(EMPTY) == types.Policy()


def test_the_published_schema_is_that_of_the_document() -> None:
    assert json.loads(PUBLISHED.read_text()) == policy_schema()


def test_every_setting_of_the_schema_that_is_a_number_or_flag_says_what_it_means() -> None:
    silent = [
        f"{name}.{key}"
        for name, part in policy_schema()["$defs"].items()  # type: ignore[attr-defined]
        if name in {"GoalsDocument", "ThresholdsDocument", "PricesDocument", "LimitsDocument"}
        for key, value in part["properties"].items()
        if "description" not in value
    ]
    assert silent == []


def test_enumerations_of_the_schema_are_those_of_the_model() -> None:
    definitions: Any = policy_schema()["$defs"]
    enums: list[type[StrEnum]] = [types.MemoryMetric]
    assert [definitions[kind.__name__]["enum"] for kind in enums] == [list(k) for k in enums]
