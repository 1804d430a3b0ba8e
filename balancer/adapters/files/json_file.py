"""JSON files in general: bytes in and out, and every problem of a document with its JSON path.

It owns what snapshots and plans have in common and knows neither: errors of syntax with line and column,
keys given twice, and that mistakes of shape and broken references are listed together, in file order.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from balancer.model.errors import BalancerError, InputError, Problem
from balancer.policy.file_access import first_bytes
from balancer.policy.problems import (
    Loc,
    Mistake,
    Position,
    in_file_order,
    mistakes_from,
    path_text,
    shown,
)

MOST_BYTES = 1 << 29
"""Largest file that is read. 96 hosts and 10,000 VMs take 6 to 12 MB."""

Entry = TypeVar("Entry")
Check = Callable[[object], Iterable[Mistake]]
"""Finds, in a document as it is written, what its shape cannot say. Raises on no document."""

_SCHEMA: Loc = ("schema",)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PLACE = re.compile(r"(?P<what>.*) at line (?P<line>\d+) column (?P<column>\d+)$", re.DOTALL)


def read_bytes(path: Path) -> bytes:
    """Return the file's content without a byte order mark.

    Raises:
        InputError: the file cannot be read or is larger than `MOST_BYTES`.
    """
    try:
        content = first_bytes(path, MOST_BYTES + 1)
    except OSError as err:
        problem = Problem(where=str(path), found=f"cannot be read: {err.strerror or err}")
        raise InputError(str(path), (problem,)) from err
    if len(content) > MOST_BYTES:
        problem = Problem(where=str(path), found="the file is too large", allowed="at most 512 MiB")
        raise InputError(str(path), (problem,))
    return content.removeprefix(_BYTE_ORDER_MARK)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its place, then put it there, so that nobody reads half of it.

    Raises:
        BalancerError: the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device: nothing to put in its place
            path.write_bytes(content)
        else:
            _put_in_place(path.resolve(), content)
    except OSError as err:
        reason = err.strerror or str(err)
        raise BalancerError(f"{path} cannot be written: {reason}. Name another file.") from err


def _put_in_place(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_as(reader: TypeAdapter[Entry], content: bytes, *, name: str, check: Check) -> Entry:
    """Read a document as what `reader` makes of it; `name` is what messages call it.

    `check` looks at the plain document whether or not its shape is right, so that nobody mends the one
    only to be told of the other.

    Raises:
        InputError: every problem with its JSON path, in file order, or the place where it is no JSON.
    """
    try:
        entry = reader.validate_json(content)
    except ValidationError as err:
        first = err.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise InputError(name, (_syntax(str(first["ctx"]["error"])),)) from err
        shape = mistakes_from(err, known=lambda _: ())
        others = tuple(one for one in shape if one.path == _SCHEMA and one.found.startswith("'"))
        if others:  # a file of another kind: all that follows from it says nothing
            raise InputError(name, tuple(map(_of_another_kind, others))) from err
        raise InputError(name, _problems(content, check, shape)) from err
    problems = _problems(content, check, ())
    if problems:
        raise InputError(name, problems)
    return entry


def _problems(content: bytes, check: Check, shape: Iterable[Mistake]) -> tuple[Problem, ...]:
    document, doubled = _document(content)
    mistakes = [*doubled, *shape, *check(document)]
    return in_file_order(mistakes, where=_Places(document).where) if mistakes else ()


def _of_another_kind(mistake: Mistake) -> Problem:
    return Problem(
        where="schema",
        found=f"the file is of another kind or version, {mistake.found}",
        allowed=mistake.allowed,
        hint="name the file that is meant",
    )


class _Places:
    """The order in which the pieces of a document stand in its file."""

    def __init__(self, document: object) -> None:
        self._document = document
        self._ranks: dict[int, dict[str, int]] = {}

    def where(self, mistake: Mistake) -> tuple[Position, str]:
        """Return the ranks of all keys and indices on the way to a mistake, and its JSON path."""
        position, here = list[int](), self._document
        for part in mistake.path:
            if isinstance(here, dict) and part in here:
                position.append(self._rank(here, str(part)))
                here = here[part]
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                position.append(part)
                here = here[part]
            else:
                break
        return tuple(position), path_text(mistake.path) or "the document"

    def _rank(self, entry: dict[str, object], key: str) -> int:
        """Return how many keys stand before one; counted once for each mapping, however large."""
        if id(entry) not in self._ranks:
            self._ranks[id(entry)] = {name: rank for rank, name in enumerate(entry)}
        return self._ranks[id(entry)][key]


def _syntax(message: str) -> Problem:
    match = _PLACE.fullmatch(message)
    if match is None:
        return Problem(where="the document", found=f"not valid JSON: {message}")
    where = f"line {match['line']}, column {match['column']}"
    return Problem(where=where, found=f"not valid JSON: {match['what']}")


def _document(content: bytes) -> tuple[object, list[Mistake]]:
    """Return a valid document, all its numbers as floats, and the keys that occur twice in one object.

    JSON readers keep the last one in silence; which of the two was meant only the writer knows. What
    stands inside the other one is not looked at.
    """
    doubled: list[tuple[object, str]] = []

    def check(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
        entry = dict(pairs)
        if len(entry) < len(pairs):
            doubled.append((entry, _doubled_keys(pairs)))
        return entry

    document = json.loads(content, object_pairs_hook=check, parse_int=float)
    keys_in = {id(entry): keys for entry, keys in doubled}
    found = [
        Mistake(path=path, found=f"{keys_in[id(entry)]} given twice", allowed="each key once")
        for path, entry in (_containers(document) if doubled else ())
        if id(entry) in keys_in
    ]
    return document, found


def _doubled_keys(pairs: Sequence[tuple[str, object]]) -> str:
    counts = Counter(key for key, _ in pairs)
    return ", ".join(shown(key) for key, count in sorted(counts.items()) if count > 1)


def _containers(document: object) -> Iterator[tuple[Loc, object]]:
    """Yield every mapping and list of a document with its path."""
    waiting: list[tuple[Loc, object]] = [((), document)]
    while waiting:
        path, here = waiting.pop()
        inside: Iterable[tuple[int | str, object]] = ()
        if isinstance(here, dict):
            inside = here.items()
        elif isinstance(here, list):
            inside = enumerate(here)
        else:
            continue
        yield path, here
        waiting += [((*path, part), value) for part, value in inside]
