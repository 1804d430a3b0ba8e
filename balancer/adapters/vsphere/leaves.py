"""Leaf values: which paths end in one, and how their text on the wire becomes a plain value.

Owns the border between what is parsed here and what pyVmomi parses, and the conversion of scalars,
references and lists of those. The types are those of pyVmomi's own tables, and so are the words that an
enumeration may hold: a word outside them is an error of the one value, never a guess. Used by the parser
of leaf answers and by `retrieve`.
"""

# mypy: disable-error-code="no-untyped-call"
# pyVmomi marks itself as typed, its run-time part is not.

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pyVmomi.Iso8601 import ParseISO8601
from pyVmomi.VmomiSupport import (
    Enum,
    GetWsdlType,
    ManagedMethod,
    ManagedObject,
)

_NAMESPACE = "urn:vim25"
_TYPE = "http://www.w3.org/2001/XMLSchema-instance type"
_UTC_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,16})?Z", re.ASCII)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
REFERENCE = "ManagedObjectReference"

Convert = Callable[[str], Any]


class NotALeaf(ValueError):
    """The wire names a type whose values are structures, or that is not known."""


def instant(text: str) -> datetime:
    """Return an XML dateTime, without a zone where the text has none.

    Raises:
        ValueError: it is no dateTime.
    """
    if _UTC_TEXT.fullmatch(text):
        return datetime.fromisoformat(text)
    found: datetime | None = ParseISO8601(text)
    if found is None:
        raise ValueError("no dateTime")
    return found


def flag(text: str) -> bool:
    """Return an XML boolean, in any case.

    Raises:
        ValueError: it is none.
    """
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValueError("no boolean") from None


_PLAIN: Mapping[str, Convert] = {
    "string": str,
    "anyURI": str,
    "boolean": flag,
    "byte": int,
    "short": int,
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "dateTime": instant,
}
_SCALARS = (str, bool, int, float, datetime, Enum, ManagedObject, ManagedMethod)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the word of `xsi:type` says: one value or a list, by which conversion; None: references."""

    convert: Convert | None
    is_list: bool = False


_REFERENCES = Shape(convert=None)


@cache
def shape_of(word: str) -> Shape:
    """Return the shape behind a type's name on the wire, with or without a prefix.

    The prefix is not resolved: no name of vSphere's types is also one of XML Schema's. Bounded: what is
    not known raises and is not kept.

    Raises:
        NotALeaf: see there.
    """
    name = word.rsplit(":", 1)[-1]
    if name == REFERENCE:
        return _REFERENCES
    if name in _PLAIN:
        return Shape(convert=_PLAIN[name])
    if name == f"ArrayOf{REFERENCE}":
        return Shape(convert=None, is_list=True)
    kind = kind_of(name)
    item = getattr(kind, "Item", None)
    if item is None:
        return Shape(convert=convert_of(kind, name))
    return Shape(convert=convert_of(item, name), is_list=True)


def kind_of(name: str) -> type:
    """Return the class of a name on the wire, without a prefix.

    Raises:
        NotALeaf: pyVmomi's tables do not have it.
    """
    try:
        kind: type = GetWsdlType(_NAMESPACE, name)
    except KeyError:
        raise NotALeaf(f"the type {name[:80]!r} is not known") from None
    return kind


def convert_of(kind: type, name: str) -> Convert:
    """Return how a text becomes a value of a class that is one of scalars.

    Raises:
        NotALeaf: it is none.
    """
    if issubclass(kind, Enum):
        words: list[str] = kind.values  # type: ignore[attr-defined]
        return {str(word): getattr(kind, word) for word in words}.__getitem__
    if issubclass(kind, bool):
        return flag
    if issubclass(kind, datetime):
        return instant
    found = next((plain for plain in (int, float, str) if issubclass(kind, plain)), None)
    if found is None:
        raise NotALeaf(f"the type {name[:80]!r} is a structure")
    return found


def is_leaf(kind: type, path: str) -> bool:
    """Whether pyVmomi's tables say that a path of a class ends in a scalar, a reference or a list of such.

    A path that the tables do not have, such as one into a subclass, is none.
    """
    owner = kind
    for name in path.split("."):
        try:
            info = owner._GetPropertyInfo(name)  # type: ignore[attr-defined]
        except AttributeError:
            return False
        owner = getattr(info.type, "Item", info.type)
    return issubclass(owner, _SCALARS)


def types_of(attributes: list[str]) -> tuple[str, str]:
    """Return `xsi:type` and the class of a reference, empty where there is none.

    `attributes` are names and values in turn, names with their namespace and a blank in front.
    """
    word = kind = ""
    if len(attributes) == 2 and attributes[0] == _TYPE:
        return attributes[1], kind
    for name, value in zip(attributes[::2], attributes[1::2], strict=True):
        if name == _TYPE:
            word = value
        elif name == "type":
            kind = value.rsplit(":", 1)[-1]
    return word, kind
