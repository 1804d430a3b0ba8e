"""Reads and writes cluster snapshots as JSON files, version 1 of the format.

It owns the two directions between a file and `Snapshot`, and promises that what is written is read back
equal. A reader ignores unknown keys and lists every problem with its JSON path; a writer leaves out
what is unknown and never writes 0 for "no data". It judges no cluster: that is the planner's part.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from balancer.adapters.files.json_file import read_as, read_bytes, write_bytes
from balancer.adapters.files.snapshot_checks import reference_mistakes
from balancer.adapters.files.snapshot_types import SNAPSHOT_READER, SNAPSHOT_SCHEMA
from balancer.model.snapshot import InFlight, Snapshot
from balancer.model.vm import Vm

_KEY_OF = {"source": "from", "target": "to"}
_ALWAYS_WRITTEN = frozenset({"state", "power", "enabled", "mandatory"})
_SAFE_INTEGER = 2.0**53


def read_snapshot(path: Path) -> Snapshot:
    """Read one snapshot file.

    Raises:
        InputError: the file cannot be read, is no JSON, or is no snapshot; every problem is listed.
    """
    return parse_snapshot(read_bytes(path), name=str(path))


def parse_snapshot(content: bytes, *, name: str) -> Snapshot:
    """Parse the bytes of a snapshot; `name` is what messages call them. Raises as `read_snapshot`."""
    entry = read_as(SNAPSHOT_READER, content, name=name, check=reference_mistakes)
    fields = {key: value for key, value in entry.items() if key != "schema"}
    fields["in_flight"] = fields.pop("migrations_in_flight", ())
    return Snapshot(**fields)  # type: ignore[arg-type]  # the reader has built every field's type


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write one snapshot file, whole or not at all.

    Raises:
        BalancerError: the file cannot be written.
    """
    write_bytes(path, snapshot_bytes(snapshot))


def snapshot_bytes(snapshot: Snapshot) -> bytes:
    """Return the file's content: UTF-8, one line for each host, VM and rule, so that changes read well."""
    lines = []
    for key, value in snapshot_document(snapshot).items():
        lines.append(f"{json.dumps(key)}: {_block(value)}")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    return text.encode("utf-8", errors="replace")


def _block(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n]"


def snapshot_document(snapshot: Snapshot) -> dict[str, object]:
    """Return the snapshot as plain JSON values: sorted, without what is unknown or by default so."""
    document: dict[str, object] = {"schema": SNAPSHOT_SCHEMA}
    document |= _entry(snapshot)
    if "in_flight" in document:
        document["migrations_in_flight"] = document.pop("in_flight")
    return document


def vm_document(vm: Vm) -> dict[str, object]:
    """Return one VM as it stands in the document of its snapshot."""
    return _entry(vm)


def _entry(value: object) -> dict[str, object]:
    keys = _KEY_OF if isinstance(value, InFlight) else {}
    return {keys.get(name, name): _plain(item) for name, item in _told(value)}


def _told(value: object) -> Iterator[tuple[str, object]]:
    kind: type = type(value)
    for name, default in _fields(kind):
        item = getattr(value, name)
        if item != default or name in _ALWAYS_WRITTEN:
            yield name, item


@cache
def _fields(kind: type) -> tuple[tuple[str, object], ...]:
    """Return names and defaults of a value's fields; what has no default is never equal to it."""
    return tuple((field.name, _default(field)) for field in dataclasses.fields(kind) if field.init)


def _default(field: "dataclasses.Field[object]") -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _plain(value: object) -> object:
    match value:
        case float():
            is_whole = value.is_integer() and abs(value) < _SAFE_INTEGER
            return int(value) if is_whole else value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case frozenset() | tuple():
            items = sorted(value) if isinstance(value, frozenset) else value
            return [_plain(item) for item in items]
        case Mapping():
            return dict(sorted(value.items()))
    return _entry(value) if dataclasses.is_dataclass(value) else value
