"""Every shipped policy has a test beside it that passes, and the guide's example of a test does what it says."""

import re
from pathlib import Path

import pytest

from balancer.cli.app import Session, run_command_line
from balancer.policy.load import packaged_folder

POLICIES = packaged_folder()
TESTS = sorted((POLICIES / "tests").glob("*.yaml"))
GUIDE = Path(__file__).parents[3] / "docs/operate/policy-tools.md"
APART = """\
apiVersion: balancer/v1
kind: Policy
rules:
  - {name: web apart, type: anti-affinity, vms: {tag: "tier:web"}}
"""


def test_every_shipped_policy_has_a_test() -> None:
    assert {path.name for path in TESTS} == {path.name for path in POLICIES.glob("*.yaml")}
    for path in TESTS:
        assert f"policies: [{path.stem}]" in path.read_text("utf-8")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_a_shipped_policy_passes_its_test(path: Path) -> None:
    assert run_command_line(["policy", "test", str(path)], Session()) == 0


def test_the_example_of_the_guide_passes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```yaml\n(.*?kind: PolicyTest.*?)```", GUIDE.read_text("utf-8"), re.S)
    (tmp_path / "web-apart.yaml").write_text(APART)
    (tmp_path / "t.yaml").write_text(example)
    assert run_command_line(["policy", "test", str(tmp_path / "t.yaml")], Session()) == 0
    assert "3 expectations: all met" in capfd.readouterr().out
