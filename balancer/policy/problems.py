"""Turns what pydantic says of a wrong document into problems that people can act on.

It owns the wording: what was found, what is allowed, the nearest spelling. It never decides what is
right (the typed documents do) and never reads a file. Configuration, policies, snapshots and plans all
speak through it, so that the same mistake reads the same everywhere.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from balancer.model.errors import Problem

Loc = tuple[int | str, ...]
Position = tuple[int, ...]
"""Where in a file something stands: what comes first is smaller."""

KnownKeys = Callable[[Loc], Iterable[str]]
"""Gives the keys that are allowed in the mapping at a place."""

MOST_SHOWN = 60
"""Longest piece of a wrong value that is repeated to the reader, in characters."""

MOST_LISTED = 200
"""Problems listed of one file; the rest is counted."""

NAMES_TAG, SELECTOR_TAG = "[names]", "[selector]"
"""Forms that a value may have, as pydantic tells them apart in its places; no keys of the document."""

_NO_KEYS = frozenset({"[key]", NAMES_TAG, SELECTOR_TAG})
_SECRET = re.compile("password|secret|token", re.IGNORECASE)
_NOT_SHOWN = "a wrong value (not shown)"
_LIST = "a list"
_MAPPING = "a mapping"
_TIME = "date and time with a time zone, such as 2026-11-22T10:00:00Z"
_ALLOWED: Mapping[str, str] = MappingProxyType(
    {
        "bool_type": "true or false",
        "int_type": "a whole number",
        "float_type": "a number",
        "finite_number": "a finite number",
        "string_type": "text",
        "string_too_short": "text that is not empty",
        "path_type": "a path",
        "list_type": _LIST,
        "tuple_type": _LIST,
        "set_type": _LIST,
        "frozen_set_type": _LIST,
        "dict_type": _MAPPING,
        "model_type": _MAPPING,
        "model_attributes_type": _MAPPING,
        "datetime_type": _TIME,
        "datetime_parsing": _TIME,
        "datetime_from_date_parsing": _TIME,
        "timezone_aware": _TIME,
    }
)
_ALLOWED_WITH: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "greater_than": ("gt", "greater than {}"),
        "greater_than_equal": ("ge", "at least {}"),
        "less_than": ("lt", "less than {}"),
        "less_than_equal": ("le", "at most {}"),
        "enum": ("expected", "{}"),
        "literal_error": ("expected", "{}"),
        "too_short": ("min_length", "{} or more entries"),
        "too_long": ("max_length", "{} or fewer entries"),
        "string_too_long": ("max_length", "at most {} characters"),
        "string_pattern_mismatch": ("pattern", "text like {}"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong at a path of a document, before anybody knows where in a file that path stands.

    `at_key` marks what is wrong with the key itself and not with its value.
    """

    path: Loc
    found: str
    allowed: str = ""
    hint: str = ""
    at_key: bool = False


Where = Callable[[Mistake], tuple[Position, str]]
"""Gives the place of a mistake in its file, for sorting and in words."""


def mistakes_from(err: ValidationError, *, known: KnownKeys) -> list[Mistake]:
    """Return one mistake for each error, in pydantic's order.

    A list of which an entry is wrong is not called too short as well: pydantic counts the right ones alone.
    """
    details = err.errors(include_url=False)
    around = {detail["loc"][:end] for detail in details for end in range(len(detail["loc"]))}
    return [
        _mistake(detail, known)
        for detail in details
        if detail["type"] != "too_short" or detail["loc"] not in around
    ]


def in_file_order(mistakes: Iterable[Mistake], *, where: Where) -> tuple[Problem, ...]:
    """Return each mistake once, as problems in the order of the file, at most `MOST_LISTED`."""
    placed = [(*where(mistake), mistake) for mistake in dict.fromkeys(mistakes)]
    placed.sort(key=lambda one: one[0])
    problems = [
        Problem(where=words, found=mistake.found, allowed=mistake.allowed, hint=mistake.hint)
        for _, words, mistake in placed
    ]
    return limited(problems)


def limited(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return the first `MOST_LISTED` problems and one that counts the rest."""
    if len(problems) <= MOST_LISTED:
        return tuple(problems)
    rest = Problem(where="and", found=f"{len(problems) - MOST_LISTED} more problems")
    return (*problems[:MOST_LISTED], rest)


def path_text(loc: Loc) -> str:
    """Return a path as people write it: `hosts[3].vmotion.enabled`; empty for the document itself."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{_key_text(part)}"
    return text.removeprefix(".")


def _key_text(key: str) -> str:
    text = plain(key)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def plain(text: str) -> str:
    """Return a text that somebody wrote as it is, or with its control characters spelled out."""
    return text if text.isprintable() else repr(text)[1:-1]


def shown(value: object) -> str:
    """Return a value as a message may repeat it: short, in one line, without control characters."""
    if isinstance(value, Mapping):
        return _MAPPING
    if isinstance(value, list | tuple):
        return _LIST
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def closest(word: str, known: Iterable[str]) -> str:
    """Return the nearest known spelling, or nothing where none is near."""
    close = difflib.get_close_matches(word[:MOST_SHOWN], sorted(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a question that offers the nearest known spelling, or nothing where none is near."""
    close = closest(word, known)
    return f"did you mean {close!r}?" if close else ""


def _mistake(detail: ErrorDetails, known: KnownKeys) -> Mistake:
    loc = tuple(part for part in detail["loc"] if part not in _NO_KEYS)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(loc, tuple(known(loc[:-1])))
    if kind == "missing":
        return Mistake(path=loc[:-1], found=f"'{loc[-1]}' is missing", allowed="it must be given")
    allowed = _allowed(detail)
    return Mistake(
        path=loc,
        found=_NOT_SHOWN if any(map(_SECRET.search, map(str, loc))) else shown(detail["input"]),
        allowed=allowed,
        hint=_hint(kind, detail["input"], allowed),
        at_key="[key]" in detail["loc"],
    )


def _unknown_key(loc: Loc, keys: Sequence[str]) -> Mistake:
    key = str(loc[-1])
    hint = nearest(key, keys)
    allowed = "" if hint or len(keys) > 12 else ", ".join(keys)
    return Mistake(
        path=loc, found=f"unknown key {shown(key)}", allowed=allowed, hint=hint, at_key=True
    )


def _allowed(detail: ErrorDetails) -> str:
    kind, facts = detail["type"], detail.get("ctx", {})
    if kind in _ALLOWED_WITH:
        name, pattern = _ALLOWED_WITH[kind]
        fact = facts.get(name)
        return pattern.format(f"{fact:g}" if isinstance(fact, float) else fact)
    if kind == "value_error":
        return str(facts.get("error", detail["msg"]))
    return _ALLOWED.get(kind, detail["msg"])


def _hint(kind: str, value: object, allowed: str) -> str:
    if value is None:
        return "leave the key out where there is nothing to say"
    if not isinstance(value, str):
        return ""
    if kind in ("enum", "literal_error"):
        return nearest(value, re.findall(r"'([^']*)'", allowed))
    if kind in ("int_type", "float_type") and re.fullmatch(r"[-+.0-9eE]+", value):
        return "write it without quotes"
    return ""
