"""The published schemas: current, printed as they are, right about the files that are shipped, found by editors."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from balancer.cli.app import Session, run_command_line
from balancer.cli.schema import SchemaKind
from balancer.config import Config, load_config
from balancer.config_schema import DESCRIPTIONS, config_schema, description
from balancer.lab.document_types import lab_result_schema
from balancer.model.errors import InputError
from balancer.policy.document import policy_schema
from balancer.policy.expectation_document import policy_test_schema
from tests.support.policies import load_policies

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "balancer/schemas"
GENERATED: dict[str, Callable[[], dict[str, object]]] = {
    "config": config_schema,
    "policy": policy_schema,
    "policy-test": policy_test_schema,
    "lab-result": lab_result_schema,
}
SHIPPED = [*sorted((ROOT / "policies").rglob("*.yaml")), ROOT / "config.example.yaml"]
HINT = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def published(kind: str) -> dict[str, Any]:
    return dict(json.loads((SCHEMAS / f"{kind}.v1.schema.json").read_text("utf-8")))


@pytest.mark.parametrize("kind", GENERATED)
def test_a_published_schema_is_that_of_the_document(kind: str) -> None:
    assert published(kind) == GENERATED[kind]()


def test_every_published_schema_is_printed_by_the_command() -> None:
    files = {path.name.removesuffix(".v1.schema.json") for path in SCHEMAS.glob("*.schema.json")}
    assert files == {kind.value for kind in SchemaKind}


@pytest.mark.parametrize("kind", list(SchemaKind))
def test_the_command_prints_the_published_file(
    kind: SchemaKind, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["schema", kind.value], Session()) == 0
    printed = json.loads(capfd.readouterr().out)
    assert printed == published(kind.value)
    jsonschema.Draft202012Validator.check_schema(printed)


def test_a_schema_is_written_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    assert run_command_line(["schema", "policy", "--output", str(path)], Session()) == 0
    assert json.loads(path.read_text("utf-8")) == published("policy")


def test_an_unknown_kind_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["schema", "polcy"], Session()) == 1
    assert "policy-test" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_file_names_its_schema_from_where_it_lies_and_obeys_it(path: Path) -> None:
    hint = HINT.match(path.read_text("utf-8"))
    assert hint, "the first line names the schema"
    schema = json.loads((path.parent / hint[1]).read_text("utf-8"))
    data = yaml.safe_load(path.read_text("utf-8"))
    assert schema["properties"]["kind"]["const"] == data["kind"]
    jsonschema.validate(data, schema)


def test_every_setting_of_the_configuration_is_described_and_nothing_else_is() -> None:
    models = [Config]
    for model in models:
        for info in model.model_fields.values():
            models += [m for m in _models_in(info.annotation) if m not in models]
    settings = {
        f"{model.__name__}.{info.alias or name}"
        for model in models
        for name, info in model.model_fields.items()
    }
    assert {setting for setting in settings if not description(*setting.split("."))} == set()
    assert set(DESCRIPTIONS) <= settings


def _models_in(annotation: object) -> list[type[Any]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models_in(part)]


HEAD = "apiVersion: balancer/v1\nkind: Policy\n"


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        pytest.param("rules: [{name: a, type: affinity, vms: {name: web}}]", True, id="one name"),
        pytest.param("rules: [{name: a, type: affinity, vms: {name: [web]}}]", True, id="names"),
        pytest.param("rules: [{name: a, type: affinity, vms: {regex: 'w.*'}}]", True, id="regex"),
        pytest.param("rules: [{name: a, type: affinity, vms: {name: []}}]", False, id="no names"),
        pytest.param("rules: [{name: a, type: affinty, vms: {name: web}}]", False, id="type"),
        pytest.param("migration_threshold: 6", False, id="threshold"),
        pytest.param("vm_modes: [{vms: {glob: 'x*'}, mode: manual}]", True, id="mode"),
        pytest.param("limit: {}", False, id="unknown key"),
    ],
)
def test_the_schema_of_policies_and_the_loader_agree(
    tmp_path: Path, text: str, is_right: bool
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + text)
    validator = jsonschema.Draft202012Validator(published("policy"))
    assert validator.is_valid(yaml.safe_load(HEAD + text)) is is_right
    if is_right:
        load_policies([str(path)])
        return
    with pytest.raises(InputError):
        load_policies([str(path)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("interval_s: 300 ", "interval_s: -1 "),
        ("mode: observe ", "mode: loud "),
        ("  port: ", "  prt: "),
    ],
    ids=["range", "word", "key"],
)
def test_the_schema_of_the_configuration_and_the_loader_agree(
    tmp_path: Path, old: str, new: str
) -> None:
    text = (ROOT / "config.example.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "c.yaml"
    path.write_text(text.replace(old, new))
    validator = jsonschema.Draft202012Validator(published("config"))
    assert not validator.is_valid(yaml.safe_load(path.read_text()))
    with pytest.raises(InputError):
        load_config(path)
