"""How the program logs: JSON lines for machines, one readable line for a terminal, no secrets in either.

Code logs through the standard library with a constant message and `extra` fields; structlog formats.
Every library's logger (uvicorn, apscheduler, SQLAlchemy) goes the same way. What belongs to a cycle or
a move is bound once with `bind` and stands in every line below it.
"""

import logging
import re
import sys
from collections.abc import Collection, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from balancer.expose.escape import visible

MASK = "***"

_SECRET_NAME = re.compile(
    r"(password|passwd|secret|api_?key|authorization|cookie|credential|private_?key|"
    r"(access|auth|bearer|session|refresh)_?(token|id|key))",
    re.IGNORECASE,
)
_SECRET_IN_TEXT = (
    re.compile(r"(?<=://)[^/\s:@]+:[^@\s]+(?=@)"),  # user and password of a URL
    re.compile(r"(?<=vmware_soap_session=)[^\s;]+", re.IGNORECASE),
    re.compile(r"(?<=Authorization: )\S.*", re.IGNORECASE),
)
_QUIET = {
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.CRITICAL,
    "apscheduler": logging.ERROR,
}
"""Loggers whose everyday lines say nothing that ours do not."""

_ROUTED = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "uvicorn.asgi",
    "apscheduler",
    "sqlalchemy",
)

_LEFTOVERS = ("color_message", "message", "asctime")
"""What uvicorn, or another handler of the same record, has left behind on it."""

_FIRST = ("timestamp", "level", "logger", "event")


class LogFormat(StrEnum):
    """How lines look. AUTO: text on a terminal, JSON elsewhere."""

    JSON = "json"
    TEXT = "text"
    AUTO = "auto"


def configure_logging(
    format: LogFormat | str = LogFormat.AUTO,  # noqa: A002 - the word that operators know
    level: str = "INFO",
    *,
    stream: TextIO | None = None,
    secrets: Collection[str] = (),
) -> None:
    """Route all logging of the process to `stream` (standard error where none is given).

    `secrets` are values, such as passwords, that are masked wherever they would occur. Called again,
    it replaces what it set up before.

    Raises:
        ValueError: the format or the level is not known.
    """
    out = stream or sys.stderr
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level '{level}': allowed are DEBUG, INFO, WARNING, ERROR, CRITICAL")
    chosen = LogFormat(format)
    if chosen is LogFormat.AUTO:
        chosen = LogFormat.TEXT if out.isatty() else LogFormat.JSON
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(chosen, _Masking(secrets), out.encoding))
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    _route_libraries(number)


@contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Add fields, such as `cycle_id`, to every line logged inside of the `with` block on this thread."""
    with bound_contextvars(**fields):
        yield


def _formatter(
    chosen: LogFormat, masking: "_Masking", encoding: str | None
) -> structlog.stdlib.ProcessorFormatter:
    before: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _stamp,
    ]
    render: Processor = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if chosen is LogFormat.JSON
        else _TextLine(encoding)
    )
    after: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        masking,
        _ordered,
        render,
    ]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=after)


def _route_libraries(level: int) -> None:
    for name in _ROUTED:
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
        logger.propagate = True
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))


def _stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put the record's own time into the line, in UTC."""
    record = event.get("_record")
    at = datetime.fromtimestamp(record.created, UTC) if record else datetime.now(UTC)
    event["timestamp"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _ordered(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put time, level, logger and event first, then the fields by name, a traceback last."""
    for leftover in _LEFTOVERS:
        event.pop(leftover, None)
    first = {key: event.pop(key) for key in _FIRST if key in event}
    last = {key: event.pop(key) for key in ("exception",) if key in event}
    return {**first, **{key: event[key] for key in sorted(event)}, **last}


class _Masking:
    """A processor that masks what is secret by name, by form, or because it was named as such."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._values = sorted((value for value in secrets if value), key=len, reverse=True)

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """Return the event with secrets masked."""
        return {key: self._masked(key, value) for key, value in event.items()}

    def _masked(self, key: str, value: object) -> object:
        if _SECRET_NAME.search(key):
            return MASK
        if isinstance(value, MutableMapping):
            return {str(k): self._masked(str(k), v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._masked("", item) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self._masked_text(value if isinstance(value, str) else str(value))

    def _masked_text(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, MASK)
        for form in _SECRET_IN_TEXT:
            text = form.sub(MASK, text)
        return text


class _TextLine:
    """A processor that renders one line: time, level, event, fields; a traceback below it."""

    def __init__(self, encoding: str | None) -> None:
        self._encoding = encoding or "utf-8"

    def __call__(self, _: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> str:
        """Return the line without its line break."""
        fields = dict(event)
        at = str(fields.pop("timestamp", ""))
        level = str(fields.pop("level", "")).upper()
        told = visible(str(fields.pop("event", "")))
        fields.pop("logger", None)
        trace = str(fields.pop("exception", ""))
        words = " ".join(f"{visible(key)}={_field(value)}" for key, value in fields.items())
        line = f"{at} {level:<8} {told}{'  ' if words else ''}{words}"
        below = [f"    {visible(row)}" for row in trace.splitlines()]
        text = "\n".join([line, *below])
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)


def _field(value: object) -> str:
    """Return a field's value; quoted where blanks or quotes would make it unclear where it ends."""
    text = visible(str(value))
    if text and not re.search(r"[\s\"=]", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
