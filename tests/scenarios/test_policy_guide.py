"""The worked examples of the guide on policies are run as they are written."""

import re
from pathlib import Path

import pytest

from balancer.cli.app import Session, run_command_line

GUIDE = Path(__file__).parents[2] / "docs/operate/policies.md"
EXAMPLE = re.compile(
    r"^### (?P<title>\d+\. [^\n]*)$(?:(?!^###).)*?`(?P<file>[\w-]+\.yaml)`\s+"
    r"```yaml\n(?P<policy>(?:(?!```).)*)```\s+```yaml\n(?P<test>(?:(?!```).)*)```",
    re.DOTALL | re.MULTILINE,
)
EXAMPLES = list(EXAMPLE.finditer(GUIDE.read_text("utf-8")))


def test_there_are_ten_examples() -> None:
    assert len(EXAMPLES) == 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda found: str(found["title"]))
def test_a_worked_example_does_what_it_says(
    example: "re.Match[str]", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / example["file"]).write_text(example["policy"], "utf-8")
    (tmp_path / "test.yaml").write_text(example["test"], "utf-8")
    code = run_command_line(["policy", "test", str(tmp_path / "test.yaml")], Session())
    told = capsys.readouterr()
    assert code == 0, told.out + told.err
