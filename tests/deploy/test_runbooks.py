"""The runbooks: their commands are commands of the program, their queries can be read and name our metrics."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

from balancer.cli.app import app
from tests.deploy.queries import metrics_in
from tests.deploy.test_prometheus_rules import BY_NAME, FOREIGN, RECORDS, exposed
from tests.support.programs import program

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "operate" / "runbooks"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "README")
MONITORING = FOLDER.parent / "monitoring.md"
EVERY = [*PAGES, FOLDER / "README.md", MONITORING]


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines() if line.strip()]


def commands(page: Path) -> list[str]:
    """Return the commands of ours in blocks and in the text."""
    inline = re.findall(r"`(balancer [^`]+)`", page.read_text())
    return [line for line in (*blocks(page, "sh"), *inline) if line.startswith("balancer ")]


COMMANDS = sorted({line for page in EVERY for line in commands(page)})
QUERIES = sorted({line for page in EVERY for line in blocks(page, "promql")})


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_of_the_program_with_options_that_it_has(line: str) -> None:
    words = shlex.split(line)[1:]
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words, f"{line}: names a group of commands"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("line", QUERIES)
def test_a_query_names_metrics_that_exist(line: str) -> None:
    names = metrics_in(line)
    assert names
    extra = {"up", "process_resident_memory_bytes"}
    assert names - exposed() - set(RECORDS) - FOREIGN - extra == set()


def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    records = [{"record": f"test:query:{n}", "expr": line} for n, line in enumerate(QUERIES)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": records}]}))
    command = [program("promtool"), "check", "rules", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_stands_in_the_list_with_its_severity() -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    assert rows == [(name, name, rule["labels"]["severity"]) for name, rule in BY_NAME.items()]


@pytest.mark.parametrize("page", EVERY, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+\.(?:md|yaml|json))\)", page.read_text()):
        assert (page.parent / target).exists(), target
