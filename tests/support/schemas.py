"""Writes the published JSON Schemas that are made from types: `python -m tests.support.schemas` (`make docs`)."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import balancer
from balancer.config_schema import config_schema
from balancer.lab.document_types import lab_result_schema
from balancer.policy.document import policy_schema
from balancer.policy.expectation_document import policy_test_schema
from tests.support import chart

FOLDER = Path(balancer.__file__).parent / "schemas"

MADE: Mapping[str, Callable[[], object]] = {
    "config": config_schema,
    "policy": policy_schema,
    "policy-test": policy_test_schema,
    "lab-result": lab_result_schema,
}


def main() -> None:
    """Write each schema as it is published, and what the chart makes of them."""
    for name, make in MADE.items():
        text = json.dumps(make(), indent=2, ensure_ascii=False)
        (FOLDER / f"{name}.v1.schema.json").write_text(f"{text}\n", encoding="utf-8")
    chart.main()


if __name__ == "__main__":
    main()
