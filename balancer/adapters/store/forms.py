"""How frozen values become rows of a table and back: plain columns, sealed by a digest.

SQLite keeps no checksums of its pages. So every row carries one of all its columns: a row that reads otherwise
than it was written is an error, never another truth. No queries here.
"""

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from types import UnionType
from typing import Any, Generic, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from balancer.model.errors import StoreError

T = TypeVar("T")
Plain = str | int | float | bytes | None
Codec = tuple[Callable[[Any], Plain], Callable[[Any], Any]]

SEAL = "seal"
"""The column that every table ends with."""


def plain_text(value: str) -> str:
    """Return text that can always be written: a lone surrogate is kept as its escape, not an error."""
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def plain_instant(value: datetime) -> str:
    """Return a time in UTC with microseconds, of fixed width, so that text order is time order.

    Raises:
        StoreError: the time has no zone, so that nobody could say when it was.
    """
    if value.tzinfo is None:
        raise StoreError(f"the time {value} has no time zone; give it in UTC. Nothing was written")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def packed(value: str) -> bytes:
    """Return text that is long and seldom read, made small."""
    return zlib.compress(value.encode("utf-8", "backslashreplace"))


def unpacked(value: bytes) -> str:
    """Return what was packed."""
    return zlib.decompress(value).decode("utf-8")


PACKED: Codec = (packed, unpacked)


class Form(Generic[T]):
    """How one dataclass becomes columns of the same names; `leave_out` names the fields that have none."""

    def __init__(self, kind: type[T], *, leave_out: Sequence[str] = (), **special: Codec) -> None:
        hints = get_type_hints(kind)
        fields = dataclasses.fields(kind)  # type: ignore[arg-type]
        self._kind = kind
        self._codecs = {
            field.name: special.get(field.name) or _codec(hints[field.name])
            for field in fields
            if field.name not in leave_out
        }

    def columns(self, value: T) -> dict[str, Plain]:
        """Return the value's columns."""
        return {name: write(getattr(value, name)) for name, (write, _) in self._codecs.items()}

    def value(self, columns: Mapping[str, Any], **more: Any) -> T:
        """Return the value of some columns; `more` gives the fields that have none."""
        known = {name: read(columns[name]) for name, (_, read) in self._codecs.items()}
        return self._kind(**known, **more)


def seal_of(table: str, values: Sequence[Plain]) -> str:
    """Return the digest of a row: of its table's name and all its columns but the seal, in their order."""
    text = _SEALED.encode((table, *values))
    return hashlib.blake2b(text.encode("ascii"), digest_size=8).hexdigest()


_SEALED = json.JSONEncoder(separators=(",", ":"), default=bytes.hex)


def _codec(hint: Any) -> Codec:
    kind, is_optional = _bare(hint)
    write, read = _codec_of(kind)
    if not is_optional:
        return write, read
    return (
        lambda value: None if value is None else write(value),
        lambda value: None if value is None else read(value),
    )


def _bare(hint: Any) -> tuple[type, bool]:
    """Return the class that a hint stands for, and whether None is allowed beside it."""
    is_optional = get_origin(hint) in (Union, UnionType)
    if is_optional:
        (hint,) = [arm for arm in get_args(hint) if arm is not type(None)]
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    return hint, is_optional


def _codec_of(kind: type) -> Codec:
    if issubclass(kind, Enum):
        return str, kind
    return _CODECS[kind]


_CODECS: dict[type, Codec] = {
    str: (plain_text, str),
    bool: (int, bool),
    int: (int, int),
    float: (lambda value: float(value) + 0.0, float),  # SQLite knows no -0.0
    datetime: (plain_instant, datetime.fromisoformat),
}
