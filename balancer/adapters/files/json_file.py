"""JSON files in general: bytes in and out, errors of syntax with line and column, keys given twice.

It owns what snapshots and plans have in common and knows neither.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from balancer.model.errors import BalancerError, InputError, Problem
from balancer.policy.file_access import first_bytes
from balancer.policy.problems import Loc, path_text, problems_from, shown

MOST_BYTES = 1 << 29
"""Largest file that is read. 96 hosts and 10,000 VMs take 6 to 12 MB."""

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


def problems_of_json(err: ValidationError) -> tuple[Problem, ...]:
    """Return the problems of a JSON document with JSON paths, or the one place where it is no JSON."""
    first = err.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return (_syntax(str(first["ctx"]["error"])),)
    return problems_from(err, where=_where, known=lambda _: ())


def _where(loc: Loc, at_key: bool) -> str:
    del at_key
    return path_text(loc) or "the document"


def _syntax(message: str) -> Problem:
    match = _PLACE.fullmatch(message)
    if match is None:
        return Problem(where="the document", found=f"not valid JSON: {message}")
    where = f"line {match['line']}, column {match['column']}"
    return Problem(where=where, found=f"not valid JSON: {match['what']}")


def keys_given_twice(content: bytes) -> list[Problem]:
    """Return the keys that occur twice in one object of a valid JSON document, in file order.

    JSON readers keep the last one in silence; which of the two was meant only the writer knows.
    """
    found: list[Problem] = []

    def check(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
        entry = dict(pairs)
        if len(entry) < len(pairs):
            found.append(_twice(pairs, entry))
        return entry

    json.loads(content, object_pairs_hook=check, parse_int=str, parse_float=str)
    return found


def _twice(pairs: Sequence[tuple[str, object]], entry: dict[str, object]) -> Problem:
    counts = Counter(key for key, _ in pairs)
    doubled = ", ".join(shown(key) for key, count in sorted(counts.items()) if count > 1)
    names = [
        f"the object whose {key} is {shown(entry[key])}" for key in ("id", "name") if key in entry
    ]
    where = names[0] if names else "an object"
    return Problem(where=where, found=f"{doubled} given twice", allowed="each key once")
