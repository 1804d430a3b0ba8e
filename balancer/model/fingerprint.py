"""A stable digest of values: the same facts give the same digest in every process and on every machine."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache


def fingerprint(*values: object) -> str:
    """Return 16 hexadecimal digits over frozen values, mappings, sets, sequences, enums and scalars.

    Sets and mappings are taken in sorted order; derived fields (`init=False`) are left out.
    """
    digest = hashlib.sha256()
    for piece in _pieces(values):
        digest.update(piece.encode("utf-8", "surrogatepass"))
        digest.update(b"\x1f")
    return digest.hexdigest()[:16]


def _pieces(value: object) -> Iterable[str]:
    if is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__
        for name in _field_names(type(value)):
            yield from _pieces(getattr(value, name))
    elif isinstance(value, str) or not isinstance(value, Iterable):
        yield str(value)
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield str(key)
            yield from _pieces(value[key])
    else:
        yield "["
        for item in sorted(value) if isinstance(value, frozenset) else value:
            yield from _pieces(item)
        yield "]"


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.init and field.compare)
