"""Strict reader of small YAML files, the first thing that touches a policy or a configuration.

It owns the step from bytes to plain values with positions: mappings with text keys, lists, text,
integers, floats, booleans, null. It accepts the JSON-like core of YAML 1.2 and never expands aliases,
merges keys or follows tags, so that a hostile file costs time in proportion to its size and a sloppy
one (`no`, `22:00`, a key given twice) is never read as something else than what it shows.
What the values mean is decided later, by the typed documents.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import yaml

from balancer.model.errors import InputError, Problem
from balancer.policy.file_access import first_bytes

MOST_BYTES = 1 << 20
MOST_DEPTH = 32
MOST_VALUES = 50_000
MOST_NUMBER_LENGTH = 64
MOST_PROBLEMS = 100

YamlPath = tuple[str | int, ...]
Position = tuple[int, int]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NUMBER = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
)
_WORDS: Mapping[str, bool | None] = MappingProxyType(
    {"": None, "~": None}
    | dict.fromkeys(("null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFile:
    """What a file says, and where: `values` and `keys` map a path to line and column, both from 1."""

    name: str
    data: object
    values: Mapping[YamlPath, Position] = field(repr=False)
    keys: Mapping[YamlPath, Position] = field(repr=False)

    def where(self, path: YamlPath, *, at_key: bool = False) -> str:
        """Return `file:line:column` of the value (or its key), or of the nearest thing around it."""
        position = self.position(path, at_key=at_key)
        return f"{self.name}:{position[0]}:{position[1]}" if position else self.name

    def position(self, path: YamlPath, *, at_key: bool = False) -> Position | None:
        """Return line and column of what `where` names; None in an empty file."""
        first, second = (self.keys, self.values) if at_key else (self.values, self.keys)
        for length in range(len(path), -1, -1):
            part = path[:length]
            position = first.get(part) or second.get(part)
            if position is not None:
                return position
        return None


def read_yaml(path: Path) -> YamlFile:
    """Read and parse one file.

    Raises:
        InputError: the file cannot be read or is not of the accepted YAML; all problems, with places.
    """
    try:
        content = first_bytes(path, MOST_BYTES + 1)
    except OSError as err:
        problem = Problem(where=str(path), found=f"cannot be read: {err.strerror or err}")
        raise InputError(str(path), (problem,)) from err
    return parse_yaml(content, name=str(path))


def parse_yaml(content: bytes, *, name: str) -> YamlFile:
    """Parse UTF-8 bytes; `name` is what messages call the file.

    Raises:
        InputError: as `read_yaml`. After an error of syntax nothing more is read; forbidden
            constructs (anchors, tags, keys given twice) are all listed.
    """
    builder = _Builder(name)
    try:
        for event in yaml.parse(_text(content, name), Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as err:
        builder.complain(err.problem_mark or err.context_mark, _syntax(err))
    except yaml.reader.ReaderError as err:
        builder.complain(None, f"the character {err.character!r} is not allowed", "printable text")
    except _StopReading:
        pass
    if builder.problems:
        raise InputError(name, tuple(builder.problems))
    return YamlFile(name=name, data=builder.root, values=builder.values, keys=builder.keys)


def _text(content: bytes, name: str) -> str:
    if len(content) > MOST_BYTES:
        problem = Problem(where=name, found="the file is too large", allowed="at most 1 MiB")
        raise InputError(name, (problem,))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        found = f"byte 0x{content[err.start]:02x} is not UTF-8"
        problem = Problem(where=f"{name}:{line}:1", found=found, allowed="UTF-8 text")
        raise InputError(name, (problem,)) from err


def _syntax(err: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (err.context, err.problem) if part]
    return f"not valid YAML: {', '.join(parts)}"


class Mark(Protocol):
    """A place as the parser gives it, line and column from 0."""

    line: int
    column: int


class _StopReading(Exception):
    """Nothing after this point can be understood; the problem is recorded already."""


@dataclass(slots=True)
class _Frame:
    """One open mapping or list. `key` is the mapping's key that waits for its value."""

    path: YamlPath
    container: dict[str, object] | list[object]
    key: str | None = None

    @property
    def wants_key(self) -> bool:
        return isinstance(self.container, dict) and self.key is None


