"""The examples of the page on modes and windows are policies that load."""

import re
from pathlib import Path

import pytest

from balancer.policy.compose import load_policy_set

PAGE = Path(__file__).parents[3] / "docs" / "operate" / "modes.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.split(":")[0] for text in EXAMPLES])
def test_an_example_is_a_policy(example: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"apiVersion: balancer/v1\nkind: Policy\n{example}", encoding="utf-8")

    policy = load_policy_set([str(path)]).without_windows

    assert policy.windows or policy.vm_modes


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2
