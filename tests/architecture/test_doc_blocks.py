"""Every block of code in the documentation is what it says it is: commands exist, documents load, queries parse."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from balancer.config import Config, load_config
from balancer.policy.compose import load_policy_set
from balancer.policy.document import PolicyDocument
from tests.support.doc_blocks import (
    PAGES,
    ROOT,
    Block,
    blocks_of,
    commands_in,
    lines_of,
    outside_of_blocks,
)
from tests.support.doc_commands import complaint_about, parse_balancer
from tests.support.programs import program

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
LANGUAGES = frozenset({"bash", "console", "json", "powershell", "promql", "python", "text", "yaml"})
UNCHECKED = {
    "powershell": "there is no PowerShell on the machines that test; scripts are read by tests/deploy",
    "text": "output, formulas and pictures",
}
"""Languages of which nothing is checked, and why."""


def blocks(*languages: str) -> list[Any]:
    return [pytest.param(block, id=block.name) for block in BLOCKS if block.language in languages]


def test_every_block_says_what_it_is() -> None:
    assert [block.name for block in BLOCKS if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_stands_in_blocks_that_say_what_they_are(page: Path) -> None:
    before, found = "", []
    for number, line in outside_of_blocks(page):
        if line.startswith("    ") and before == "" and not line.lstrip().startswith(("-", "*")):
            found.append(f"{number}: {line.strip()}")
        before = line if line.startswith("    ") is False else before
    assert found == []


def test_what_is_not_checked_has_a_reason() -> None:
    marked = [block for block in BLOCKS if "unchecked" in block.marks]
    assert all(len(block.marks["unchecked"]) > 15 for block in marked)
    checked = LANGUAGES - UNCHECKED.keys()
    assert {block.language for block in BLOCKS} - UNCHECKED.keys() <= checked


@pytest.mark.parametrize("block", blocks("bash", "console"))
def test_every_command_exists_with_its_options(block: Block) -> None:
    if "unchecked" in block.marks:
        pytest.skip(block.marks["unchecked"])
    folder, found = block.page.parent, {}
    for line in lines_of(block):
        for words in commands_in(line):
            if words[0] == "cd" and (ROOT / words[1]).is_dir():
                folder = ROOT / words[1]
            complaint = complaint_about(words, folder)
            if complaint:
                found[line] = complaint
    assert found == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_a_sentence_exist_with_their_options(page: Path) -> None:
    found = {}
    for number, line in outside_of_blocks(page):
        for span in re.findall(r"`balancer ([a-z][^`]*)`", line):
            plain = re.sub(r"[\[\]]|\.\.\.|\|[\w-]+", "", span).replace(" N", " 1")
            complaint = parse_balancer(commands_in(plain)[0])
            # A sentence names a command without what it needs; a wrong word or option is a mistake.
            if complaint and not complaint.startswith(("Missing ", "a command is missing")):
                found[f"{number}: {span}"] = complaint
    assert found == {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("balancer plan --confg config.yaml", "--confg"),
        ("balancer plann --config config.yaml", "plann"),
        ("balancer plan --format pdf", "pdf"),
        ("balancer explain --config config.yaml --vm", "--vm"),
        ("balancer journal", "a command is missing"),
        ("sudo -u balancer balancer approve", "PLAN"),
        ("make demmo", "demmo"),
        ("cp deploy/nowhere.yaml .", "deploy/nowhere.yaml"),
        ("curl --silent http://127.0.0.1:9715/metric", "/metric"),
        ("./deploy/vcenter/create-roles.sh --dry-runs", "--dry-runs"),
        ("frobnicate --all", "frobnicate"),
    ],
)
def test_a_wrong_command_is_found(line: str, told: str) -> None:
    ((*words,),) = commands_in(line)
    assert told in complaint_about(words)


@pytest.mark.parametrize("block", blocks("json"))
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("python"))
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.name, "exec")


@pytest.mark.parametrize("block", blocks("promql"))
def test_a_query_parses(block: Block, tmp_path: Path) -> None:
    queries = [query.strip() for query in re.split(r"\n\s*\n", block.text) if query.strip()]
    rules = [{"record": f"shown:query{n}", "expr": query} for n, query in enumerate(queries)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]}), "utf-8")
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml_loads_as_what_it_claims_to_be(block: Block, tmp_path: Path) -> None:
    if "unchecked" in block.marks:
        pytest.skip(block.marks["unchecked"])
    data = yaml.safe_load(block.text)
    assert isinstance(data, dict), "a mapping"
    _load(block, data, tmp_path)


CONFIG_KEYS = {info.alias or name for name, info in Config.model_fields.items()}
POLICY_KEYS = {info.alias or name for name, info in PolicyDocument.model_fields.items()}
WHOLE_CONFIG: dict[str, Any] = {
    "vcenters": [{"name": "main", "host": "vc", "username": "u", "password_file": "pw"}],
    "clusters": [{"vcenter": "main", "name": "prod-a"}],
}


def _load(block: Block, data: dict[str, Any], folder: Path) -> None:
    kind = data.get("kind")
    if kind == "PolicyTest":
        return  # run with their policies by tests/scenarios/test_policy_guide.py and tests/unit/cli
    if kind == "Policy" or (kind is None and data.keys() <= POLICY_KEYS - CONFIG_KEYS):
        path = folder / "policy.yaml"
        head = "" if kind else "apiVersion: balancer/v1\nkind: Policy\n"
        path.write_text(head + block.text, "utf-8")
        load_policy_set((str(path),))
    elif kind == "Config" or (kind is None and data.keys() <= CONFIG_KEYS):
        path = folder / "config.yaml"
        whole = data if kind else _completed(data)
        path.write_text(yaml.safe_dump(whole), "utf-8")
        load_config(path)
    else:
        pytest.fail(f"neither a configuration nor a policy: {', '.join(data)}")


def _completed(data: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a configuration with what is required around it."""
    vcenters = [{**WHOLE_CONFIG["vcenters"][0], **one} for one in data.get("vcenters", [{}])]
    return {**WHOLE_CONFIG, **data, "vcenters": vcenters}