class _Builder:
    """Builds the value from parser events with an explicit stack, so that depth costs no recursion."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root: object = None
        self.values: dict[YamlPath, Position] = {}
        self.keys: dict[YamlPath, Position] = {}
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._count = 0
        self._documents = 0

    def complain(self, mark: Mark | None, found: str, allowed: str = "", hint: str = "") -> None:
        """Record a problem at a place of the file."""
        where = f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name
        self.problems.append(Problem(where=where, found=found, allowed=allowed, hint=hint))
        if len(self.problems) >= MOST_PROBLEMS:
            raise _StopReading

    def take(self, event: yaml.Event) -> None:
        """Take the parser's next event."""
        match event:
            case yaml.ScalarEvent():
                self._take_scalar(event)
            case yaml.MappingStartEvent():
                self._open(event, {})
            case yaml.SequenceStartEvent():
                self._open(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._stack.pop()
            case yaml.AliasEvent():
                self._take_alias(event)
            case yaml.DocumentStartEvent():
                self._start_document(event)

    def _start_document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(event.start_mark, "a second document", "one document in a file")
        if event.version or event.tags:
            self.complain(event.start_mark, "a % directive", "no directives")

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_node(event)
        if _SURROGATE.search(event.value):
            self.complain(event.start_mark, "half of a surrogate pair", "valid Unicode text")
        if self._stack and self._stack[-1].wants_key:
            self._take_key(event)
            return
        is_plain = event.style in (None, "")
        value = self._resolve(event) if is_plain else event.value
        self._place(value, event.start_mark)

    def _take_key(self, event: yaml.ScalarEvent) -> None:
        frame, key = self._stack[-1], event.value
        path = (*frame.path, key)
        if key == "<<" and event.style in (None, ""):
            self.complain(event.start_mark, "a merge key '<<'", "write the settings out")
        if path in self.keys:
            line, column = self.keys[path]
            found = f"the key {key!r} is given twice, first at {line}:{column}"
            self.complain(event.start_mark, found, "each key once")
        else:
            self.keys[path] = _position(event.start_mark)
        frame.key = key

    def _open(
        self,
        event: yaml.MappingStartEvent | yaml.SequenceStartEvent,
        container: dict[str, object] | list[object],
    ) -> None:
        self._check_node(event)
        if self._stack and self._stack[-1].wants_key:
            self._stop(event.start_mark, "a mapping or list used as a key", "text as key")
        if len(self._stack) >= MOST_DEPTH:
            self._stop(event.start_mark, "nested too deeply", f"at most {MOST_DEPTH} levels")
        path = self._place(container, event.start_mark)
        self._stack.append(_Frame(path, container))

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        found, allowed = f"an alias '*{event.anchor}'", "write the value out"
        if self._stack and self._stack[-1].wants_key:
            self._stop(event.start_mark, found, allowed)
        self.complain(event.start_mark, found, allowed)
        self._place(None, event.start_mark)

    def _check_node(self, event: yaml.NodeEvent) -> None:
        self._count += 1
        if self._count > MOST_VALUES:
            self._stop(event.start_mark, "too many values", f"at most {MOST_VALUES}")
        if event.anchor is not None:
            self.complain(event.start_mark, f"an anchor '&{event.anchor}'", "no anchors")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self.complain(event.start_mark, f"a tag {tag!r}", "no tags")

    def _place(self, value: object, mark: Mark | None) -> YamlPath:
        if not self._stack:
            self.root = value
        path = _put(self._stack[-1], value) if self._stack else ()
        self.values[path] = _position(mark)
        return path

    def _resolve(self, event: yaml.ScalarEvent) -> object:
        """Read an unquoted scalar by the core schema of YAML 1.2. Source: YAML 1.2.2, section 10.3.2."""
        text = event.value
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            self.complain(event.start_mark, f"{text} is not a finite number", "finite numbers")
            return None
        if not _NUMBER.fullmatch(text):
            return text
        number = _number(text) if len(text) <= MOST_NUMBER_LENGTH else math.inf
        if not math.isfinite(number):
            allowed = f"at most {MOST_NUMBER_LENGTH} characters and 1e308"
            self.complain(event.start_mark, "a number that is too large", allowed)
        return number

    def _stop(self, mark: Mark | None, found: str, allowed: str) -> None:
        self.complain(mark, found, allowed)
        raise _StopReading


def _put(frame: _Frame, value: object) -> YamlPath:
    if isinstance(frame.container, list):
        frame.container.append(value)
        return (*frame.path, len(frame.container) - 1)
    key = frame.key or ""
    frame.key = None
    frame.container[key] = value
    return (*frame.path, key)


def _position(mark: Mark | None) -> Position:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _number(text: str) -> int | float:
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    return int(text) if text.lstrip("+-").isdigit() else float(text)
