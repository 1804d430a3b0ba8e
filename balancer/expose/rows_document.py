"""Rows of reports as JSON and back: what is the default is left out, so that documents stay small.

Works on frozen dataclasses of strings, figures, enums, tuples of these and of each other. No name is changed on the
way, lone surrogates included. Sits below `document`; knows nothing of plans.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import TypeVar, cast, get_args, get_origin, get_type_hints

from balancer.expose.figures import number

Json = dict[str, object]

Row = TypeVar("Row")


def entry_of(row: object) -> Json:
    """Return a dataclass as a JSON object, in the order of its fields."""
    assert is_dataclass(row), "rows are dataclasses"
    found: Json = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.default is MISSING or value != field.default:
            found[field.name] = _plain(value)
    return found


def _plain(value: object) -> object:
    if is_dataclass(value):
        return entry_of(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return number(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def row_of(kind: type[Row], entry: object) -> Row:
    """Return the dataclass that a JSON object stands for; unknown keys are passed over.

    Raises:
        TypeError, ValueError: the object has not this form.
    """
    if not isinstance(entry, Mapping):
        raise TypeError(f"{kind.__name__} is written as an object, not as {type(entry).__name__}")
    hints = get_type_hints(kind)
    known = {key: _value(hints[key], value) for key, value in entry.items() if key in hints}
    return kind(**known)


def _value(hint: object, value: object) -> object:
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise TypeError(f"a list is expected, not {type(value).__name__}")
        return tuple(_value(get_args(hint)[0], one) for one in value)
    if isinstance(hint, UnionType):
        return None if value is None else _value(get_args(hint)[0], value)
    return _single(cast("type[object]", getattr(hint, "__supertype__", hint)), value)


def _single(kind: type[object], value: object) -> object:
    if is_dataclass(kind):
        return row_of(kind, value)
    if issubclass(kind, Enum):
        return kind(value)
    if kind is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} is expected, not {type(value).__name__}")
    return value
