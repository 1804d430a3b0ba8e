"""A stable digest of values: the same facts give the same digest in every process and on every machine.

Values are written as one text that no two of them share: strings are quoted and escaped, figures written so that
they read back exactly. Many values of one class are written field by field rather than one by one, since most of
what is digested are a cluster's VMs.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from itertools import compress
from operator import attrgetter

_FLOATS, _STRINGS = frozenset({float}), frozenset({str})
_FLOATS_OR_NONE = frozenset({float, type(None)})
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
"""What is written as Python does; exactly these types, since a subclass may print as it likes."""


def fingerprint(*values: object) -> str:
    """Return 16 hexadecimal digits over frozen values, mappings, sets, sequences, enums and scalars.

    Sets and mappings are taken in sorted order; derived fields (`init=False`) and those that do not count for
    equality are left out.
    """
    text = _Writer().all_of(values)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Writer:
    """Writes the values of one call. An object that occurs in many places is written once."""

    __slots__ = ("_kept", "_text_by_id", "_text_of_set")

    def __init__(self) -> None:
        self._text_by_id: dict[int, str] = {}
        self._kept: list[object] = []  # what is known by id lives as long as that
        self._text_of_set: dict[
            frozenset[object], str
        ] = {}  # many VMs have equal tags and datastores

    def all_of(self, values: Sequence[object]) -> str:
        """Return the text of several values; most often these are all plain, and all figures or all unknown."""
        if values and values[0] is None and values.count(None) == len(values):
            return f"-{len(values)}"
        kinds = set(map(type, values))
        if kinds == _FLOATS:
            return f"<{struct.pack(f'<{len(values)}d', *values).hex()}>"
        if kinds == _FLOATS_OR_NONE:
            known = [value is not None for value in values]
            return f"{bytes(known).hex()}{self.all_of(list(compress(values, known)))}"
        if kinds <= _PLAIN:
            return ascii(list(values))
        return f"[{', '.join(self._texts_of(values))}]"

    def _texts_of(self, values: Sequence[object]) -> Iterable[str]:
        keys, text_by_id = list(map(id, values)), self._text_by_id
        is_one = keys.count(keys[0]) == len(keys)  # as most settings of VMs are
        distinct = {keys[0]: values[0]} if is_one else dict(zip(keys, values, strict=True))
        for key, value in distinct.items():
            if key not in text_by_id:
                self._kept.append(value)
                text_by_id[key] = self._of(value)
        return [text_by_id[keys[0]]] * len(keys) if is_one else map(text_by_id.__getitem__, keys)

    def _of(self, value: object) -> str:
        kind = type(value)
        if isinstance(value, frozenset):
            return self._set(value)
        if kind in _PLAIN:
            return ascii(value)
        if isinstance(value, str):
            return ascii(str(value))
        if is_dataclass(kind):
            return f"{kind.__name__}({self.all_of(_fields_of(kind)(value))})"
        if isinstance(value, Iterable):
            return self._collection(value)
        said = value.isoformat() if isinstance(value, datetime) else str(value)
        return f"{kind.__name__}:{said!a}"

    def _collection(self, value: Iterable[object]) -> str:
        if isinstance(value, Set):
            return self._set(frozenset(value))
        if isinstance(value, Mapping):
            keys = sorted(value)
            return f"{{{self.all_of(keys)}: {self.all_of([value[key] for key in keys])}}}"
        return self._sequence(tuple(value))

    def _set(self, values: frozenset[object]) -> str:
        known = self._text_of_set.get(values)
        if known is None:
            known = f"{{{', '.join(sorted(map(self._of, values)))}}}"
            if set(map(type, values)) == _STRINGS:  # other equal sets need not be alike: {1}, {1.0}
                self._text_of_set[values] = known
        return known

    def _sequence(self, values: tuple[object, ...]) -> str:
        kinds = set(map(type, values))
        kind = kinds.pop() if len(kinds) == 1 else None
        if kind is None or not is_dataclass(kind):
            return self.all_of(values)
        columns = map(self.all_of, _columns_of(kind)(values))
        return f"{len(values)} {kind.__name__}({', '.join(columns)})"


@cache
def _fields_of(kind: type) -> Callable[[object], tuple[object, ...]]:
    """Return what reads those fields of a class that count, in their order."""
    names = _names_of(kind)
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


@cache
def _columns_of(kind: type) -> Callable[[Sequence[object]], tuple[list[object], ...]]:
    """Return what reads the same of many values, field by field.

    It is written for the class: a plain attribute in a loop is read three times as fast as by `attrgetter`.
    """
    columns = "".join(f"[value.{name} for value in values], " for name in _names_of(kind))
    read: Callable[[Sequence[object]], tuple[list[object], ...]] = eval(
        f"lambda values: ({columns})", {}
    )
    return read


def _names_of(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.init and field.compare)
