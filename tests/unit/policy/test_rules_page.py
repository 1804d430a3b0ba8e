"""The examples of docs/operate/rules.md are policies that load, and its tables name what there is."""

import re
from pathlib import Path

import pytest

from balancer.policy.compose import load_policy_set
from balancer.policy.rule_types import RuleKind
from balancer.policy.selector_document import HOST_PARTS, SelectorDocument
from balancer.policy.tag_rules import FORMS, TagRule, read_tag
from tests.support.builders import NOON

PAGE = (Path(__file__).parents[3] / "docs/operate/rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_is_a_policy(example: str, tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(example)
    assert load_policy_set([str(path)]).at(NOON)


def test_the_first_example_has_a_rule_of_each_type(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(EXAMPLES[0])
    assert {rule.kind for rule in load_policy_set([str(path)]).at(NOON).rules} == set(RuleKind)


def test_every_part_of_a_selector_has_a_row() -> None:
    for name, info in SelectorDocument.model_fields.items():
        key = info.alias or name
        assert re.search(rf"^\| .*`{key}`.* \|", PAGE, flags=re.MULTILINE), key
    (hosts,) = re.findall(r"^Hosts have (.*)\.$", PAGE, flags=re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", hosts)) == set(HOST_PARTS)


def test_every_form_of_a_tag_has_a_row_and_is_read() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `balancer:([^`]+)` \|", PAGE, flags=re.MULTILINE)
    assert [form for form, _ in rows] == list(FORMS)
    for _, name in rows:
        assert isinstance(read_tag(f"balancer:{name}", name, frozenset()), TagRule)
