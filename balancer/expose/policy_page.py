"""The reference page of policies: every setting with its type, default, range and meaning, from the schema."""

from collections.abc import Iterator, Mapping

from balancer.policy.document import policy_schema
from balancer.policy.unchecked import mapping, part, text

Schema = Mapping[str, object]

_BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "below {}"),
    ("maxItems", "at most {} entries"),
)
_KINDS = {
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "object": "mapping",
    "null": "null",
}


def policy_page(generated: str) -> str:
    """Return the page of all settings of a policy; `generated` says how it was made."""
    schema = policy_schema()
    lines = [
        generated,
        "# Policies",
        "",
        "Every key of a policy file (`apiVersion: balancer/v1`, `kind: Policy`). What is not given keeps its",
        "default. How to write one: [policies](../operate/policies.md). The same as a JSON Schema:",
        "`balancer schema policy`. Ratios run from 0 to 1; units stand in the names (`_s` seconds, `_min`",
        "minutes, `_mib` MiB).",
        "",
        "## The document",
        "",
        *_table(schema, schema),
    ]
    for name, definition in part(schema, "$defs").items():
        if part(definition, "properties"):
            lines += ["", f"## {_title(name)}", "", text(mapping(definition), "description"), ""]
            lines += _table(mapping(definition), schema)
    return "\n".join([*lines, ""])


def _title(name: str) -> str:
    """Return the words of a part's name: `VmModeDocument` is "Vm mode"."""
    plain = name.removesuffix("Document")
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in plain).strip()
    return words.capitalize()


def _table(definition: Schema, schema: Schema) -> Iterator[str]:
    needed = definition.get("required")
    needed = needed if isinstance(needed, list) else []
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key, value in part(definition, "properties").items():
        setting = mapping(value)
        default = "must be given" if key in needed else _default(setting)
        meaning = text(setting, "description") or _described(setting, schema)
        yield f"| `{key}` | {_value(setting, schema)} | {default} | {_cell(meaning)} |"


def _default(setting: Schema) -> str:
    default = setting.get("default")
    if default is None:
        return "" if "default" not in setting else "`null`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int | float):
        return f"`{_figure(default)}`"
    return f"`{default}`" if isinstance(default, str) and default else ""


def _value(setting: Schema, schema: Schema) -> str:
    """Return what may stand there: kind, words, bounds."""
    choices = setting.get("anyOf")
    if isinstance(choices, list):
        words = [_value(mapping(choice), schema) for choice in choices]
        return " or ".join(word for word in words if word != "null")
    if "$ref" in setting:
        return _referred(text(setting, "$ref"), schema)
    if "const" in setting:
        return f"`{setting['const']}`"
    if setting.get("type") == "array":
        return f"list of {_value(part(setting, 'items'), schema)}"
    kind = _KINDS.get(text(setting, "type"), "any value")
    bounds = [words.format(_figure(setting[key])) for key, words in _BOUNDS if key in setting]
    return ", ".join([kind, *bounds])


def _referred(reference: str, schema: Schema) -> str:
    name = reference.rpartition("/")[2]
    words = mapping(part(schema, "$defs").get(name)).get("enum")
    if isinstance(words, list):
        return ", ".join(f"`{word}`" for word in words)
    title = _title(name)
    return f"[{title.lower()}](#{title.lower().replace(' ', '-')})"


def _described(setting: Schema, schema: Schema) -> str:
    name = text(setting, "$ref").rpartition("/")[2]
    return text(mapping(part(schema, "$defs").get(name)), "description")


def _figure(value: object) -> str:
    """Return a number as people write it, without an exponent."""
    return f"{value:.8f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")
