"""Writes what the Helm chart is made of and what others own: `python -m tests.support.chart` (`make docs`).

The values' schema comes from the program's schemas and from `chart_values`; the table of values from the same;
rules and dashboards are copies, as a chart cannot hold what lies outside of it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from balancer.config_schema import config_schema
from balancer.policy.document import policy_schema
from tests.support.chart_values import Values

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "kubernetes" / "chart"
COPIES = (("prometheus", "rules.yaml"), ("prometheus", "alerts.yaml"), ("grafana", "*.json"))
"""What the chart carries in files/ of the folders of deploy/."""

OF_THE_CHART = {
    "Config": ("apiVersion", "kind", "policy_folder", "stop_file"),
    "Journal": ("path",),
}
"""Settings that are not for the values: the chart sees to them."""

FILE_NAME = "^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"

Json = dict[str, object]


def values_schema() -> Json:
    """Return the JSON Schema of the values; of draft 7, which every Helm 3 and 4 reads."""
    own = Values.model_json_schema(by_alias=True)
    config, config_parts = _embedded(config_schema(), "config")
    policy, policy_parts = _embedded(policy_schema(), "policy")
    config.pop("required", None)  # said in words by templates/_refusals.tpl
    parts = {name: _plain(part) for name, part in own.pop("$defs").items()}
    properties = _plain(own)["properties"]
    assert isinstance(properties, dict)
    properties |= {
        "config": config,
        "policies": _by_file_name(policy, "Policies by name, as in policies/*.yaml."),
        "certificates": _by_file_name({"type": "string"}, "Certificates by file name."),
        "global": {"type": "object", "description": "Set by parent charts; not read."},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart vsphere-balancer",
        "type": "object",
        "additionalProperties": False,
        "properties": dict(sorted(properties.items())),
        "$defs": dict(sorted({**parts, **config_parts, **policy_parts}.items())),
    }


def _by_file_name(schema: Json, told: str) -> Json:
    return {
        "type": "object",
        "description": told,
        "additionalProperties": False,
        "patternProperties": {FILE_NAME: schema},
    }


def _embedded(schema: Json, prefix: str) -> tuple[Json, Json]:
    """Return a document's schema for use within another, and its parts under names of their own."""
    text = json.dumps(schema).replace('"#/$defs/', f'"#/$defs/{prefix}.')
    whole: Json = json.loads(text)
    parts = whole.pop("$defs")
    assert isinstance(parts, dict)
    every = {"Config" if prefix == "config" else "": whole, **parts}
    for name, part in every.items():
        for setting in OF_THE_CHART.get(name, ()):
            part["properties"].pop(setting)
        part.pop("$id", None)
        part.pop("$schema", None)
    return _plain(whole), {f"{prefix}.{name}": _plain(part) for name, part in parts.items()}


def _plain(schema: Json) -> Json:
    """Return a schema without titles, formats and defaults: values.yaml has the defaults."""

    def cleaned(node: object, *, names: bool) -> object:
        if isinstance(node, list):
            return [cleaned(each, names=False) for each in node]
        if not isinstance(node, dict):
            return node
        dropped = () if names else ("title", "default", "format")
        return {
            key: cleaned(each, names=key == "properties")
            for key, each in node.items()
            if key not in dropped
        }

    plain = cleaned(schema, names=False)
    assert isinstance(plain, dict)
    return plain


def values_table() -> str:
    """Return the table of values as the chart's README has it."""
    rows = [
        *_rows(Values, ""),
        ("config", "see values.yaml", "The configuration, as in config.example.yaml."),
        ("policies", "`{}`", "Policies by name, as in policies/*.yaml."),
    ]
    lines = [f"| `{name}` | {default} | {told} |" for name, default, told in sorted(rows)]
    return "\n".join(["| value | default | meaning |", "| --- | --- | --- |", *lines])


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for field in model.model_fields.values():
        name, default = f"{prefix}{field.alias}", field.default
        if isinstance(default, BaseModel):
            yield from _rows(type(default), f"{name}.")
        else:
            yield name, f"`{json.dumps(default)}`", str(field.description)


def with_table(readme: str) -> str:
    """Return the README with its table written anew."""
    table = f"{BEGIN}\n{values_table()}\n{END}"
    return re.sub(f"{BEGIN}.*{END}", lambda _: table, readme, flags=re.DOTALL)


def copies() -> Mapping[Path, bytes]:
    """Return what belongs into the chart's files/, by its place there."""
    return {
        CHART / "files" / folder / path.name: path.read_bytes()
        for folder, pattern in COPIES
        for path in sorted((ROOT / "deploy" / folder).glob(pattern))
    }


def schema_text() -> str:
    """Return the schema as it is written."""
    return json.dumps(values_schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all of it."""
    (CHART / "values.schema.json").write_text(schema_text(), encoding="utf-8")
    readme = CHART / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8")), encoding="utf-8")
    wanted = copies()
    for path in (CHART / "files").rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    for path, content in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
