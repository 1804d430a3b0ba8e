"""Looks into documents that may be wrong anywhere: the way to pieces that are as they should be.

It owns the patience that checks across a document need where its shape is wrong elsewhere: what is not
there, or of another kind, is passed over, never raised. What is passed over, the typed documents report.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

_NOTHING: Mapping[str, object] = MappingProxyType({})


def mapping(value: object) -> Mapping[str, object]:
    """Return a mapping as it is, and an empty one for everything else."""
    return value if isinstance(value, dict) else _NOTHING


def part(document: object, key: str) -> Mapping[str, object]:
    """Return the mapping under a key of a mapping."""
    return mapping(mapping(document).get(key))


def entries(document: object, key: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the mappings of the list under a key, each with its index in the list."""
    listed = mapping(document).get(key)
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, dict):
            yield index, entry


def given(entry: Mapping[str, object]) -> Mapping[str, object]:
    """Return a mapping without its keys of null: they say nothing."""
    return {key: value for key, value in entry.items() if value is not None}


def text(entry: Mapping[str, object], key: str) -> str:
    """Return the text under a key, empty where there is none."""
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def texts(entry: Mapping[str, object], key: str) -> list[str]:
    """Return the texts of the list under a key."""
    listed = entry.get(key)
    return [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []


def known(document: object, key: str, *, name: str = "id") -> frozenset[str] | None:
    """Return the names in the list under a key; None where there is a list of which none can be read."""
    names = frozenset(filter(None, (text(entry, name) for _, entry in entries(document, key))))
    is_empty = mapping(document).get(key) == []
    return names if names or is_empty else None
