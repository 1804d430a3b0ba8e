"""Writes plain values as YAML that every parser reads back as they are. It owns quoting, and reads nothing.

All text is written between double quotes with everything that does not print escaped, so that no name can be
taken for a number, a truth value, a comment or a line of its own.
Source: YAML 1.2.2, section 5.7, "Escaped Characters".
"""

import re
from collections.abc import Iterator, Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_WIDTH = 96


def quoted(text: str) -> str:
    """Return text between double quotes."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def word(text: str) -> str:
    """Return text as it is where no parser can take it for anything else, and between quotes otherwise."""
    is_plain = _PLAIN.fullmatch(text) and text.casefold() not in _WORDS
    return text if is_plain else quoted(text)


def comment(text: str) -> str:
    """Return one line of comment; what does not print is escaped."""
    return "# " + "".join(c if c.isprintable() else _escaped(c) for c in text)


def flow(value: object) -> str:
    """Return a value in one line: mappings, sequences, text, whole numbers, fractions, truth values."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{word(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return word(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def block(value: Mapping[str, object], indent: str = "") -> Iterator[str]:
    """Yield the lines of a mapping, a value in one line where it fits and over several where not."""
    for key, item in value.items():
        head = f"{indent}{word(key)}:"
        line = f"{head} {flow(item)}"
        if len(line) <= _WIDTH or not item or not isinstance(item, Mapping | list | tuple):
            yield line
        elif isinstance(item, Mapping):
            yield head
            yield from block(item, f"{indent}  ")
        else:
            yield head
            yield from (f"{indent}  - {flow(entry)}" for entry in item)
